"""How an attempt, a reply or a row ended, as a closed list on which retrying and stopping are decided."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """How an attempt or a row ended; retrying and stopping are decided on this and never on text."""

    OK = "ok"
    THROTTLED = "throttled"  # 429, 503
    TIMEOUT = "timeout"  # no answer in time, 408
    CONNECTION = "connection"  # refused, reset, closed in the middle
    CONFLICT = "conflict"  # 409, and 425 (too early)
    SERVER = "server"  # other 5xx, or a reply that the server broke off
    MALFORMED = "malformed"  # 200 with a body that is not JSON
    UNKNOWN_SHAPE = "unknown-shape"  # 200 with JSON that is not a reply
    BAD_REQUEST = "bad-request"  # 400, 422 and other 4xx
    NOT_FOUND = "not-found"  # 404
    CONTEXT_LENGTH = "context-length"
    CONTENT_FILTER = "content-filter"
    AUTH = "auth"  # 401, 403
    QUOTA = "quota"  # 402, and 429 that waiting does not cure
    PARAMETER = "parameter"  # 400 for a parameter that kbtools sends with every request
    REDIRECTED = "redirected"  # 3xx
    TLS = "tls"  # no trust in the server's certificate
    TRUNCATED = "truncated"  # stopped at max_tokens
    INCOMPLETE = "incomplete"  # a finish_reason that is none of an end
    TOOL_CALL = "tool-call"  # a call where no tool was offered
    REFUSED = "refused"  # the model declined in the field made for that
    INVALID = "invalid"  # does not fit the schema, also after a repair, or no column can hold it
    MISSING = "missing"  # no reply is stored


RETRIED = frozenset({Kind.THROTTLED, Kind.TIMEOUT, Kind.CONNECTION, Kind.CONFLICT, Kind.SERVER, Kind.MALFORMED})
STOPS_RUN = frozenset({Kind.AUTH, Kind.QUOTA, Kind.PARAMETER, Kind.REDIRECTED, Kind.TLS})


class Usage(NamedTuple):
    """Tokens as the server counted them; None where it did not say."""

    prompt: int | None = None
    completion: int | None = None


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class ReplyFailure:
    """Why a row has no usable reply; `repairable` where the model may mend what it said."""

    kind: Kind
    error: str
    repairable: bool = False
