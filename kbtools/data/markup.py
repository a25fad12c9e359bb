"""Where the marks of an assistant's text stand: think and answer tags, marker lines, code fences.

Only positions and pairings live here; what they mean for the answer is decided in `kbtools.data.tag_reader`.
The marks of a text are a string with one character per mark, so that even 100,000 of them are read in
milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

THINK, END_THINK, ANSWER, END_ANSWER, BEGIN, END = "()[]{}"
FENCE, INFO_FENCE = "`'"  # a bare fence opens or closes, one with an info string only opens
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
_FENCE_CODES = {"bare": FENCE, "run": INFO_FENCE, None: ""}  # by the last group of _FENCE
_RUN = re.compile(r"`++|~++")
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
    """The marks and the code fences between them."""
    if "```" not in marks.text and "~~~" not in marks.text:
        return marks
    found = _FENCE.finditer(marks.text)
    return _merged(marks, ((fence.start("run"), _FENCE_CODES[fence.lastgroup]) for fence in found))


def skip_blank(text: str, start: int) -> int:
    """The first position at or after `start` that holds no white space."""
    found = _BLANK.match(text, start)
    return found.end() if found else start


def _merged(marks: Marks, others: Iterable[tuple[int, str]]) -> Marks:
    both = sorted([*zip(marks.starts, marks.codes, strict=True), *others])
    return Marks(marks.text, "".join(code for _, code in both), [start for start, _ in both])


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
        following = fence_ends.get(index, index) + 1
        first[index] = first[following]
        inner = balanced[following]
        balanced[index] = inner if code != ANSWER or inner is None else balanced[inner + 1]
    return Closings(balanced, first, fence_ends)


def _run(text: str, start: int) -> str:
    found = _RUN.match(text, start)
    return found[0] if found else ""


def _fence_ends(marks: Marks) -> dict[int, int]:
    """For each fence: the next bare fence of the same length behind it."""
    ends: dict[int, int] = {}
    nearest: dict[str, int] = {}
    fences = [index for index, code in enumerate(marks.codes) if code in (FENCE, INFO_FENCE)]
    for index in reversed(fences):
        run = _run(marks.text, marks.starts[index])
        if run in nearest:
            ends[index] = nearest[run]
        if marks.codes[index] == FENCE:
            nearest[run] = index
    return ends
