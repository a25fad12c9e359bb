"""What a candidate compares that is another thing at each call, though nothing has changed between them: its own state.

No list of numbers meets all that a state of its own may wait for. So what comes of such a comparison is told otherwise,
as an answer is: a branch that any later call may take has to be right as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

import numpy as np

FELT, TESTED, CHOSEN, LEFT = "felt site", "tested site", "chosen site", "left site"
_PLAIN = (bool, int, float, str, bytes)
_LITERALS = 2
"""Number of the first variant that is a literal of the text."""


class OwnComparisons:
    """The values in a candidate's comparisons, by the number of the place; `is_given` says what is told otherwise."""

    def __init__(
        self,
        is_given: Callable[[int, int], bool],
        told: Callable[[], set[int]],
        literals: Callable[[object], Iterable[object]],
    ) -> None:
        """`told` gives the places where something is told otherwise now."""
        self._is_given = is_given
        self._told = told
        self._literals = literals
        self._reached = False
        """Whether anything was compared at all: most candidates compare nothing."""
        self._seen: dict[int, list[str]] | None = None
        self._changing: set[int] = set()
        self._met: set[int] | None = None
        """Sites that ordinary calls reach; None before it was looked."""
        self._later: dict[int, set[str]] = {}
        """What was felt at others, where something is told otherwise."""

    def hooks(self) -> dict[str, object]:
        """What the code calls, as built-in names."""
        return {FELT: self._felt, TESTED: self._tested, CHOSEN: self._chosen, LEFT: self._left}

    def look(self, call: Callable[[], object]) -> None:
        """Find what differs between calls that differ in nothing. The first puts right what was changed before."""
        with contextlib.suppress(Exception):  # it may count its calls and refuse more
            call()
            if not self._reached:
                return
            first, second = self._values(call), self._values(call)
            self._met = set(first | second)
            self._changing = {number for number in self._met if first.get(number) != second.get(number)}
            if self._changing:
                call()

    def _values(self, call: Callable[[], object]) -> dict[int, list[str]]:
        seen: dict[int, list[str]] = {}
        self._seen = seen
        try:
            call()
        finally:
            self._seen = None
        return seen

    def _felt(self, number: int, value: object) -> object:
        if not _is_plain(value):
            return value
        self._reached = True
        if self._seen is not None:
            self._seen.setdefault(number, []).append(repr(value))
        elif self._met is not None and number not in self._met and self._told() & self._changing:
            known = self._later.setdefault(number, set())
            known.add(repr(value))
            if len(known) > 1:
                self._changing.add(number)
        return value

    def _tested(self, number: int, value: object) -> object:
        if number not in self._changing or not _is_plain(value):
            return value
        return not value if self._is_given(number, 0) else value

    def _left(self, number: int, value: object, most: int) -> object:
        """What a division by a number, or a mask, leaves of a state: anything up to its largest."""
        if number in self._changing and type(value) is int:
            literals = (one for one in self._literals(value) if isinstance(one, int) and 0 <= one <= most)
            for variant, other in enumerate((0, most, *literals)):
                if self._is_given(number, variant):
                    return other
        return value

    def _chosen(self, number: int, value: object) -> object:
        self._felt(number, value)
        if number in self._changing:
            for variant, literal in enumerate(self._literals(value), _LITERALS):
                if self._is_given(number, variant):
                    return literal
        return value


def _is_plain(value: object) -> bool:
    return (
        type(value) in _PLAIN or isinstance(value, np.generic) or (type(value) is tuple and all(map(_is_plain, value)))
    )
