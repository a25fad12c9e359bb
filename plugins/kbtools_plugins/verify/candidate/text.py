"""Reading a model's text: the code inside a fence, without its `__main__` block, and its entry point.

Works on text and syntax trees only; nothing is run here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TypeGuard

from kbtools.data.conversations import reasoning
from kbtools.data.conversations.marks import ends_of_reasoning

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)")
_PYTHON_LABELS = {"", "python", "py", "python3", "triton"}
_ANSWER = re.compile(r"<answer>(?!.*<answer>)(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_MARKED = re.compile(r"\s*BEGIN_PYTHON\b")


class NoCode(Exception):
    """The text holds no Python that parses; the message says where it stops parsing."""


def extract(text: str) -> str:
    """The code in a text that a model wrote, or the text itself where it is code already.

    What counts is the answer by the rules of `kbtools.data.conversations.reasoning`, and what is inside its fences.
    Several fences are joined if they parse together, else the longest one counts.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # as Python reads it
    if _parses(text) and not _MARKED.match(text):  # the marker lines are Python, too: names that nobody defined
        return text
    answer = _answer(text)
    blocks = [body for label, body in _fenced(answer) if label.lower() in _PYTHON_LABELS]
    if not blocks or _parses(answer):
        return answer
    joined = "\n".join(blocks)
    return joined if _parses(joined) else max(blocks, key=len)


def _fenced(text: str) -> Iterator[tuple[str, str]]:
    """Label and content of each fenced block; each line is looked at once, however many fences open."""
    opened: re.Match[str] | None = None
    lines: list[str] = []
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if opened is None:
            opened = found
        elif found and found.group(1) == opened.group(1) and line.strip() == found.group(1):
            yield opened.group(2), "".join(f"{kept}\n" for kept in lines)
            opened, lines = None, []
        else:
            lines.append(line)


def _answer(text: str) -> str:
    """The answer in a text; where none is certain, the last one that is behind all reasoning."""
    try:
        return reasoning.parse(text, reasoning.Rules(tag="optional", answer="last")).answer
    except reasoning.ReasoningError:
        behind = text[max(ends_of_reasoning(text), default=0) :]
        _, opened, last = behind.rpartition("<answer>")
        inside, closed, _ = last.partition("</answer>")
        return inside if opened and closed else behind


def parse(code: str) -> ast.Module:
    """The syntax tree without what runs only as a program, `if __name__ == "__main__":`; NoCode if there is none."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f"line {line}: " if line else ""
        raise NoCode(f"{where}{type(error).__name__}: {getattr(error, 'msg', error)}") from None
    if not tree.body:
        raise NoCode("the text holds no code")
    tree.body = [part for node in tree.body for part in (node.orelse if _is_main_block(node) else [node])]
    return tree


def reference_entry(tree: ast.Module, wanted: str | None) -> str:
    """The name of the class or function that is the reference: the one asked for, `Model`, or the last module class."""
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    if wanted is not None:
        if wanted not in defined:
            raise NoCode(f"it defines no {wanted!r}, only {', '.join(defined) or 'nothing'}")
        return wanted
    modules = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    if "Model" in modules:
        return "Model"
    if not modules:
        raise NoCode("it defines no class; name its entry point")
    return modules[-1]


def candidate_entry(tree: ast.Module, reference: str) -> str:
    """The name of the candidate's version: `<reference>New`, `ModelNew`, or the reference's own name."""
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    aliases = [target.id for node in tree.body if isinstance(node, ast.Assign)
               for target in node.targets if isinstance(target, ast.Name)]  # fmt: skip
    for name in (f"{reference}New", "ModelNew", reference):
        if name in defined or name in aliases:
            return name
    raise NoCode(f"it defines neither {reference}New nor ModelNew, only {', '.join(defined) or 'nothing'}")


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _is_main_block(node: ast.stmt) -> TypeGuard[ast.If]:
    """Exactly this comparison: `__name__ != "__main__"` holds for everybody who imports the file."""
    if not (isinstance(node, ast.If) and isinstance(node.test, ast.Compare) and len(node.test.ops) == 1):
        return False
    sides = sorted(map(ast.unparse, [node.test.left, *node.test.comparators]))
    return isinstance(node.test.ops[0], ast.Eq) and sides == ["'__main__'", "__name__"]
