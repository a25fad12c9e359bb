"""The driver for backends that answer many requests at once and block: local engines and batch files.

It goes chunk by chunk; the replies of a chunk are stored as the backend yields them, in groups.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress

from kbtools.errors import ConfigError, KbError
from kbtools.models.backend import ChunkBackend, ChunkRun
from kbtools.models.engine.accounting import count_reply, count_usage, reply_from
from kbtools.models.engine.budget import Budget
from kbtools.models.engine.driver import Driver, RunInputs
from kbtools.models.engine.lookup import count_known
from kbtools.models.kinds import STOPS_RUN
from kbtools.models.options import Spend
from kbtools.models.reply import Answer
from kbtools.models.request import Request
from kbtools.models.store import claims, put

GROUP = 64
POLL = 0.5


class ChunkDriver(Driver):
    """One run against a chunk backend."""

    def __init__(self, backend: ChunkBackend, given: RunInputs) -> None:
        super().__init__(backend, given)
        self._backend = backend
        self._stopping = threading.Event()
        self._waiting: deque[Request] = deque()
        self._budget = Budget(self._options)
        self._done = threading.Event()

    def run(self, requests: Iterable[Request]) -> None:
        """Fulfil in the calling thread; `problem` says what ended it early."""
        renewal = threading.Thread(target=self._keep_claims, name="kbtools-claims", daemon=True)
        renewal.start()
        try:
            self._work(iter(requests))
        except Exception as error:  # noqa: BLE001 - raised by run_requests
            self.problem = error
        finally:
            self._done.set()
            renewal.join()
            with suppress(KbError), self._store.transaction() as connection:
                claims.release_all(connection, self._owner)

    def drain(self) -> None:
        """Finish the chunk under way and start no other. Callable from any thread."""
        self._stopping.set()

    def stop(self) -> None:
        """The same: a local engine cannot be interrupted within a chunk."""
        self.drain()

    def _work(self, source: Iterator[Request]) -> None:
        while not self._stopping.is_set():
            taken, fresh = self._take(source, max(0, self._backend.chunk_size - len(self._waiting)))
            unique = {request.key: request for request in [*self._waiting, *fresh]}
            self._waiting.clear()
            if not (unique or taken):
                return
            granted = self._claimed(unique)
            self._complete(granted)
            if self._waiting and not granted:
                self._stopping.wait(POLL)

    def _claimed(self, unique: dict[str, Request]) -> list[Request]:
        """The requests to answer now; follow-ups and those under way elsewhere wait for the next turn."""
        known = self._lookup.classify(unique.values())
        count_known(self._progress, known)
        self._waiting.extend(known.follow_ups)
        with self._store.transaction() as connection:
            granted = claims.claim(connection, self._owner, known.wanted)
        self._waiting.extend(unique[key] for key in known.wanted if key not in granted)
        return [unique[key] for key in known.wanted if key in granted]

    def _complete(self, requests: list[Request]) -> None:
        reserved = self._reserved(requests)
        run = ChunkRun(self._store, self._stopping.is_set)
        started = time.time()
        group: list[tuple[Request, Answer]] = []
        try:
            for pair in self._backend.complete([*reserved], run) if reserved else ():
                group.append(pair)
                if len(group) == GROUP:
                    self._keep(group, reserved, started)
                    group = []
        finally:  # also where the backend breaks down: what it has answered is paid for
            self._keep(group, reserved, started)
        for spend in reserved.values():
            self._budget.settle(spend, None)

    def _reserved(self, requests: list[Request]) -> dict[Request, Spend]:
        """The leading requests that fit the budget now; the others wait for what these do not use."""
        reserved: dict[Request, Spend] = {}
        for request in requests:
            spend = self._budget.worst_case(request)
            if not self._budget.try_reserve(spend):
                break
            reserved[request] = spend
        later = requests[len(reserved) :]
        if later and not reserved:
            raise self._budget.exhausted(self._budget.worst_case(later[0]))
        with self._store.transaction() as connection:
            claims.release(connection, [request.key for request in later], self._owner)
        self._waiting.extend(later)
        return reserved

    def _keep_claims(self) -> None:
        while not self._done.wait(claims.RENEW_EVERY):
            with suppress(KbError), self._store.transaction() as connection:
                claims.renew(connection, self._owner)

    def _keep(self, group: list[tuple[Request, Answer]], reserved: dict[Request, Spend], started: float) -> None:
        """Store answers before anything is made of them; a fault of the endpoint then ends the run."""
        self._store_and_count(group, started)
        for request, answer in group:
            self._budget.settle(reserved.pop(request), answer)
        self._progress.booked = self._budget.spent
        if stopping := next((answer for _, answer in group if answer.kind in STOPS_RUN), None):
            raise ConfigError(stopping.error)

    def _store_and_count(self, group: list[tuple[Request, Answer]], started: float) -> None:
        if not group:
            return
        seconds = time.time() - started
        replies = [
            (request, reply_from(request, answer, self._backend, 1, started, seconds)) for request, answer in group
        ]
        with self._store.transaction() as connection:
            put(connection, [reply for _, reply in replies])
        for request, reply in replies:
            self._progress.sent += 1
            count_usage(self._progress, self._options.prices, reply.usage)
            follow_up = count_reply(self._progress, request, reply, self._review)
            if follow_up is not None:
                self._waiting.append(follow_up)
