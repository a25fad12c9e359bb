"""From the text of an answer or of a dataset column to a Python syntax tree.

Code is only parsed, never run or imported. Text that is not Python becomes an `Unparsable` with the parser's
own words, so that the caller can give it a verdict of its own.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from dataclasses import dataclass

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([\w+-]*)[^\n]*$", re.MULTILINE)
_PYTHON_FENCES = frozenset({"", "python", "py", "python3", "triton", "pycon"})
_WRAPPERS = (("<answer>", "</answer>"), ("BEGIN_PYTHON", "END_PYTHON"))


@dataclass(frozen=True, slots=True)
class Unparsable:
    """Text that Python cannot parse or that holds nothing to judge; `line` is that of the extracted code."""

    error: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """The code that was extracted and its tree."""

    code: str
    tree: ast.Module


def code_of(text: str) -> str:
    """The Python code in `text`: inside an answer wrapper or a Markdown fence if there is one, else all.

    Of several Python fences the longest counts (answers show the kernel in full and fragments of it beside);
    a fence that never closes runs to the end of the text.
    """
    inner = _unwrap(text.removeprefix("\ufeff"))
    blocks = [body for language, body in _fences(inner) if language.lower() in _PYTHON_FENCES]
    chosen = max(blocks, key=len) if blocks else inner
    return textwrap.dedent(chosen).strip()


def parse(text: str) -> Parsed | Unparsable:
    """The tree of the code in `text`; a text that is Python as it stands is not searched for fences."""
    whole = textwrap.dedent(text.removeprefix("\ufeff")).strip()
    outcome = _parse_code(whole)
    if isinstance(outcome, Parsed):
        return outcome
    code = code_of(text)
    return outcome if code == whole else _parse_code(code)


def _unwrap(text: str) -> str:
    bare = text.strip()
    for opening, closing in _WRAPPERS:
        if bare.startswith(opening) and bare.endswith(closing):
            return bare[len(opening) : -len(closing)]
    return text


def _fences(text: str) -> list[tuple[str, str]]:
    """(language, body) of every fenced block, in order."""
    blocks: list[tuple[str, str]] = []
    opened: re.Match[str] | None = None
    for mark in _FENCE.finditer(text):
        if opened is None:
            opened = mark
        elif mark[1].startswith(opened[1]) and not mark[2]:
            blocks.append((opened[2], text[opened.end() + 1 : mark.start()]))
            opened = None
    if opened is not None:
        blocks.append((opened[2], text[opened.end() + 1 :]))
    return blocks


def _parse_code(code: str) -> Parsed | Unparsable:
    if not code:
        return Unparsable("the text holds no code")
    if "\0" in code:
        return Unparsable("the code holds a null byte", code.count("\n", 0, code.index("\0")) + 1)
    try:
        with warnings.catch_warnings():  # invalid escapes in judged code are not our caller's news
            warnings.simplefilter("ignore")
            return Parsed(code, ast.parse(code))
    except SyntaxError as error:
        return Unparsable(f"{type(error).__name__}: {error.msg}", error.lineno)
    except (RecursionError, MemoryError) as error:
        return Unparsable(f"nested too deeply for Python's parser ({type(error).__name__})")
    except ValueError as error:  # lone surrogates
        return Unparsable(f"{type(error).__name__}: {error}")
