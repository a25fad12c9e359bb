"""What still has to be sent: planned requests are looked up, reviewed and claimed, chunk by chunk.

Shared by both drivers. Nothing is remembered per request, so 200,000 requests need no more memory than 2,000.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from kbtools.models.backend import Review
from kbtools.models.engine.progress import Progress
from kbtools.models.kinds import Kind, ReplyFailure
from kbtools.models.reply import Reply
from kbtools.models.request import Request
from kbtools.models.store import ResponseStore, State


@dataclass(slots=True)
class Classified:
    """A chunk of requests by what is known of them."""

    wanted: dict[str, float | None] = field(default_factory=dict)
    """Keys to send, each with the time of the stored failure that it repeats."""
    stored: int = 0
    failed: list[Kind] = field(default_factory=list)
    """Failures that are not repeated: of this run, or because the options say so."""
    follow_ups: list[Request] = field(default_factory=list)
    other_endpoints: list[str] = field(default_factory=list)


class Lookup:
    """Decides for each request whether it is stored, failed, or to be sent."""

    def __init__(
        self,
        store: ResponseStore,
        endpoint: str,
        review: Review | None,
        repeat_failures: bool,
        started: float,
    ) -> None:
        self._store = store
        self._endpoint = endpoint
        self._review = review
        self._repeat_failures = repeat_failures
        self._started = started

    def classify(self, requests: Iterable[Request]) -> Classified:
        """Look requests up in the store; reads only."""
        by_key = {request.key: request for request in requests}
        result = Classified()
        if self._review is None:
            for key, state in self._store.states(by_key).items():
                self._place(result, by_key.pop(key), state, None if state.kind is Kind.OK else state.kind)
        else:
            for reply in self._store.each_reply(list(by_key)):
                request = by_key.pop(reply.key)
                state = State(reply.kind, reply.endpoint, reply.stored)
                self._place(result, request, state, self._verdict(self._review, request, reply))
        result.wanted.update((key, None) for key in by_key)
        return result

    def _verdict(self, review: Review, request: Request, reply: Reply) -> Request | Kind | None:
        if not reply.ok:
            return reply.kind
        verdict = review(request, reply)
        return verdict.kind if isinstance(verdict, ReplyFailure) else verdict

    def _place(self, result: Classified, request: Request, state: State, verdict: Request | Kind | None) -> None:
        # A failure stored since this run began was met by this run, or a moment ago by another: not again now. One of
        # the future was stored before the clock was put back.
        recent = self._started <= state.stored <= time.time()
        if isinstance(verdict, Kind) and self._repeat_failures and not recent:
            result.wanted[request.key] = state.stored
            return
        if isinstance(verdict, Kind):
            result.failed.append(verdict)
            return
        result.stored += 1
        if state.endpoint != self._endpoint:
            result.other_endpoints.append(state.endpoint)
        if isinstance(verdict, Request):
            result.follow_ups.append(verdict)


def count_known(progress: Progress, known: Classified) -> None:
    """Add to the counters what needs no call."""
    progress.looked_up(known.stored + len(known.failed) + len(known.wanted), len(known.wanted))
    progress.from_store += known.stored
    progress.done += known.stored
    progress.failed += len(known.failed)
    progress.failures.update(kind.value for kind in known.failed)
    progress.follow_ups += len(known.follow_ups)
    progress.other_endpoints.update(known.other_endpoints)
