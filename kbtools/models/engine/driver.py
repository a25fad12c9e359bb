"""What both drivers of the engine share: what a run is given, and how it takes requests from the plan."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from kbtools.calls import Distinct
from kbtools.models.backend import ModelBackend, Review
from kbtools.models.engine.lookup import Lookup
from kbtools.models.engine.progress import Progress
from kbtools.models.options import Options
from kbtools.models.request import Request
from kbtools.models.store import ResponseStore, claims


@dataclass(frozen=True, slots=True)
class RunInputs:
    """What a run works with, whatever the backend."""

    store: ResponseStore
    options: Options
    progress: Progress
    review: Review | None
    seen: Distinct
    """Requests that earlier calls of the same run have settled."""


class Driver(ABC):
    """One run against a backend, which each kind of driver keeps as what it needs."""

    problem: BaseException | None = None
    """What ended the run early."""

    def __init__(self, backend: ModelBackend, given: RunInputs) -> None:
        self._store = given.store
        self._options = given.options
        self._progress = given.progress
        self._review = given.review
        self._seen = given.seen
        self._owner = claims.new_owner()
        self._lookup = Lookup(given.store, backend.endpoint, given.review, given.options.repeat_failures, time.time())

    @abstractmethod
    def run(self, requests: Iterable[Request]) -> None:
        """Fulfil in the calling thread; `problem` says what ended it early."""

    @abstractmethod
    def drain(self) -> None:
        """Finish what is under way and start nothing else. Callable from any thread."""

    @abstractmethod
    def stop(self) -> None:
        """Give up what is under way, where that is possible. Callable from any thread."""

    def _take(self, source: Iterator[Request], size: int) -> tuple[int, list[Request]]:
        """How many requests the plan gave, at most `size`, and those of them that this run has not seen."""
        taken = list(islice(source, size))
        fresh = self._seen.new(taken)
        self._progress.taken(len(taken), len(taken) - len(fresh))
        return len(taken), fresh
