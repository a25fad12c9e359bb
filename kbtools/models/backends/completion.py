"""Answers of local engines, written as chat completions, so that their replies are read like all others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from kbtools.models.backends.received import received_text
from kbtools.models.reply import Answer


class Token(NamedTuple):
    """A generated token and the most likely ones at its place, with natural log probabilities."""

    text: str
    logprob: float
    top: Sequence[tuple[str, float]]


def completion(
    model: str,
    text: str,
    finish_reason: str | None,
    *,
    prompt_tokens: int | None,
    completion_tokens: int,
    tokens: Sequence[Token] | None = None,
) -> Answer:
    """The answer that holds this text, read like the replies of servers."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish_reason,
    }
    if tokens is not None:
        choice["logprobs"] = {"content": [_entry(token) for token in tokens]}
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    raw = json.dumps({"object": "chat.completion", "model": model, "choices": [choice], "usage": usage})
    return received_text(raw)


def _entry(token: Token) -> dict[str, object]:
    top = [{"token": text, "logprob": logprob} for text, logprob in token.top]
    return {"token": token.text, "logprob": token.logprob, "top_logprobs": top}
