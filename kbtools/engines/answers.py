"""Texts that a stage of the driver has much to do for, each by itself: shared out among the workers of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from kbtools.engines.crew import Crew, crew
from kbtools.engines.job import called


def answers(function: str, payloads: Iterable[str]) -> Iterator[str]:
    """What `function`, as module:name, makes of each payload, in their order.

    The workers of the run answer; where there are none, or only one payload, this process does.
    """
    coming = iter(payloads)
    first = list(islice(coming, 2))
    workers = crew()
    if workers is None or len(first) < 2:
        return map(called(function), chain(first, coming))
    return _in_order(workers, function, chain(first, coming))


def _in_order(workers: Crew, function: str, payloads: Iterable[str]) -> Iterator[str]:
    early: dict[int, str] = {}
    number = 0
    for done in workers.work(function, payloads):
        early[done.index] = done.text()
        while number in early:
            yield early.pop(number)
            number += 1
