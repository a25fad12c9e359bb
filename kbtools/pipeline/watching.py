"""Watching a run: what an observer is told, and how the stages' own reports reach it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from kbtools.asking import on_calls
from kbtools.data.table import on_rows
from kbtools.lineage import StageRecord
from kbtools.models.progress import Progress
from kbtools.stage import Stage


class Observer(Protocol):
    """Someone who watches a run: the command line draws progress from these calls."""

    def say(self, text: str) -> None:
        """A message for people, before the first stage begins."""

    def started(self, position: int, stage: Stage, rows: int) -> None:
        """A stage begins on this many rows."""

    def advanced(self, rows: int) -> None:
        """The stage has worked through so many more rows."""

    def called(self, progress: Progress) -> None:
        """The counters of running model calls, several times a second."""

    def finished(self, record: StageRecord) -> None:
        """The stage is done."""


class Unwatched:
    """The observer of runs that nobody watches."""

    def say(self, text: str) -> None:
        """Nobody listens."""

    def started(self, position: int, stage: Stage, rows: int) -> None:
        """Nothing to show."""

    def advanced(self, rows: int) -> None:
        """Nothing to show."""

    def called(self, progress: Progress) -> None:
        """Nothing to show."""

    def finished(self, record: StageRecord) -> None:
        """Nothing to show."""


@contextmanager
def reporting(watcher: Observer) -> Iterator[None]:
    rows, calls = on_rows.set(watcher.advanced), on_calls.set(watcher.called)
    try:
        yield
    finally:
        on_rows.reset(rows)
        on_calls.reset(calls)
