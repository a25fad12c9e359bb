"""What a running chain keeps of its model calls: who watches them, and which are equal to earlier ones.

A dry run and a run ask this alike; a number per distinct request is all that is remembered. The pipeline sets both for
every chain, so nothing here imports the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kbtools.models.engine.progress import Progress
    from kbtools.models.request import Request

_DIGITS = 32
"""Hex digits of a key that are kept: 128 bits, so that two different requests are never taken for equal ones."""


class Distinct:
    """The requests that have been seen."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def new(self, requests: Iterable[Request]) -> list[Request]:
        """Those that are equal to none before them, which are remembered."""
        found = []
        for request in requests:
            number = int(request.key[:_DIGITS], 16)
            if number not in self._seen:
                self._seen.add(number)
                found.append(request)
        return found


class Chain:
    """What the stages and splits of a chain ask, by store and review: only within one does an answer settle both."""

    def __init__(self) -> None:
        self._parts: list[tuple[Path, object, Distinct]] = []

    def of(self, store: Path, review: object) -> Distinct:
        """The requests whose replies lie in this store and are reviewed so."""
        for path, other, found in self._parts:
            if path == store and other == review:
                return found
        self._parts.append((store, review, Distinct()))
        return self._parts[-1][2]


asked_by_chain: ContextVar[Chain | None] = ContextVar("asked_by_chain", default=None)
"""What earlier stages and splits of the running chain have asked; the pipeline sets it."""

on_calls: ContextVar[Callable[[Progress], None]] = ContextVar("on_calls", default=lambda progress: None)
"""Called with the counters of running calls; the pipeline points it at its observer."""
