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

from kbtools.data.conversations.marks import begins_with_mark, ends_of_reasoning, is_answer, is_empty

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([\w+-]*)[^\n]*$", re.MULTILINE)
_PYTHON_FENCES = frozenset({"", "python", "py", "python3", "triton"})
_WRAPPERS = (("<answer>", "</answer>"), ("BEGIN_PYTHON", "END_PYTHON"))


@dataclass(frozen=True, slots=True)
class Unparsable:
    """Text that Python cannot parse or that holds nothing to judge; `line` is that of the extracted code."""

    error: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class ParsedCode:
    """The code that was extracted and its tree."""

    code: str
    tree: ast.Module


def code_of(text: str) -> str:
    """The Python code in `text`: after any reasoning, inside an answer wrapper or a fence if there is one.

    Of several Python fences the longest counts (answers show the kernel in full and fragments of it beside);
    a fence that never closes runs to the end of the text.
    """
    return _code_in(_answers(text)[0])


def parse(text: str) -> ParsedCode | Unparsable:
    """The tree of the code in `text`, the first reading of the text that is Python.

    Readings: the text as it is, then its answer; what is inside a code's own strings never misleads.
    """
    if _only_reasons(text):
        return Unparsable("the reasoning never ends, so there is no answer")
    faults: list[Unparsable] = []
    for code in dict.fromkeys([_tidy(text), *map(_code_in, _answers(text))]):
        outcome = _parse_code(code)
        if isinstance(outcome, ParsedCode):
            return outcome
        faults.append(outcome)
    return faults[:2][-1]  # of the likeliest answer where there is one, else of the whole text


def _only_reasons(text: str) -> bool:
    """Whether reasoning begins the text and never ends."""
    begins = begins_with_mark(text.lstrip())
    return begins is not None and not is_answer(begins) and not is_empty(begins) and not ends_of_reasoning(text)


def _answers(text: str) -> list[str]:
    """Where the answer may stand, likeliest first: after the last end of reasoning, or after the first one.

    The second is right when the answer's own code contains a tag.
    """
    ends = ends_of_reasoning(text)
    starts = [ends[-1], ends[0]] if ends else [0]
    return [_unwrap(text[start:]) for start in dict.fromkeys(starts)]


def _unwrap(text: str) -> str:
    """The text between the first opening and the last closing of an answer wrapper, or all of it."""
    for opening, closing in _WRAPPERS:
        start, end = text.find(opening), text.rfind(closing)
        if start != -1:
            return text[start + len(opening) : end if end > start else None]
    return text


def _code_in(answer: str) -> str:
    blocks = [body for language, body in fences(answer) if language.lower() in _PYTHON_FENCES]
    return _tidy(max(blocks, key=len) if blocks else answer)


def _tidy(code: str) -> str:
    return textwrap.dedent(code.removeprefix("\ufeff")).strip()


def fences(text: str) -> list[tuple[str, str]]:
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


def _parse_code(code: str) -> ParsedCode | Unparsable:
    if not code:
        return Unparsable("the text holds no code")
    if "\0" in code:
        return Unparsable("the code holds a null byte", code.count("\n", 0, code.index("\0")) + 1)
    try:
        with warnings.catch_warnings():  # invalid escapes in judged code are not our caller's news
            warnings.simplefilter("ignore")
            return ParsedCode(code, ast.parse(code))
    except SyntaxError as error:
        return Unparsable(f"{type(error).__name__}: {error.msg}", error.lineno)
    except (RecursionError, MemoryError) as error:
        return Unparsable(f"nested too deeply for Python's parser ({type(error).__name__})")
    except ValueError as error:  # lone surrogates
        return Unparsable(f"{type(error).__name__}: {error}")
