"""What an HTTP error means: the typed kind on which retrying and stopping are decided, and what to do about it.

Faults of the endpoint, which are the same for all rows, have kinds that stop the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kbtools.models.engine.retry import retry_after
from kbtools.models.kinds import Kind
from kbtools.models.reply import Answer

BY_STATUS = {
    401: Kind.AUTH,
    402: Kind.QUOTA,
    403: Kind.AUTH,
    404: Kind.NOT_FOUND,
    408: Kind.TIMEOUT,
    409: Kind.CONFLICT,
    425: Kind.CONFLICT,
    429: Kind.THROTTLED,
    503: Kind.THROTTLED,
}
BY_CODE = {
    "context_length_exceeded": Kind.CONTEXT_LENGTH,
    "content_filter": Kind.CONTENT_FILTER,
    "content_policy_violation": Kind.CONTENT_FILTER,
    "insufficient_quota": Kind.QUOTA,
    "insufficient_credits": Kind.QUOTA,
    "insufficient_balance": Kind.QUOTA,
    "insufficient_funds": Kind.QUOTA,
    "billing_hard_limit_reached": Kind.QUOTA,
    "billing_not_active": Kind.QUOTA,
}
EXCERPT = 500
NO_ERROR: Mapping[str, object] = {}
SETTINGS = {
    "response_format": 'response_format = "none" in the profile of this server, or --response-format none',
    "text.format": 'response_format = "none" in the profile of this server, or --response-format none',
    "max_tokens": 'max_tokens_field = "max_completion_tokens" in the profile of this server, or '
    "--max-tokens-field max_completion_tokens",
    "max_completion_tokens": 'max_tokens_field = "max_tokens" in the profile of this server, or '
    "--max-tokens-field max_tokens",
    "max_output_tokens": 'api = "chat" in the profile of this server',
    "temperature": "--temperature omit",
    "reasoning_effort": "leaving --reasoning-effort out",
    "reasoning.effort": "leaving --reasoning-effort out",
    "top_p": "a prompt whose front matter gives no top_p",
    "seed": "a prompt whose front matter gives no seed",
    "stop": "a prompt whose front matter gives no stop",
    "logprobs": "a rubric that is not weighed by log probabilities",
    "top_logprobs": "a rubric that is not weighed by log probabilities",
}
"""The parameters that kbtools sends by itself, and for each what leaves it out or sends it otherwise."""
_REFUSED = re.compile(
    r"unsupported|not support|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed|not available|forbidden"
    r"|extra inputs|extra fields|does not exist|deprecated|cannot be used|no longer",
    re.IGNORECASE,
)
_BROKE = re.compile(
    r"insufficient (?:credit|balance|quota|fund)|out of credits|credit balance is too low|no credits left"
    r"|payment required|exceeded your current quota",
    re.IGNORECASE,
)


def fault(status: int, headers: Mapping[str, str], raw: str, payload: Any) -> Answer:
    """The answer that a response with an error is, by its status or by the error object inside of it."""
    error = error_in(payload)
    message = _words(error.get("message")) or raw[:EXCERPT]
    status = _status_in(error) if 200 <= status < 300 else status
    kind = _kind(status, error, message)
    text = f"HTTP {status}: {message}"
    if kind is Kind.PARAMETER:
        name = _parameter(error, message)
        text = (
            f"the server does not take the parameter {name}, which goes with every request ({text}). "
            f"Send it otherwise, or not at all, by {SETTINGS[name]}"
        )
    elif kind is Kind.REDIRECTED:
        target = headers.get("location") or "an address that it does not name"
        text = f"the server redirects to {target} (HTTP {status}), where no request with a key is sent unasked"
    return Answer(kind, raw, status, text, retry_after=retry_after(headers))


def by_status(status: int) -> Kind:
    """The kind that a status alone stands for."""
    if status in BY_STATUS:
        return BY_STATUS[status]
    if 300 <= status < 400:
        return Kind.REDIRECTED
    return Kind.BAD_REQUEST if 400 <= status < 500 else Kind.SERVER


def error_in(payload: object) -> Mapping[str, object]:
    """The error object of a body or of its first choice, in the shapes that servers use; empty if there is none."""
    if not isinstance(payload, dict):
        return NO_ERROR
    error = payload.get("error") or _choice_error(payload.get("choices"))
    if payload.get("object") == "error":
        error = payload
    elif not error and payload.get("detail") and "choices" not in payload and "output" not in payload:
        error = {"message": payload["detail"], "detail": payload["detail"]}
    elif not error:
        return NO_ERROR
    return error if isinstance(error, Mapping) else {"message": error}


def _choice_error(choices: object) -> object:
    first = choices[0] if isinstance(choices, list) and choices else None
    return first.get("error") if isinstance(first, dict) else None


def _kind(status: int, error: Mapping[str, object], message: str) -> Kind:
    for word in (error.get("code"), error.get("type")):
        if isinstance(word, str) and word.lower() in BY_CODE:
            return BY_CODE[word.lower()]
    kind = by_status(status)
    if 400 <= status < 500 and _BROKE.search(message):
        return Kind.QUOTA  # servers send this with any status, and no waiting cures it
    if kind is Kind.BAD_REQUEST and "maximum context length" in message:
        return Kind.CONTEXT_LENGTH  # vLLM gives no code; both kinds are final, so only the name hangs on the text
    if kind is Kind.BAD_REQUEST and _parameter(error, message):
        return Kind.PARAMETER
    return kind


def _parameter(error: Mapping[str, object], message: str) -> str:
    """The parameter of ours that the server refuses altogether; empty if it refuses something else."""
    places = [place for place in _places(error) if place in SETTINGS]
    if not _REFUSED.search(f"{message} {error.get('code')} {error.get('type')}"):
        return ""
    named = [name for name in SETTINGS if re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", message)]
    return (places or sorted(named, key=message.find) or [""])[0]


def _places(error: Mapping[str, object]) -> Iterator[str]:
    """Names of parameters as OpenAI's and pydantic's errors give them: `response_format.json_schema` is one's part."""
    param = error.get("param")
    if isinstance(param, str):
        yield from (param, ".".join(param.split(".")[:2]), param.split(".")[0])
    detail = error.get("detail")
    for item in detail if isinstance(detail, list) else ():
        place = item.get("loc") if isinstance(item, Mapping) else None
        yield from (part for part in place if isinstance(part, str)) if isinstance(place, list) else ()


def _status_in(error: Mapping[str, object]) -> int:
    """The status of the upstream that a gateway reports inside a 200; 200 where it tells none."""
    for name in ("code", "status", "status_code"):
        value = error.get(name)
        if isinstance(value, str) and value.isdecimal() and len(value) == 3:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
            return value
    return 200


def _words(message: object) -> str:
    if isinstance(message, str):
        return message[:EXCERPT]
    return "" if message is None else str(message)[:EXCERPT]
