"""What a model answered: the answer to one attempt, the stored reply, and how both wire formats are read.

Nothing here judges a reply; `structured` does. Raw replies are chat completions or Responses API objects;
offline backends write chat completions, so that there is one thing to read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Kind(StrEnum):
    """How an attempt or a row ended; retrying and stopping are decided on this and never on text."""

    OK = "ok"
    THROTTLED = "throttled"  # 429, 503
    TIMEOUT = "timeout"  # no answer in time, 408
    CONNECTION = "connection"  # refused, reset, closed in the middle
    CONFLICT = "conflict"  # 409
    SERVER = "server"  # other 5xx
    MALFORMED = "malformed"  # 200 with a body that is no reply
    BAD_REQUEST = "bad-request"  # 400, 422 and other 4xx
    NOT_FOUND = "not-found"  # 404
    CONTEXT_LENGTH = "context-length"
    CONTENT_FILTER = "content-filter"
    AUTH = "auth"  # 401, 403
    QUOTA = "quota"  # 429 that waiting does not cure
    TRUNCATED = "truncated"  # stopped at max_tokens
    REFUSED = "refused"  # the model declined in the field made for that
    INVALID = "invalid"  # does not fit the schema, also after a repair
    MISSING = "missing"  # no reply is stored


RETRIED = frozenset({Kind.THROTTLED, Kind.TIMEOUT, Kind.CONNECTION, Kind.CONFLICT, Kind.SERVER, Kind.MALFORMED})
STOPS_RUN = frozenset({Kind.AUTH, Kind.QUOTA})


class Usage(NamedTuple):
    """Tokens as the server counted them; None where it did not say."""

    prompt: int | None = None
    completion: int | None = None


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one attempt, as a backend hands it to the scheduler."""

    kind: Kind
    raw: str = ""
    status: int | None = None
    error: str = ""
    usage: Usage = NO_USAGE
    retry_after: float | None = None
    """Seconds the server asked this request to wait."""
    pause: float = 0.0
    """Seconds for which the server's rate-limit headers allow nobody a further call."""
    maybe_billed: bool = False
    """The call went out and its fate is unknown."""


@dataclass(frozen=True, slots=True)
class ReplyFailure:
    """Why a row has no usable reply."""

    kind: Kind
    error: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A stored reply or failure. `started` and `stored` are Unix times, `seconds` spans all attempts."""

    key: str
    model: str
    endpoint: str
    kind: Kind
    request: str
    raw: str
    status: int | None = None
    error: str = ""
    usage: Usage = NO_USAGE
    attempts: int = 1
    started: float = 0.0
    seconds: float = 0.0
    stored: float = field(default=0.0, compare=False)

    @property
    def ok(self) -> bool:
        return self.kind is Kind.OK

    def reading(self) -> Reading:
        """The parts of an ok reply; ValueError when the raw text is no reply."""
        return parse_payload(json.loads(self.raw))


class TokenLogprob(NamedTuple):
    """One generated token with its most likely alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """The parts of a raw reply that stages use."""

    text: str | None
    reasoning: str | None
    finish_reason: str | None
    refusal: str | None
    logprobs: tuple[TokenLogprob, ...]
    usage: Usage


def parse_payload(payload: Any) -> Reading:
    """The parts of a chat completion or a Responses API object; ValueError says what is missing."""
    if not isinstance(payload, Mapping):
        raise ValueError(f"expected a JSON object, found {type(payload).__name__}")
    if isinstance(payload.get("output"), list):
        return _read_response(payload)
    return _read_chat(payload)


def _read_chat(payload: Mapping[str, Any]) -> Reading:
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise ValueError(f"no choices in the reply; its keys are {sorted(payload)}")
    choice = choices[0]
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise ValueError(f"no message in the first choice; its keys are {sorted(choice)}")
    return Reading(
        text=_text(message, "content"),
        reasoning=_text(message, "reasoning") or _text(message, "reasoning_content"),
        finish_reason=choice.get("finish_reason"),
        refusal=_text(message, "refusal"),
        logprobs=_logprobs((choice.get("logprobs") or {}).get("content")),
        usage=_usage(payload, "prompt_tokens", "completion_tokens"),
    )


def _read_response(payload: Mapping[str, Any]) -> Reading:
    parts = [part for item in _items(payload, "message") for part in item.get("content") or []]
    texts = [part["text"] for part in parts if part.get("type") == "output_text"]
    refusals = [part["refusal"] for part in parts if part.get("type") == "refusal"]
    thoughts = [
        part.get("text", "")
        for item in _items(payload, "reasoning")
        for part in item.get("content") or item.get("summary") or []
    ]
    return Reading(
        text="".join(texts) if texts else None,
        reasoning="\n".join(thoughts) or None,
        finish_reason=_response_finish(payload),
        refusal="".join(refusals) or None,
        logprobs=_logprobs([token for part in parts for token in part.get("logprobs") or []]),
        usage=_usage(payload, "input_tokens", "output_tokens"),
    )


def _items(payload: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return [item for item in payload["output"] if item.get("type") == kind]


def _response_finish(payload: Mapping[str, Any]) -> str | None:
    reason = (payload.get("incomplete_details") or {}).get("reason")
    if reason == "max_output_tokens":
        return "length"
    return reason or ("stop" if payload.get("status", "completed") == "completed" else payload["status"])


def _text(message: Mapping[str, Any], name: str) -> str | None:
    value = message.get(name)
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"{name} is {type(value).__name__}, expected text")


def _logprobs(tokens: Any) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(
            entry["token"],
            entry["logprob"],
            tuple((top["token"], top["logprob"]) for top in entry.get("top_logprobs") or ()),
        )
        for entry in tokens or ()
    )


def _usage(payload: Mapping[str, Any], prompt: str, completion: str) -> Usage:
    usage = payload.get("usage") or {}
    return Usage(usage.get(prompt), usage.get(completion))
