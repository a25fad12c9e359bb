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
    return "<|end|><|start|>assistant<|channel|>" in text and not begins_with_mark(begin)


def split_channels(text: str) -> list[Channel]:
    """The text's messages in order; text before the first header is an analysis with a pre-filled header."""
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
