"""From an answer to a stored reply, the counters, and the verdict of the stage that asked.

Shared by both drivers.
"""

from __future__ import annotations

import time

from kbtools.errors import ConfigError
from kbtools.models.backend import ModelBackend, Review
from kbtools.models.engine.progress import Progress
from kbtools.models.kinds import Kind, ReplyFailure, Usage
from kbtools.models.options import Prices
from kbtools.models.reply import Answer, Reply
from kbtools.models.request import Request
from kbtools.wording import counted

OPENS_AFTER = 20
UNREACHABLE = frozenset({Kind.CONNECTION, Kind.NOT_FOUND})


class CircuitBreaker:
    """Circuit breaker: stops the run when the first 20 requests all fail to connect or get 404."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._failed = 0
        self._reached = False

    def after(self, reply: Reply) -> ConfigError | None:
        """The error to stop the run with, or None to go on."""
        self._reached = self._reached or reply.kind not in UNREACHABLE
        self._failed += 1
        if self._reached or self._failed < OPENS_AFTER:
            return None
        return ConfigError(
            f"the first {counted(self._failed, 'request')} to {self._endpoint} all failed, the last with: "
            f"{reply.error}. "
            "Check the address, that the server runs, and the name of the model"
        )


def reply_from(
    request: Request,
    answer: Answer,
    backend: ModelBackend,
    attempts: int,
    started: float,
    seconds: float,
    error: str | None = None,
) -> Reply:
    """The record to store for a request's last answer; `error` replaces the answer's own."""
    return Reply(
        key=request.key,
        model=request.model,
        endpoint=backend.endpoint,
        kind=answer.kind,
        request=request.canonical(),
        raw=answer.raw,
        status=answer.status,
        error=answer.error if error is None else error,
        usage=answer.usage,
        attempts=attempts,
        started=started,
        seconds=seconds,
        stored=time.time(),
        read=answer.read,
    )


def count_usage(progress: Progress, prices: Prices | None, usage: Usage) -> None:
    """Add what the server counted to the counters."""
    tokens_in, tokens_out = usage.prompt or 0, usage.completion or 0
    progress.tokens_in += tokens_in
    progress.tokens_out += tokens_out
    if prices is not None:
        progress.cost = (progress.cost or 0.0) + prices.of(tokens_in, tokens_out)


def count_reply(progress: Progress, request: Request, reply: Reply, review: Review | None) -> Request | None:
    """Count a committed reply as the stage's review judges it; returns the follow-up that the review asks for."""
    progress.answered += 1
    verdict: Request | ReplyFailure | None = None
    if not reply.ok:
        verdict = ReplyFailure(reply.kind, reply.error)
    elif review is not None:
        verdict = review(request, reply)
    if isinstance(verdict, ReplyFailure):
        progress.failed += 1
        progress.failures[verdict.kind.value] += 1
        return None
    progress.done += 1
    progress.follow_ups += verdict is not None
    return verdict
