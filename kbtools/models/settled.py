"""The replies to requests as they are stored, each read by its contract, repairs included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kbtools.models.contract import Contract, repair_request, understood
from kbtools.models.kinds import Kind, ReplyFailure
from kbtools.models.reply import Reply
from kbtools.models.request import Request
from kbtools.models.store import ResponseStore


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """What came of a request: its fields or a failure, and the last reply (None if nothing is stored)."""

    request: Request
    reply: Reply | None
    fields: dict[str, Any] | None
    failure: ReplyFailure | None
    raw: str | None = None
    """The model's text as it came, also of failures."""


def parse_replies(contract: Contract, requests: Sequence[Request], store: ResponseStore) -> list[ParsedReply]:
    """Look up the reply to each request, in order, repairs included. Ask for a batch of rows at a time."""
    replies = store.replies({request.key for request in requests})
    firsts = [_settled(contract, request, replies.get(request.key)) for request in requests]
    repairs = {
        index: repair_request(contract, first.request, first.reply, first.failure)
        for index, first in enumerate(firsts)
        if first.reply is not None and first.failure is not None and _repairable(first)
    }
    replies = store.replies({request.key for request in repairs.values()})
    for index, request in repairs.items():
        if (reply := replies.get(request.key)) is not None:
            firsts[index] = _settled(contract, request, reply)
    return firsts


def _repairable(first: ParsedReply) -> bool:
    return first.failure is not None and first.failure.repairable and not first.request.follows


def _settled(contract: Contract, request: Request, reply: Reply | None) -> ParsedReply:
    if reply is None:
        missing = ReplyFailure(Kind.MISSING, "no reply is stored for this request; run it first")
        return ParsedReply(request, None, None, missing)
    if not reply.ok:
        return ParsedReply(request, reply, None, ReplyFailure(reply.kind, reply.error))
    reading = reply.reading()
    result = understood(contract, reading)
    if isinstance(result, ReplyFailure):
        return ParsedReply(request, reply, None, result, reading.text)
    return ParsedReply(request, reply, result, None, reading.text)
