"""The queue in front of the workers: bounded, equal questions once, killed workers unseen.

A question is counted from its admission to its answer, or until nobody waits for it any more. What the workers found is
stored before anybody is told.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from dataclasses import dataclass

from kbtools.errors import ConfigError
from kbtools_plugins.verify.cache import VerdictStore, key_of
from kbtools_plugins.verify.host.pair_processes import Deadline, DeadlinePassed
from kbtools_plugins.verify.pool import Pair, Submit, Watcher
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.verdict import Verification

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


@dataclass(frozen=True)
class _Running:
    """A question on its way, and until when somebody waits for it."""

    task: asyncio.Task[Verification]
    deadline: Deadline


@dataclass
class Counters:
    """What a server has done since it started."""

    asked: int = 0
    known: int = 0
    joined: int = 0
    refused: int = 0
    checked: int = 0
    undecided: int = 0
    expired: int = 0
    """Nobody waited for them any more before they were checked."""
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
        self._running: dict[str, _Running] = {}

    @property
    def waiting(self) -> int:
        """Questions on their way."""
        return len(self._running)

    def key(self, pair: Pair) -> str:
        """What equal questions have in common."""
        return key_of(pair.reference, pair.candidate, pair.entry_point, self._settings)

    def ask(self, pair: Pair, seconds: float) -> asyncio.Task[Verification]:
        """The task that ends with the verdict on a pair, wanted within so many seconds; Full where there is no place.

        It ends with DeadlinePassed if by then it was not begun, or could not be ended.
        """
        self.counters.asked += 1
        key, until = self.key(pair), time.monotonic() + seconds
        if same := self._running.get(key):
            self.counters.joined += 1
            same.deadline.at = max(same.deadline.at, until)
            return same.task
        if known := self._store.get(key) or self._store.get(_TOLD + key):
            return asyncio.create_task(self._known(known))
        if self.waiting >= self._places:
            self.counters.refused += 1
            raise Full(self._time_to_a_place())
        deadline = Deadline(until)
        task = asyncio.create_task(self._checked(key, pair, deadline))
        self._running[key] = _Running(task, deadline)
        task.add_done_callback(lambda _: self._over(key))
        return task

    def _over(self, key: str) -> None:
        """Give up the place, and look at what went wrong: maybe nobody else does."""
        task = self._running.pop(key).task
        if not task.cancelled():
            task.exception()

    async def drain(self) -> None:
        """Wait for the verdicts of all questions that were admitted."""
        await asyncio.gather(*(one.task for one in self._running.values()), return_exceptions=True)

    def _time_to_a_place(self) -> float:
        each = self.counters.seconds / self.counters.checked if self.counters.checked else 2.0
        return max(1.0, each / self._workers)

    async def _known(self, verdict: Verification) -> Verification:
        self.counters.known += 1
        return verdict

    async def _checked(self, key: str, pair: Pair, deadline: Deadline) -> Verification:
        began = time.monotonic()
        for _ in range(_ATTEMPTS):
            verdict = await self._tried(key, pair, deadline)
            if verdict is not None and verdict.verdict != KILLED:
                break
        else:
            self.counters.undecided += 1
            raise Undecided(f"the workers were killed {_ATTEMPTS} times over")
        self.counters.checked += 1
        self.counters.seconds += time.monotonic() - began
        return verdict

    async def _tried(self, key: str, pair: Pair, deadline: Deadline) -> Verification | None:
        """A verdict; None where the deadline was put off too late for this attempt."""
        try:
            return await _within(deadline, self._submit(pair, self._keeper(key), deadline))
        except ConfigError as error:
            self.counters.undecided += 1
            raise Undecided(str(error)) from error
        except DeadlinePassed:
            if deadline.left > 0:
                return None
            self.counters.expired += 1
            raise

    def _keeper(self, key: str) -> Watcher:
        """Called in a worker's thread: the verdict is on disk before it is told."""

        def keep(verdict: Verification) -> None:
            if verdict.verdict != KILLED:
                self._store.put(key, verdict)
                self._store.put(_TOLD + key, verdict, told=True)

        return keep


async def _within(deadline: Deadline, future: Future[Verification]) -> Verification:
    """The future's result; while it waits for a worker it is given up at the deadline, later it sees that itself."""
    found = asyncio.wrap_future(future)
    while not found.done() and deadline.left > 0:
        await asyncio.wait([found], timeout=deadline.left)
    if future.cancel():
        deadline.require()
    return await found
