"""Answers of local engines, written as chat completions, so that their replies are read like all others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from kbtools.models.reply import Answer, Kind, Usage


class Token(NamedTuple):
    """A generated token and the most likely ones at its place, with natural log probabilities."""

    text: str
    logprob: float
    top: Sequence[tuple[str, float]]


def completion(
    model: str,
    text: str,
    finish_reason: str,
    *,
    prompt_tokens: int,
    completion_tokens: int,
    tokens: Sequence[Token] | None = None,
) -> Answer:
    """The ok answer that holds this text; `finish_reason` is stop or length."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish_reason,
    }
    if tokens is not None:
        choice["logprobs"] = {"content": [_entry(token) for token in tokens]}
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    raw = json.dumps({"object": "chat.completion", "model": model, "choices": [choice], "usage": usage})
    return Answer(Kind.OK, raw, usage=Usage(prompt_tokens, completion_tokens))


def _entry(token: Token) -> dict[str, Any]:
    top = [{"token": text, "logprob": logprob} for text, logprob in token.top]
    return {"token": token.text, "logprob": token.logprob, "top_logprobs": top}
