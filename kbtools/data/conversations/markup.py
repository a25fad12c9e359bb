"""Where the marks of an assistant's text stand: think and answer tags, marker lines, code fences.

Only positions and pairings live here; what they mean for the answer is decided in `kbtools.data.conversations.tags`.
The marks of a text are a string with one character per mark, so that even 100,000 of them are read in
milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

THINK, END_THINK, ANSWER, END_ANSWER, BEGIN, END = "()[]{}"
FENCES = 0xE000  # from here on: two codes for each length of fence, bare (opens or closes) and with info (opens)
OPENINGS = ANSWER + BEGIN

_CODES = f"?{THINK}{END_THINK}{ANSWER}{END_ANSWER}"  # by number of the group in _TAG
_TAG = re.compile(r"<(?:(think)|(/think)|(answer)|(/answer))>")
_WIDTHS = {THINK: 7, END_THINK: 8, ANSWER: 8, END_ANSWER: 9}
_LINE = re.compile(r"[ \t]*+(?:BEGIN|END)_PYTHON[ \t]*+\r?+\n?+")
_LINE_END = re.compile(r"_PYTHON[ \t]*+\r?+(?:\n|\Z)")
_FENCE = re.compile(
    r"(?:^|(?<=<answer>)) {0,3}+(?P<run>`{3,}+|~{3,}+)"
    r"(?:(?P<bare>(?=[ \t]*+(?:\r?(?:\n|\Z)|</answer>)))|(?=[^`\n]*+(?:\n|\Z)))",
    re.MULTILINE,
)
_BLANK = re.compile(r"\s*+")


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of a text: their codes, one character each, and the positions where they start."""

    text: str
    codes: str
    starts: list[int]

    def end(self, index: int) -> int:
        """The position behind a tag, or behind the end of a marker line."""
        width = _WIDTHS.get(self.codes[index])
        if width:
            return self.starts[index] + width
        line = _LINE.match(self.text, self.starts[index])
        return line.end() if line else self.starts[index]

    def begins_line(self, index: int) -> bool:
        """Whether the mark stands at the very start of a line, or there behind a `</think>`."""
        start = self.starts[index]
        if self.text[start - 1] == ">" and self.text.endswith("</think>", 0, start):
            start -= len("</think>")
        return start == 0 or self.text[start - 1] == "\n"


def find_marks(text: str) -> Marks:
    """All tags and marker lines."""
    codes, starts = [], []
    for tag in _TAG.finditer(text):
        codes.append(tag.lastindex or 0)
        starts.append(tag.start())
    marks = Marks(text, "".join(map(_CODES.__getitem__, codes)), starts)
    return _merged(marks, _lines(text)) if "_PYTHON" in text else marks


def with_fences(marks: Marks) -> Marks:
    """The marks and the code fences between them, where they could hide the end of an answer."""
    if END_ANSWER not in marks.codes or ("```" not in marks.text and "~~~" not in marks.text):
        return marks
    kinds: dict[str, int] = {}
    fences = {}
    for fence in _FENCE.finditer(marks.text):
        kind = kinds.setdefault(fence["run"], len(kinds))
        fences[fence.start("run")] = chr(FENCES + 2 * kind + (fence.lastgroup != "bare"))
    return _merged(marks, fences.items())


def skip_blank(text: str, start: int) -> int:
    """The first position at or after `start` that holds no white space."""
    found = _BLANK.match(text, start)
    return found.end() if found else start


def _merged(marks: Marks, others: Iterable[tuple[int, str]]) -> Marks:
    codes = dict(zip(marks.starts, marks.codes, strict=True)) | dict(others)
    starts = sorted(codes)
    return Marks(marks.text, "".join(map(codes.__getitem__, starts)), starts)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The marker lines; one may also follow a `</think>` on its line."""
    for found in _LINE_END.finditer(text):
        word, code = ("BEGIN", BEGIN) if text.endswith("BEGIN", 0, found.start()) else ("END", END)
        if not text.endswith(word, 0, found.start()):
            continue
        line = text.rfind("\n", 0, found.start()) + 1
        before = text[line : found.start() - len(word)].rstrip(" \t")
        if not before or before.endswith("</think>"):
            yield line + len(before), code


class Closings(NamedTuple):
    """For an answer whose next mark has index i: the index of the mark that closes it, or None.

    `balanced` counts `<answer>` inside the answer as a level of its own, `first` does not. Both pass over
    code fences; `fence_ends` has the closing fence for each opening one.
    """

    balanced: list[int | None]
    first: list[int | None]
    fence_ends: dict[int, int]


def find_closings(marks: Marks) -> Closings:
    """Both readings of where an answer ends, for every mark at once, from the last mark to the first."""
    codes, fence_ends = marks.codes, _fence_ends(marks)
    balanced: list[int | None] = [None] * (len(codes) + 1)
    first: list[int | None] = [None] * (len(codes) + 1)
    for index in range(len(codes) - 1, -1, -1):
        code = codes[index]
        if code == END_ANSWER:
            balanced[index] = first[index] = index
            continue
        following = fence_ends[index] + 1 if index in fence_ends else index + 1
        first[index] = first[following]
        inner = balanced[following]
        balanced[index] = inner if code != ANSWER or inner is None else balanced[inner + 1]
    return Closings(balanced, first, fence_ends)


def _fence_ends(marks: Marks) -> dict[int, int]:
    """For each fence: the next bare fence of the same length behind it."""
    ends: dict[int, int] = {}
    nearest: dict[int, int] = {}
    fences = [index for index, code in enumerate(marks.codes) if code >= chr(FENCES)]
    for index in reversed(fences):
        kind, with_info = divmod(ord(marks.codes[index]), 2)
        if kind in nearest:
            ends[index] = nearest[kind]
        if not with_info:
            nearest[kind] = index
    return ends
