"""Where the marks of an assistant's text stand: think and answer tags, marker lines, code fences.

Only positions and pairings live here; what they mean for the answer is decided in `kbtools.data.conversations.tags`.
The marks of a text are a string with one character per mark, so that even 100,000 of them are read in
milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from kbtools.data.conversations.marks import Family, begins_with_mark, family_of, is_answer, is_empty, marks_in

THINK, END_THINK, ANSWER, END_ANSWER, BEGIN, END = "()[]{}"
FENCES = 0xE000  # from here on: two codes for each length of fence, bare (opens or closes) and with info (opens)
OPENINGS = ANSWER + BEGIN

_LINE = re.compile(r"[ \t]*+(?:BEGIN|END)_PYTHON[ \t]*+\r?+\n?+")
_LINE_END = re.compile(r"_PYTHON[ \t]*+\r?+(?:\n|\Z)")
_FENCE = re.compile(
    r"(?:^|(?<=<(?i:answer)>)) {0,3}+(?P<run>`{3,}+|~{3,}+)"
    r"(?:(?P<bare>(?=[ \t]*+(?:\r?(?:\n|\Z)|</(?i:answer)\s*+>)))|(?=[^`\n]*+(?:\n|\Z)))",
    re.MULTILINE,
)
_BLANK = re.compile(r"\s*+")


@dataclass(frozen=True, slots=True)
class TagMarks:
    """The marks of a text: their codes, one character each, and the positions where they start and end."""

    text: str
    codes: str
    starts: list[int]
    ends: list[int]
    """Of tags, the position behind them; of fences and marker lines, where they start."""

    def end(self, index: int) -> int:
        """The position behind a tag, or behind the end of a marker line."""
        if self.codes[index] not in (BEGIN, END):
            return self.ends[index]
        line = _LINE.match(self.text, self.starts[index])
        return line.end() if line else self.starts[index]

    def begins_line(self, index: int) -> bool:
        """Whether the mark is at the very start of a line, or there behind the end of a block of reasoning."""
        start = self.starts[index]
        before = self.codes.rfind(END_THINK, 0, index)
        if before >= 0 and self.ends[before] == start:
            start = self.starts[before]
        return start == 0 or self.text[start - 1] == "\n"


def find_marks(text: str) -> TagMarks:
    """All tags and marker lines."""
    marks = _tags(text)
    return _merged(marks, _lines(marks)) if "_PYTHON" in text else marks


def _tags(text: str) -> TagMarks:
    """The tags of answers and reasoning. Inside a block of one family the marks of the others are text."""
    found = marks_in(text)
    words = tuple([mark.group() for mark in found])
    read = _read_before if sum(map(len, words)) <= _REMEMBERED else _read
    codes, places = read(words)
    at = [(found[place.mark].start(), place) for place in places]
    return TagMarks(
        text, codes, [start + place.start for start, place in at], [start + place.end for start, place in at]
    )


class _Standing(NamedTuple):
    """Where a code is: positions behind the start of the mark with this index."""

    mark: int
    start: int
    end: int


def _read(words: tuple[str, ...]) -> tuple[str, list[_Standing]]:
    """The codes of these marks, of which a text has no others, and where each stands."""
    codes, places = [], []
    for code, *place in _own_marks(words):
        codes.append(code)
        places.append(_Standing(*place))
    return "".join(codes), places


_REMEMBERED = 200
"""Characters of all marks of a text, up to which their reading is kept: nearly all texts have the same few."""
_read_before = lru_cache(maxsize=1 << 10)(_read)


def _own_marks(words: tuple[str, ...]) -> Iterator[tuple[str, int, int, int]]:
    found = [mark for word in words if (mark := begins_with_mark(word)) is not None]  # all are: they were found as such
    families = [None if is_answer(mark) else family_of(mark) for mark in found]
    closed = {known[0]: at for at, known in enumerate(families) if known is not None and known[1]}
    within: Family | None = None
    depth = 0
    for at, (mark, known) in enumerate(zip(found, families, strict=True)):
        if known is None:
            if not is_empty(mark):
                yield ANSWER if mark["answer"] is not None else END_ANSWER, at, 0, mark.end()
            continue
        family, closes = known
        if within is not None and family != within:
            continue
        if is_empty(mark) and not closes:
            yield THINK, at, 0, 1
            yield END_THINK, at, 1, mark.end()
            continue
        yield END_THINK if closes else THINK, at, 0, mark.end()
        if closes:
            depth = max(depth - 1, 0)
        elif within is not None or closed.get(family, -1) > at:  # what is never closed hides no marks of the others
            depth += 1
        within = family if depth else None


def with_fences(marks: TagMarks) -> TagMarks:
    """The marks and the code fences between them, where they could hide the end of an answer."""
    return _fenced(marks) if END_ANSWER in marks.codes else marks


def _fenced(marks: TagMarks) -> TagMarks:
    if "```" not in marks.text and "~~~" not in marks.text:
        return marks
    kinds: dict[str, int] = {}
    fences = {}
    for fence in _FENCE.finditer(marks.text):
        kind = kinds.setdefault(fence["run"], len(kinds))
        fences[fence.start("run")] = chr(FENCES + 2 * kind + (fence.lastgroup != "bare"))
    return _merged(marks, fences.items())


def whole_blocks(text: str) -> Iterator[int]:
    """Where blocks of reasoning start that stand in an answer: outside of its fences, and closed or all of the answer.

    A block that begins the answer and is never closed takes up all of it.
    """
    marks = _fenced(find_marks(text))
    ends = _fence_ends(marks)
    index, opened = 0, -1
    while index < len(marks.codes):
        code = marks.codes[index]
        if code == THINK and opened < 0:
            opened = index
        elif code == END_THINK and opened >= 0:
            yield marks.starts[opened]
            opened = -1
        index = ends.get(index, index) + 1
    if opened >= 0 and not text[: marks.starts[opened]].strip() and text[marks.end(opened) :].strip():
        yield marks.starts[opened]


def skip_blank(text: str, start: int) -> int:
    """The first position at or after `start` that holds no white space."""
    found = _BLANK.match(text, start)
    return found.end() if found else start


def _merged(marks: TagMarks, others: Iterable[tuple[int, str]]) -> TagMarks:
    known = zip(marks.starts, marks.codes, marks.ends, strict=True)
    codes = {start: (code, end) for start, code, end in known} | {start: (code, start) for start, code in others}
    starts = sorted(codes)
    found = [codes[start] for start in starts]
    return TagMarks(marks.text, "".join(code for code, _ in found), starts, [end for _, end in found])


def _lines(marks: TagMarks) -> Iterator[tuple[int, str]]:
    """The marker lines; one may also follow the end of a block of reasoning on its line."""
    text = marks.text
    ends = {end for code, end in zip(marks.codes, marks.ends, strict=True) if code == END_THINK}
    for found in _LINE_END.finditer(text):
        word, code = ("BEGIN", BEGIN) if text.endswith("BEGIN", 0, found.start()) else ("END", END)
        if not text.endswith(word, 0, found.start()):
            continue
        line = text.rfind("\n", 0, found.start()) + 1
        before = text[line : found.start() - len(word)].rstrip(" \t")
        if not before or line + len(before) in ends:
            yield line + len(before), code


class Closings(NamedTuple):
    """For an answer whose next mark has index i: the index of the mark that closes it, or None.

    `balanced` counts `<answer>` inside the answer as a level of its own, `first` does not. Both pass over
    code fences; `fence_ends` has the closing fence for each opening one.
    """

    balanced: list[int | None]
    first: list[int | None]
    fence_ends: dict[int, int]


def find_closings(marks: TagMarks) -> Closings:
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


def _fence_ends(marks: TagMarks) -> dict[int, int]:
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
