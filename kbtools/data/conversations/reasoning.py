"""What in an assistant's text is reasoning and what is the answer.

One text comes in and is taken apart, or a `ReasoningError` names the kind of trouble; nothing is guessed
where two readings are equally good. Conversations are walked in `kbtools.data.conversations.messages`. The bytes of an
answer are never changed, and the time is linear in the length of the text.

The rules, for the marks of the table in `marks`, `<think>` among them:

- A block of reasoning reaches to the closing mark that balances it, with all blocks of its family nested in it.
- A closing mark that nothing opened ends reasoning whose opening mark the chat template had pre-filled: all that
  is before it, draft answers included, is reasoning.
- Outside of reasoning, `<answer>...</answer>` or the lines BEGIN_PYTHON ... END_PYTHON hold the answer.
  Inside of it other marks are text, and so is `</answer>` in a code fence of the answer. Of the lines only
  the code between them is kept, with the end of its last line; inside `<answer>` tags they are text like any
  other.
- A whole block of reasoning in the answer, neither quoted nor fenced, is an error: it would be kept with the answer.
- A text in harmony format is read by its `final` channel, one in the frame of a response by that; both may hold a
  tagged answer or be the answer.
- A text with none of these marks has no answer where tags are required, else it is an answer as it is.
"""

from __future__ import annotations

from typing import NamedTuple

from kbtools.data.conversations.frames import framed, has_frame
from kbtools.data.conversations.harmony import is_harmony, split_channels
from kbtools.data.conversations.markup import END_THINK, THINK, TagMarks, find_marks, skip_blank, whole_blocks
from kbtools.data.conversations.reasoning_error import Kind, ReasoningError
from kbtools.data.conversations.tags import STRICT, AnswerRule, Rules, TagReader, TagRule, usual_answer

__all__ = [
    "STRICT",
    "AnswerRule",
    "Kind",
    "ReasoningError",
    "ReasoningParts",
    "Rules",
    "TagRule",
    "behind_reasoning",
    "first_mark",
    "has_marks",
    "kept",
    "parse",
    "strip",
]


class ReasoningParts(NamedTuple):
    """One assistant text taken apart.

    `answer` is a substring of the text, without its tags; `tagged` says that it stood in `<answer>` tags; `before` is
    what was read in front of it (of an answer that is given twice, of the second, too), in harmony texts on every other
    channel too, and empty for a text without marks.
    """

    answer: str
    tagged: bool
    before: tuple[str, ...] = ()

    @property
    def reasoning(self) -> str | None:
        """What is before the answer, its pieces between marks joined by an empty line; None for nothing."""
        pieces = [piece for text in self.before for piece in _pieces(find_marks(text))]
        return "\n\n".join(piece for piece in pieces if piece and not piece.isspace()) or None

    @property
    def content(self) -> str:
        """The answer, in its tags if it had any."""
        return f"<answer>{self.answer}</answer>" if self.tagged else self.answer


def parse(text: str, rules: Rules = STRICT) -> ReasoningParts:
    """Take one assistant text apart; raises `ReasoningError` where the answer is missing or not certain."""
    if "<|" not in text and "assistantfinal" not in text:  # as nearly all are: neither in harmony format nor in a frame
        parsed = _parse_tags(text, rules)
    else:
        parsed = _parse_channels(text, rules.answer) if is_harmony(text) else _parse_framed(text, rules)
    if not parsed.answer or parsed.answer.isspace():
        raise ReasoningError("empty-answer")
    return parsed


def strip(text: str, rules: Rules = STRICT) -> str:
    """The text without its reasoning; a second pass changes nothing, unless the tags were dropped."""
    return kept(parse(text, rules), rules)


def kept(parsed: ReasoningParts, rules: Rules) -> str:
    """What stays of a text as content: the answer, with its tags unless they are to be dropped."""
    if rules.unwrap:
        return parsed.answer
    if not parsed.tagged and parsed.before and has_marks(parsed.answer):
        raise ReasoningError("marker-in-answer")
    return parsed.content


def has_marks(text: str) -> bool:
    """Whether anything in the text would be read as reasoning or as the bounds of an answer."""
    return is_harmony(text) or has_frame(text) or bool(find_marks(text).codes)


def first_mark(text: str) -> int | None:
    """Where the text first holds something that would be read as reasoning or as the bounds of an answer."""
    if is_harmony(text) or has_frame(text):
        return 0
    return next(iter(find_marks(text).starts), None)


def behind_reasoning(text: str) -> str:
    """The text without the reasoning in front of it, for texts of which all the rest counts; tags of answers are text.

    Raises `ReasoningError` where the reasoning has no end, or a harmony text no `final` channel.
    """
    if is_harmony(text):
        return _parse_channels(text, "only").content
    if (frame := framed(text)) is not None:
        text = frame.response
    marks = find_marks(text)
    end = 0
    depth = 0
    for index, code in enumerate(marks.codes):
        start = marks.starts[index]
        if code == THINK:
            if not depth and skip_blank(text, end) < start:
                continue
            depth += 1
        elif code == END_THINK and not (not depth and _is_quoted(text, start)):
            depth = max(depth - 1, 0)
            end = marks.end(index)
    if depth:
        raise ReasoningError("unclosed-think", end)
    return text[end:]


def _is_quoted(text: str, start: int) -> bool:
    return text[start - 1 : start] in ("'", '"', "`", "\\") and start > 0


def _pieces(marks: TagMarks) -> list[str]:
    """The text between the marks of reasoning."""
    at = [index for index, code in enumerate(marks.codes) if code in (THINK, END_THINK)]
    starts = [*(marks.starts[index] for index in at), len(marks.text)]
    return [marks.text[end:start] for end, start in zip([0, *(marks.end(index) for index in at)], starts, strict=True)]


def _parse_framed(text: str, rules: Rules) -> ReasoningParts:
    frame = framed(text)
    if frame is None:
        return _parse_tags(text, rules)
    inner = _parse_tags(frame.response, Rules(tag="optional", answer=rules.answer))
    return inner._replace(before=(frame.before, *inner.before, ""))


def _parse_channels(text: str, rule: AnswerRule) -> ReasoningParts:
    channels = split_channels(text)
    finals = [channel for channel in channels if channel.name == "final"]
    if not finals:
        raise ReasoningError("no-final-channel")
    if rule == "only" and len({final.content for final in finals}) > 1:
        raise ReasoningError("several-final-channels")
    final = finals[-1]
    if final.remainder:
        raise ReasoningError("text-after-final", text.rfind(final.remainder))
    inner = _parse_tags(final.content, Rules(tag="optional", answer=rule))
    others = [channel.content for channel in channels if channel.name != "final"]
    return inner._replace(before=(*others, *inner.before, ""))


def _parse_tags(text: str, rules: Rules) -> ReasoningParts:
    marks = find_marks(text)
    if not marks.codes:
        if rules.tag == "required" and text and not text.isspace():
            raise ReasoningError("no-answer-tag")
        return ReasoningParts(text, tagged=False)
    answer = usual_answer(marks)
    if answer is None:
        answer = TagReader(marks).read(rules)
        _refuse_reasoning(text, answer.start, answer.end)
    return ReasoningParts(text[answer.start : answer.end], answer.tagged, (text[: answer.opening], *answer.gaps))


def _refuse_reasoning(text: str, start: int, end: int) -> None:
    """An answer with a whole block of reasoning in it, outside of quotes and fences, is not all answer."""
    inner = text[start:end]
    for block in whole_blocks(inner):
        if not _is_quoted(inner, block):
            raise ReasoningError("reasoning-in-answer", start + block)
