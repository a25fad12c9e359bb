"""Texts in the harmony format, where analysis and answer are messages on named channels.

Only the splitting into channels lives here; which channel counts is decided in `kbtools.data.conversations.reasoning`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kbtools.data.conversations.marks import begins_with_mark

_HEADER = re.compile(
    r"(?:<\|start\|>(?P<role>[^<]*+))?+<\|channel\|>(?P<channel>[^<]*+)(?:<\|constrain\|>[^<]*+)?+<\|message\|>"
)
_END = re.compile(r"<\|(?:end|return|call|start)\|>")
_TOKENS = re.compile(r"<\|(?:start|end|return|call)\|>(?:assistant)?+")

_BARE = re.compile(r"assistant(analysis|commentary|final)")
"""What is left of the headers where a server has taken the special tokens out of the text."""


class Channel(NamedTuple):
    """One message: its channel, its text, and what is behind its end token up to the next message."""

    name: str
    content: str
    remainder: str


def is_harmony(text: str) -> bool:
    """Whether the text is in harmony format, its first header perhaps pre-filled by the chat template."""
    begin = text.lstrip()
    if begin.startswith(("<|channel|>", "<|start|>", "to=self<|message|>")):  # the last one: a kin of it, Muse
        return True
    if _is_bare(begin):
        return True
    return "<|end|><|start|>assistant<|channel|>" in text and not begins_with_mark(begin)


def _is_bare(begin: str) -> bool:
    """Whether a text begins like one in harmony format without its tokens, and goes on to an answer."""
    return begin.startswith("analysis") and "assistantfinal" in begin


def split_channels(text: str) -> list[Channel]:
    """The text's messages in order; text before the first header is an analysis with a pre-filled header."""
    if _is_bare(text.lstrip()):
        first, *others = _BARE.split(text.lstrip().removeprefix("analysis"))
        named = zip(others[::2], others[1::2], strict=True)
        return [Channel("analysis", first, ""), *(Channel(name, content, "") for name, content in named)]
    headers = list(_HEADER.finditer(text))
    stops = [*(header.start() for header in headers), len(text)][1:]
    channels = [_channel(header, text, stop) for header, stop in zip(headers, stops, strict=True)]
    prefix = _TOKENS.sub("", text[: headers[0].start()] if headers else "")
    return [Channel("analysis", prefix, ""), *channels] if prefix.strip() else channels


def _channel(header: re.Match[str], text: str, stop: int) -> Channel:
    words = header["channel"].split()
    end = _END.search(text, header.end(), stop)
    content = text[header.end() : end.start() if end else stop]
    remainder = _TOKENS.sub("", text[end.start() : stop]).strip() if end else ""
    role = (header["role"] or "assistant").split()
    return Channel(words[0] if words and role[:1] == ["assistant"] else "", content, remainder)
