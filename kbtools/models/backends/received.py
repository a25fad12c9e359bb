"""The one boundary for all backends: what came from a server or an engine becomes an `Answer`, and nothing is raised.

An answer keeps what came, whatever it is. Only the transport is judged here: whether a reply came at all, whether it is
worth another attempt, and whether the endpoint is at fault for all rows. What a reply says is read in
`kbtools.models.reading`, again and again from the store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from email.message import Message

from kbtools.data.writable import writable
from kbtools.models.backends.faults import EXCERPT, error_in, fault
from kbtools.models.engine.retry import rate_limit_pause
from kbtools.models.kinds import RETRIED, Kind
from kbtools.models.reading import parsed_json, read_payload
from kbtools.models.reply import Answer

STREAMS = ("data:", "event:", "id:", "retry:", ":")
"""How the lines of an event stream begin; the last is a comment, with which some keep a connection open."""
FINAL = frozenset({Kind.UNKNOWN_SHAPE, Kind.CONTENT_FILTER})
"""Failures of a reading that no repetition of the call would change."""


def received(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """The answer that an HTTP response is. `headers` must be looked up without regard to case."""
    raw = decoded(body, headers.get("content-type", ""))
    answer, pause = _received(status, headers, raw), rate_limit_pause(headers)
    return replace(answer, error=writable(answer.error), pause=pause) if answer.error or pause else answer


def received_text(raw: str) -> Answer:
    """The answer that a reply is which came without HTTP."""
    return _received(200, {}, raw)


def _received(status: int, headers: Mapping[str, str], raw: str) -> Answer:
    good = 200 <= status < 300
    try:
        payload = parsed_json(raw)
    except ValueError as error:
        return _no_json(status, raw, str(error)) if good else fault(status, headers, raw, None)
    return _reply(status, raw, payload) if good and not error_in(payload) else fault(status, headers, raw, payload)


def _reply(status: int, raw: str, payload: object) -> Answer:
    reading = read_payload(payload)
    failure = reading.failure
    if failure is not None and (failure.kind in FINAL or failure.kind in RETRIED):
        return Answer(failure.kind, raw, status, failure.error, reading.usage, maybe_billed=True)
    return Answer(Kind.OK, raw, status, usage=reading.usage, read=reading)


def _no_json(status: int, raw: str, problem: str) -> Answer:
    if raw.lstrip().startswith(STREAMS) or _is_objects(raw):
        error = f"HTTP {status}, but the server streams its reply, which it was not asked to: {raw[:EXCERPT]!r}"
        return Answer(Kind.UNKNOWN_SHAPE, raw, status, error, maybe_billed=True)
    error = f"HTTP {status}, but the body is not JSON ({problem}): {raw[:EXCERPT]!r}"
    return Answer(Kind.MALFORMED, raw, status, error, maybe_billed=True)


def _is_objects(raw: str) -> bool:
    """Whether a body is a JSON object in each line, as of servers that stream without events."""
    first, _, rest = raw.strip().partition("\n")
    if not rest.startswith("{"):
        return False
    try:
        return isinstance(parsed_json(first), dict)
    except ValueError:
        return False


def decoded(body: bytes, content_type: str) -> str:
    """The text of a body: UTF-8 as JSON has to be, else as it says itself; bytes that are not text stay apart.

    They become lone surrogates, from which the bytes can be had again, and which no row accepts.
    """
    if body[:1] == b"{" and body[1:2] != b"\0":  # as nearly all are: UTF-8, by what JSON begins with
        with suppress(UnicodeError):
            return body.decode()
    for encoding in (json.detect_encoding, lambda _: _charset(content_type)):
        try:
            if text := body.decode(encoding(body)):
                return text
        except (UnicodeError, LookupError):
            continue
    return body.decode("utf-8", "surrogateescape")


def _charset(content_type: str) -> str:
    header = Message()
    header["content-type"] = content_type.replace("\n", " ").replace("\r", " ")
    return header.get_content_charset() or "utf-8"
