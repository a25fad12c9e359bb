"""Texts whose answer stands between special tokens of its own, behind the tokens of the reasoning.

`<|START_RESPONSE|>` of Command A and `<|begin_of_solution|>` of OpenThoughts and Sky-T1 frame what the final channel
of a harmony text holds: the answer, with or without tags. Only the cutting lives here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kbtools.data.conversations.marks import TOKENS, begins_with_mark, is_token
from kbtools.data.conversations.reasoning_error import ReasoningError

_NAMES = "response|solution|answer"
_OPENING = re.compile(
    rf"(?:\A(?:\s*+<\|\w++\|>)*?|<\|(?:end(?:_of)?_|/)(?:{'|'.join(TOKENS)})\|>)\s*+"
    rf"(?P<mark><\|(?:begin|start)(?:_of)?_(?P<name>{_NAMES})\|>)",
    re.IGNORECASE,
)
_TOKENS = re.compile(r"(?:\s*+<\|\w++\|>)*+\s*+")


class Frame(NamedTuple):
    """What stands before the frame, and what in it."""

    before: str
    response: str


def framed(text: str) -> Frame | None:
    """The text cut at its frame; None for a text without one, ReasoningError for one that is not whole."""
    found = _OPENING.search(text) if "<|" in text else None
    begins = begins_with_mark(text.lstrip())
    if found is None or (begins is not None and not is_token(begins)):
        return None
    closing = re.compile(rf"<\|end(?:_of)?_{found['name']}\|>", re.IGNORECASE)
    ends = list(closing.finditer(text, found.end()))
    if not ends:
        raise ReasoningError("unclosed-answer", found.start("mark"))
    if not _TOKENS.fullmatch(text, ends[-1].end()):
        raise ReasoningError("text-after-final", ends[-1].end())
    return Frame(text[: found.start("mark")], text[found.end() : ends[-1].start()])
