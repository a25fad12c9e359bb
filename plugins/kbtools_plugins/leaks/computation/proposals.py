"""The few modules that one may compute the same as: looked up by their form and what they made of public inputs.

Never all pairs: modules are proposed if they have nearly the same results on equal inputs, or, where they could not be
run on equal inputs, the same operators in any order.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from kbtools_plugins.leaks.computation.probes import Probe
from kbtools_plugins.verify.protocol.computation import Print

MOST = 16
"""Modules that are proposed for one."""
_NEAR = 2e-3
"""How far the figures of equal computations may be apart, of their size."""


@dataclass
class Proposals:
    """Modules to be proposed, each known by a number."""

    _probes: dict[int, Probe] = field(default_factory=dict)
    _by_print: dict[tuple[str, str], list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    """By form and inputs: sizes of the results in ascending order."""
    _by_operators: dict[tuple[str, tuple[str, ...]], list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, number: int, probe: Probe) -> None:
        """Propose this module from now on."""
        self._probes[number] = probe
        for one in probe.seen.prints:
            insort(self._by_print[probe.seen.form, one.on], (one.size, number))
        self._by_operators[_operators(probe)].append(number)

    def of(self, probe: Probe) -> list[int]:
        """The modules that this one may compute the same as, the likeliest first."""
        return list(islice(dict.fromkeys([*self._alike(probe), *self._others(probe)]), MOST))

    def _alike(self, probe: Probe) -> Iterator[int]:
        """Those with nearly the same results on all inputs that both took."""
        for one in probe.seen.prints:
            known = self._by_print.get((probe.seen.form, one.on), [])
            start = bisect_left(known, (one.size * (1 - _NEAR), -1))
            for size, number in islice(known, start, None):
                if size > one.size * (1 + _NEAR):
                    break
                if self._refuted(number, probe) is False:
                    yield number

    def _others(self, probe: Probe) -> Iterator[int]:
        """Those with the same operators that took no inputs that this one took."""
        return (number for number in self._by_operators.get(_operators(probe), ())
                if self._refuted(number, probe) is None)  # fmt: skip

    def _refuted(self, number: int, probe: Probe) -> bool | None:
        """Whether results on equal inputs differ; None where there are none."""
        known = {one.on: one for one in self._probes[number].seen.prints}
        both = [(one, known[one.on]) for one in probe.seen.prints if one.on in known]
        return not all(_near(one, other) for one, other in both) if both else None


def _operators(probe: Probe) -> tuple[str, tuple[str, ...]]:
    return probe.seen.form, tuple(sorted(probe.seen.operators))


def _near(one: Print, other: Print) -> bool:
    allowed = _NEAR * max(one.size, other.size)
    return abs(one.size - other.size) <= allowed and abs(one.projection - other.projection) <= allowed
