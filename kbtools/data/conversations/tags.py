"""Reads a text with think and answer tags or BEGIN_PYTHON/END_PYTHON lines, mark by mark, to find its answer.

It refuses what can be read in two ways. The rules are in the docstring of `kbtools.data.conversations.reasoning`, the
positions come from `kbtools.data.conversations.markup`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal, NamedTuple

from kbtools.data.conversations.markup import (
    ANSWER,
    BEGIN,
    END,
    END_ANSWER,
    END_THINK,
    FENCES,
    OPENINGS,
    THINK,
    Closings,
    TagMarks,
    find_closings,
    skip_blank,
    with_fences,
)
from kbtools.data.conversations.reasoning_error import ReasoningError

TagRule = Literal["required", "optional"]
AnswerRule = Literal["only", "last"]

_USUAL = frozenset({"[]", ")[]", "()[]", "{}", "){}", "(){}"})
_CLOSINGS = re.compile(r"[\]}]+")
_LINE_OF_OPENING = re.compile(r"\n[^\n]{0,80}?(?:<answer|BEGIN_PYTHON)", re.IGNORECASE)
_SIMPLE_ANSWERS = re.compile(r"(?:\[\])+")


@dataclass(frozen=True)
class Rules:
    """What counts as an answer and what stays of it.

    Where reasoning is followed by no answer tag, `tag="optional"` takes the rest of the text. Of several
    different answers, `answer="last"` takes the last. `unwrap` drops the tags around the answer.
    """

    tag: TagRule = "required"
    answer: AnswerRule = "only"
    unwrap: bool = False


STRICT = Rules()


class TaggedAnswer(NamedTuple):
    """The answer `text[start:end]`, its tags excluded, and where its opening tag is."""

    opening: int
    start: int
    end: int
    tagged: bool
    gaps: tuple[str, ...] = ()
    """The texts between this answer and others of the same words."""


def usual_answer(marks: TagMarks) -> TaggedAnswer | None:
    """What a `TagReader` finds in the usual text: at most one block of reasoning, then one answer.

    None for any other text, and where a fence behind the answer might hide its closing tag.
    """
    if marks.codes not in _USUAL:
        return None
    text, close = marks.text, marks.starts[-1]
    if marks.codes[-1] == END_ANSWER and any(text.find(fence, close) != -1 for fence in ("```", "~~~")):
        return None
    return _answer_between(marks, len(marks.codes) - 2, len(marks.codes) - 1)


def _answer_between(marks: TagMarks, opening: int, close: int) -> TaggedAnswer:
    tagged = marks.codes[opening] == ANSWER
    return TaggedAnswer(marks.starts[opening], marks.end(opening), marks.starts[close], tagged)


class TagReader:
    """Walks the marks of one text from left to right and collects its answers.

    `_solid` is the first visible character of the text, then behind each end of reasoning: an answer that
    opens there is meant, while one that opens later may be a mention.
    """

    def __init__(self, marks: TagMarks) -> None:
        self.marks = with_fences(marks)
        self.codes = self.marks.codes
        self._answers: list[tuple[int, int]] = []  # opening and closing mark
        self._disputed: list[tuple[int, int]] = []
        self._unopened: int | None = None
        self._unaccounted = 0  # the mark behind the last `</think>` that nothing opened
        self._ended: int | None = None  # the mark that last ended reasoning
        self._solid = skip_blank(marks.text, 0)

    @cached_property
    def _closings(self) -> Closings:
        return find_closings(self.marks)

    def read(self, rules: Rules) -> TaggedAnswer:
        """The answer; raises `ReasoningError` where there is none or it is not certain."""
        index = 0
        while index < len(self.codes):
            index = self._step(index)
        if self._unopened is not None:
            raise ReasoningError("unopened-answer", self.marks.starts[self._unopened])
        if self._answers:
            return self._choose(rules.answer)
        if rules.tag == "required":
            raise ReasoningError("no-answer-tag", self._solid)
        if self._disputed or self._ended is None:
            raise ReasoningError("no-answer", self._solid)
        return self._rest(self._ended, rules.answer)

    def _step(self, index: int) -> int:
        """Read the mark at `index` and what belongs to it; returns the index to go on from."""
        code = self.codes[index]
        if code in (THINK, END_THINK):
            return self._reasoning(index)
        if code in OPENINGS:
            return self._answer(index)
        if code in (END_ANSWER, END) and self._unopened is None:
            self._unopened = index
        closings = _CLOSINGS.match(self.codes, index)
        return closings.end() if closings else index + 1

    def _choose(self, rule: AnswerRule) -> TaggedAnswer:
        if rule == "last":
            return _answer_between(self.marks, *self._answers[-1])
        text, starts, end = self.marks.text, self.marks.starts, self.marks.end
        found = self._disputed + self._answers
        if len({text[end(opening) : starts[close]] for opening, close in found}) > 1:
            raise ReasoningError("answers-differ", starts[self._answers[-1][0]])
        pairs = pairwise(self._answers)
        gaps = tuple(text[end(close) : starts[opening]] for (_, close), (opening, _) in pairs)
        return _answer_between(self.marks, *self._answers[0])._replace(gaps=gaps)

    def _rest(self, ended: int, rule: AnswerRule) -> TaggedAnswer:
        """The text behind the reasoning, where no tag is asked for."""
        position = self.marks.end(ended)
        if rule == "only" and self._visible_before(ended):
            raise ReasoningError("split-answer", position)
        return TaggedAnswer(position, position, len(self.marks.text), tagged=False)

    def _visible_before(self, ended: int) -> bool:
        """Whether text is outside the blocks, before the end of the last one."""
        depth = 0
        position = self.marks.end(self._unaccounted - 1) if self._unaccounted else 0
        for index in range(self._unaccounted, ended + 1):
            if self.codes[index] == THINK:
                if depth == 0 and skip_blank(self.marks.text, position) < self.marks.starts[index]:
                    return True
                depth += 1
            elif self.codes[index] == END_THINK:
                depth -= 1
                position = self.marks.end(index)
        return False

    def _reasoning(self, index: int) -> int:
        """A run of think tags, with whatever is inside their blocks."""
        depth, opened, unopened, codes = 0, index, -1, self.codes
        for at in range(index, len(codes)):
            code = codes[at]
            if code == THINK:
                opened = opened if depth else at
                depth += 1
            elif code == END_THINK:
                unopened = unopened if depth else at
                depth -= depth > 0
            elif not depth:
                break
        else:
            at += 1
        if depth:
            raise ReasoningError("unclosed-think", self.marks.starts[opened])
        if unopened >= 0:
            self._reopen(unopened)
        self._end_reasoning(at - 1)
        return at

    def _reopen(self, index: int) -> None:
        """A `</think>` that nothing opened: all before it was reasoning, unless reasoning had ended before.

        Then answers given in between may be drafts or may be meant, and must agree with the one that follows.
        """
        if self._ended is None:
            self._unopened = None
        else:
            self._disputed += self._answers
        self._answers = []
        self._unaccounted = index + 1

    def _end_reasoning(self, index: int) -> None:
        self._ended = index
        self._solid = skip_blank(self.marks.text, self.marks.end(index))

    def _answer(self, index: int) -> int:
        simple = _SIMPLE_ANSWERS.match(self.codes, index)
        if simple:
            end = simple.end()
            self._answers += zip(range(index, end, 2), range(index + 1, end, 2), strict=True)
            return end
        close = self._close(index)
        mentioned_until = self._end_of_mention(index, close)
        if mentioned_until is not None:
            return self._reasoning(mentioned_until)
        if close is None:
            raise ReasoningError("unclosed-answer", self.marks.starts[index])
        self._refuse_nested(index, close)
        self._answers.append((index, close))
        return close + 1

    def _close(self, index: int) -> int | None:
        mark = END_ANSWER if self.codes[index] == ANSWER else END
        close = self.codes.find(mark, index)
        if close == -1:
            return None
        if self.codes[index] == BEGIN:
            return close
        balanced = self._closings.balanced[index + 1]
        return self._closings.first[index + 1] if balanced is None else balanced

    def _end_of_mention(self, index: int, close: int | None) -> int | None:
        """The `</think>` that ends pre-filled reasoning in which the opening at `index` was only a mention.

        Such an opening does not directly follow reasoning, and a `</think>` with a real opening behind it
        lies between it and the next closing tag. Where reasoning had ended before, either could be meant.
        """
        if self.marks.starts[index] <= self._solid:
            return None
        end = self.codes.find(END_THINK, index, close)
        while end != -1 and not self._answer_follows(end):
            end = self.codes.find(END_THINK, end + 1, close)
        if end != -1 and self._ended is not None:
            raise ReasoningError("nested-answer", self.marks.end(end))
        return None if end == -1 else end

    def _answer_follows(self, index: int) -> bool:
        """Whether this end of reasoning is unquoted and an answer opens right behind it or on a later line."""
        following = index + 1
        while self.codes[following : following + 1] >= chr(FENCES):
            following += 1
        quoted = self.marks.text[self.marks.starts[index] - 1] in "'\"`"
        if quoted or not self.codes.startswith(tuple(OPENINGS), following):
            return False
        behind = skip_blank(self.marks.text, self.marks.end(index))
        return self.marks.starts[following] <= behind or self.marks.begins_line(following)

    def _refuse_nested(self, index: int, close: int) -> None:
        """Refuse an answer with an inner opening that may be the real one.

        That is one that starts a line, or any one where the outer opening is in the middle of a line.
        """
        codes, opening = self.codes, self.codes[index]
        if codes.find(opening, index + 1, close) == -1:
            return
        starts, sure = self.marks.starts, self.marks.starts[index] <= self._solid or self.marks.begins_line(index)
        if sure and opening == ANSWER and self._closings.balanced[index + 1] is not None:
            return
        if sure and not _LINE_OF_OPENING.search(self.marks.text, starts[index] + 1, starts[close]):
            return  # a quick look for what the loop would find
        fence_ends = self._closings.fence_ends if opening == ANSWER else {}
        inner = index + 1
        while inner < close:
            if codes[inner] == opening and (not sure or self.marks.begins_line(inner)):
                raise ReasoningError("nested-answer", starts[inner])
            inner = fence_ends.get(inner, inner) + 1
