"""Changes of code that mean nothing: comments gone, names exchanged, a comment added.

They work on texts that hold Python somewhere: a whole file, fenced blocks, or what is between answer marks. Code is
parsed and tokenized, never run. A text without code that parses is left alone, and the caller sees that it is the same.
"""

from __future__ import annotations

import ast
import builtins
import io
import re
import tokenize
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from token import COMMENT, DEDENT, INDENT, NAME, NEWLINE, NL, STRING

_BLOCKS = (
    re.compile(r"^[ \t]*```(?:python|py|triton)?[ \t]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE),
    re.compile(r"<answer>(.*?)</answer>", re.DOTALL),
    re.compile(r"^BEGIN_PYTHON[ \t]*\n(.*?)^END_PYTHON", re.DOTALL | re.MULTILINE),
)
_INTERFACE = {"self", "cls", "_", "forward", "get_inputs", "get_init_inputs"}
"""Names that others call by: the tasks prescribe them."""


def with_code_changed(text: str, change: Callable[[str], str]) -> str:
    """The text with every piece of Python in it changed."""
    for start, end in sorted(_code_spans(text), reverse=True):
        text = text[:start] + change(text[start:end]) + text[end:]
    return text


def without_comments(text: str) -> str:
    """The text without the comments, docstrings and other idle strings of its code."""
    return with_code_changed(text, _stripped)


def with_comment(text: str, comment: str) -> str:
    """The text with a comment line before each piece of code."""
    return with_code_changed(text, lambda code: _indented_first(code, f"# {comment}\n"))


def renamed(texts: Mapping[str, str]) -> dict[str, str]:
    """Texts whose own classes, functions, parameters and variables have other names, in all of them the same.

    Names that something outside may use stay: attributes, methods, imports, keywords of calls, and those that stand in
    strings. A text that is itself one of the names is exchanged for the new one.
    """
    codes = [text[start:end] for text in texts.values() for start, end in _code_spans(text)]
    names = _new_names(codes)
    return {
        role: names.get(text.strip()) or with_code_changed(text, lambda code: _exchanged(code, names))
        for role, text in texts.items()
    }


def _code_spans(text: str) -> list[tuple[int, int]]:
    """Where code is in a text: all of it, or the blocks of the first kind that holds any."""
    if _tree(text) is not None:
        return [(0, len(text))]
    for block in _BLOCKS:
        spans = [match.span(1) for match in block.finditer(text) if _tree(match[1]) is not None]
        if spans:
            return spans
    return []


def _tree(code: str) -> ast.Module | None:
    """The syntax tree of code that does something; None for mere words and values."""
    try:
        with warnings.catch_warnings():  # invalid escapes in judged code are not our caller's news
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
            _tokens(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return None
    return tree if any(not isinstance(statement, ast.Expr) for statement in tree.body) else None


def _tokens(code: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(code).readline))


def _stripped(code: str) -> str:
    """Idle strings are taken out, or become `pass` where a body would be left empty."""
    for stand_in in ("", "pass"):
        stripped = _replaced(code, _idle(code, stand_in))
        if _tree(stripped) is not None:
            return stripped
    return code


def _idle(code: str, stand_in: str) -> Iterator[tuple[int, int, str]]:
    """Spans of comments and of statements that are only a string, each with what takes its place."""
    place = _places(code)
    tokens = [token for token in _tokens(code) if token.type != NL]
    before = NEWLINE
    for index, token in enumerate(tokens):
        start, end = place(token.start), place(token.end)
        alone = not code[code.rfind("\n", 0, start) + 1 : start].strip()
        if token.type == COMMENT:
            yield _with_line(code, start, end) if alone else (start - _spaces_before(code, start), end, "")
        elif token.type == STRING and before in (NEWLINE, INDENT, DEDENT) and tokens[index + 1].type == NEWLINE:
            yield (start, end, stand_in) if stand_in else _with_line(code, start, end)
        before = before if token.type == COMMENT else token.type


def _with_line(code: str, start: int, end: int) -> tuple[int, int, str]:
    """The span with its whole line, if nothing else is on it."""
    stop = code.find("\n", end)
    rest = code[end : stop if stop != -1 else None]
    if rest.strip():
        return start, end, ""
    return code.rfind("\n", 0, start) + 1, end + len(rest) + (stop != -1), ""


def _spaces_before(code: str, start: int) -> int:
    line = code[:start]
    return len(line) - len(line.rstrip(" \t"))


def _places(code: str) -> Callable[[tuple[int, int]], int]:
    """From the tokenizer's (line, column) to an index into the code."""
    starts = [0]
    for line in code.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return lambda position: starts[position[0] - 1] + position[1]


def _replaced(code: str, spans: Iterable[tuple[int, int, str]]) -> str:
    for start, end, text in sorted(spans, reverse=True):
        code = code[:start] + text + code[end:]
    return code


def _indented_first(code: str, line: str) -> str:
    """The line before the first one that is not blank."""
    blank = len(code) - len(code.lstrip("\r\n"))
    return code[:blank] + line + code[blank:]


def _exchanged(code: str, names: Mapping[str, str]) -> str:
    place = _places(code)
    tokens = _tokens(code)
    attributes = {later.start for token, later in pairwise(tokens) if token.string == "."}
    return _replaced(
        code,
        (
            (place(token.start), place(token.end), names[token.string])
            for token in tokens
            if token.type == NAME and token.string in names and token.start not in attributes
        ),
    )


def _new_names(codes: Iterable[str]) -> dict[str, str]:
    """A new name for each name that the codes may be given another for, numbered in the order of the text."""
    trees = [(code, tree) for code in codes if (tree := _tree(code)) is not None]
    kinds: dict[str, str] = {}
    kept = {*dir(builtins), *_INTERFACE}
    for _, tree in trees:
        kinds.update({name: kind for name, kind in _bound(tree) if kinds.get(name, "value") == "value"})
        kept.update(_known_outside(tree))
    words = [token.string for code, _ in trees for token in _tokens(code) if token.type == NAME]
    wanted = [word for word in dict.fromkeys(words) if word in kinds and word not in kept and not word.startswith("__")]
    fresh = {kind: _numbered(kind, set(words)) for kind in ("Module", "function", "value")}
    names: dict[str, str] = {}
    for word in sorted(wanted, key=lambda word: word.endswith("New")):  # FooNew is named after Foo
        stem = names.get(word.removesuffix("New")) if word.endswith("New") else None
        names[word] = f"{stem}New" if stem else next(fresh[kinds[word]])
    return names


def _numbered(kind: str, taken: set[str]) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        if f"{kind}{number}" not in taken:
            yield f"{kind}{number}"


def _bound(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names that the code itself gives: classes, functions, and parameters and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name, "Module"
        elif isinstance(node, ast.FunctionDef):
            yield node.name, "function"
        elif isinstance(node, ast.arg):
            yield node.arg, "value"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, "value"


def _known_outside(tree: ast.Module) -> Iterator[str]:
    """Names that something else than plain names refers to."""
    for node in ast.walk(tree):
        if isinstance(node, ast.alias):
            yield from ((node.asname or node.name).split(".")[0], *node.name.split("."))
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.ClassDef):
            yield from _of_class_body(node)
        elif isinstance(node, ast.JoinedStr):
            yield from (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.MatchClass):
            yield from node.kwd_attrs


def _of_class_body(node: ast.ClassDef) -> Iterator[str]:
    """Methods and variables of a class, which are reached as attributes."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
        else:
            yield from (inner.id for inner in ast.walk(statement) if isinstance(inner, ast.Name))
