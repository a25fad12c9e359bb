"""The queue in front of the workers: bounded, equal questions once, killed workers unseen.

A question is counted from its admission to its answer. What the workers found is stored before anybody is told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from kbtools.errors import ConfigError
from kbtools_plugins.verify.cache import VerdictStore, key_of
from kbtools_plugins.verify.pool import Pair, Watcher
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.verdict import Verification

Submit = Callable[[Pair, Watcher], "Future[Verification]"]

KILLED = "unsupported:killed"
_ATTEMPTS = 5
_TOLD = "told "
"""Before the key of what this service has answered: kept even where chance had a part in it, and said again."""


class Full(Exception):
    """The queue has no place; after so many seconds it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the queue is full; ask again in {seconds:.0f} s")
        self.seconds = seconds


class Undecided(Exception):
    """The workers were killed at every attempt, or did not start: no verdict, and nothing against the candidate."""


@dataclass
class Counters:
    """What a server has done since it started."""

    asked: int = 0
    known: int = 0
    joined: int = 0
    refused: int = 0
    checked: int = 0
    undecided: int = 0
    seconds: float = 0.0
    """Seconds of all checks together, from hand-over to verdict."""


class Desk:
    """Takes questions and gives verdicts, with at most `places` of them on their way."""

    def __init__(
        self, submit: Submit, workers: int, places: int, settings: VerifySettings, store: VerdictStore
    ) -> None:
        self.counters = Counters()
        self._submit, self._workers, self._places = submit, workers, places
        self._settings, self._store = settings, store
        self._running: dict[str, asyncio.Task[Verification]] = {}

    @property
    def waiting(self) -> int:
        """Questions on their way."""
        return len(self._running)

    def key(self, pair: Pair) -> str:
        """What equal questions have in common."""
        return key_of(pair.reference, pair.candidate, pair.entry_point, self._settings)

    def ask(self, pair: Pair) -> asyncio.Task[Verification]:
        """The task that ends with the verdict on a pair; Full where there is no place."""
        self.counters.asked += 1
        key = self.key(pair)
        if key in self._running:
            self.counters.joined += 1
            return self._running[key]
        known = self._store.get(key) or self._store.get(_TOLD + key)
        if known is None and self.waiting >= self._places:
            self.counters.refused += 1
            raise Full(self._time_to_a_place())
        task = asyncio.create_task(self._known(known) if known else self._checked(key, pair))
        if known is None:
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key))
        return task

    async def drain(self) -> None:
        """Wait for the verdicts of all questions that were admitted."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _time_to_a_place(self) -> float:
        each = self.counters.seconds / self.counters.checked if self.counters.checked else 2.0
        return max(1.0, each / self._workers)

    async def _known(self, verdict: Verification) -> Verification:
        self.counters.known += 1
        return verdict

    async def _checked(self, key: str, pair: Pair) -> Verification:
        began = time.monotonic()
        for _ in range(_ATTEMPTS):
            try:
                verdict = await asyncio.wrap_future(self._submit(pair, self._keeper(key)))
            except ConfigError as error:
                self.counters.undecided += 1
                raise Undecided(str(error)) from error
            if verdict.verdict != KILLED:
                break
        else:
            self.counters.undecided += 1
            raise Undecided(f"the workers were killed {_ATTEMPTS} times over")
        self.counters.checked += 1
        self.counters.seconds += time.monotonic() - began
        return verdict

    def _keeper(self, key: str) -> Watcher:
        """Called in a worker's thread: the verdict is on disk before it is told."""

        def keep(verdict: Verification) -> None:
            if verdict.verdict != KILLED:
                self._store.put(key, verdict)
                self._store.put(_TOLD + key, verdict, told=True)

        return keep
