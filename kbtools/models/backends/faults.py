"""What an HTTP response or a transport error means: the typed kind on which retrying and stopping are decided."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kbtools.models.engine.retry import rate_limit_pause, retry_after
from kbtools.models.reply import Answer, Kind, parse_payload

BY_STATUS = {
    401: Kind.AUTH,
    403: Kind.AUTH,
    404: Kind.NOT_FOUND,
    408: Kind.TIMEOUT,
    409: Kind.CONFLICT,
    429: Kind.THROTTLED,
    503: Kind.THROTTLED,
}
BY_CODE = {
    "context_length_exceeded": Kind.CONTEXT_LENGTH,
    "content_filter": Kind.CONTENT_FILTER,
    "content_policy_violation": Kind.CONTENT_FILTER,
    "insufficient_quota": Kind.QUOTA,
}
EXCERPT = 500


def answer_from(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """The answer that an HTTP response is. `headers` must be looked up without regard to case."""
    raw = body.decode("utf-8", "backslashreplace")
    try:
        payload = json.loads(raw)
    except ValueError as error:
        payload = None
        problem = f"the body is no JSON ({error}): {raw[:EXCERPT]!r}"
    else:
        problem = ""
    pause = rate_limit_pause(headers)
    if status == 200 and not _error_in(payload):
        return _reply(raw, payload, problem, pause)
    return _fault(status, headers, raw, payload, pause)


def _reply(raw: str, payload: Any, problem: str, pause: float) -> Answer:
    try:
        if problem:
            raise ValueError(problem)
        reading = parse_payload(payload)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Answer(Kind.MALFORMED, raw, 200, f"HTTP 200, but {error}", pause=pause, maybe_billed=True)
    if reading.finish_reason == "content_filter":
        error_text = "the server's content filter cut the reply"
        return Answer(Kind.CONTENT_FILTER, raw, 200, error_text, reading.usage, pause=pause)
    return Answer(Kind.OK, raw, 200, usage=reading.usage, pause=pause)


def _fault(status: int, headers: Mapping[str, str], raw: str, payload: Any, pause: float) -> Answer:
    error = _error_in(payload)
    message = error.get("message") or raw[:EXCERPT]
    if status == 200 and isinstance(error.get("code"), int):
        status = error["code"]  # gateways that report the upstream's failure inside a 200
    kind = BY_CODE.get(str(error.get("code"))) or by_status(status)
    if kind is Kind.BAD_REQUEST and "maximum context length" in str(message):
        kind = Kind.CONTEXT_LENGTH  # vLLM gives no code; both kinds are final, so only the name hangs on the text
    return Answer(kind, raw, status, f"HTTP {status}: {message}", retry_after=retry_after(headers), pause=pause)


def by_status(status: int) -> Kind:
    """The kind that a status alone stands for."""
    if status in BY_STATUS:
        return BY_STATUS[status]
    return Kind.BAD_REQUEST if 300 <= status < 500 else Kind.SERVER


def _error_in(payload: Any) -> Mapping[str, Any]:
    """The error object of a body, in the shapes that servers use; empty if there is none."""
    if not isinstance(payload, Mapping):
        return {}
    error = payload.get("error") or (payload.get("detail") and {"message": payload["detail"]}) or {}
    if payload.get("object") == "error":
        error = payload
    return error if isinstance(error, Mapping) else {"message": str(error)}
