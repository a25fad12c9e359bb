"""Texts whose answer is between special tokens of its own, behind the tokens of the reasoning.

`<|START_RESPONSE|>` of Command A, `<|open|>response<|sep|>` of Kimi-K3 and `<|begin_of_solution|>` of OpenThoughts
frame what the final channel of a harmony text holds: the answer, with or without tags. Only the cutting lives here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kbtools.data.conversations.marks import begins_with_mark, ends_of_reasoning, is_answer, is_token, marks_in
from kbtools.data.conversations.reasoning_error import ReasoningError

_NAMES = "response|solution|answer"
_OPENING = re.compile(
    rf"<\|(?:(?:begin|start)(?:_of)?_(?P<name>{_NAMES})|open\|>\s*(?P<opened>{_NAMES})\s*<\|sep)\|>", re.IGNORECASE
)
_BLANK = re.compile(r"\s*+")
_TOKENS = re.compile(r"(?:\s*+<\|\w++\|>(?:message<\|sep\|>)?+)*+\s*+")


class Frame(NamedTuple):
    """What is before the frame, and what in it."""

    before: str
    response: str


def framed(text: str) -> Frame | None:
    """The text cut at its frame; None for a text without one, ReasoningError for one that is not whole."""
    found = _opening(text) if has_frame(text) else None
    if found is None:
        return None
    name = rf"end(?:_of)?_{found['name']}" if found["name"] else rf"close\|>\s*{found['opened']}\s*<\|sep"
    closing = re.compile(rf"<\|{name}\|>", re.IGNORECASE)
    ends = list(closing.finditer(text, found.end()))
    if not ends:
        raise ReasoningError("unclosed-answer", found.start())
    if not _TOKENS.fullmatch(text, ends[-1].end()):
        raise ReasoningError("text-after-final", ends[-1].end())
    return Frame(text[: found.start()], text[found.end() : ends[-1].start()])


def has_frame(text: str) -> bool:
    """Whether the opening token of a frame is in the text."""
    return "<|" in text and _OPENING.search(text) is not None


def _opening(text: str) -> re.Match[str] | None:
    """The first token of a frame that begins the text, other tokens aside, or follows an end of reasoning.

    Where tags begin the text and an answer was opened, the token is a part of that.
    """
    behind = {_blank_end(text, end) for end in ends_of_reasoning(text)}
    head = _TOKENS.match(text)
    begins = begins_with_mark(text.lstrip())
    answers = [mark.start() for mark in marks_in(text) if is_answer(mark)]
    answered = answers[0] if answers and begins is not None and not is_token(begins) else len(text)
    for found in _OPENING.finditer(text):
        if found.start() > answered:
            return None
        if found.start() in behind or (head is not None and found.start() < head.end()):
            return found
    return None


def _blank_end(text: str, start: int) -> int:
    found = _BLANK.match(text, start)
    return found.end() if found else start
