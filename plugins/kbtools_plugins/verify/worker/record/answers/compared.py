"""What a candidate compares that is another thing at each call, though nothing has changed between them: its own state.

No list of numbers meets all that a state of its own may wait for. So what comes of such a comparison is told otherwise,
as an answer is: a branch that any later call may take has to be right as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

FELT, TESTED, CHOSEN = "felt site", "tested site", "chosen site"
_PLAIN = (bool, int, float, str, bytes)
_LITERALS = 2
"""Number of the first variant that is a literal of the text."""


class OwnComparisons:
    """The values in a candidate's comparisons, by the number of the place; `is_given` says what is told otherwise."""

    def __init__(self, is_given: Callable[[int, int], bool], literals: Callable[[object], Iterable[object]]) -> None:
        self._is_given = is_given
        self._literals = literals
        self._seen: dict[int, list[str]] | None = None
        self._changing: set[int] = set()

    def hooks(self) -> dict[str, object]:
        """What the code calls, as built-in names."""
        return {FELT: self._felt, TESTED: self._tested, CHOSEN: self._chosen}

    def look(self, call: Callable[[], object]) -> None:
        """Find what differs between calls that differ in nothing. The first puts right what was changed before."""
        with contextlib.suppress(Exception):  # it may count its calls and refuse more
            call()
            first, second = self._values(call), self._values(call)
            self._changing = {number for number in first | second if first.get(number) != second.get(number)}
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
        if self._seen is not None and _is_plain(value):
            self._seen.setdefault(number, []).append(repr(value))
        return value

    def _tested(self, number: int, value: object) -> object:
        if number not in self._changing or not _is_plain(value):
            return value
        return not value if self._is_given(number, 0) else value

    def _chosen(self, number: int, value: object) -> object:
        self._felt(number, value)
        if number in self._changing:
            for variant, literal in enumerate(self._literals(value), _LITERALS):
                if self._is_given(number, variant):
                    return literal
        return value


def _is_plain(value: object) -> bool:
    return type(value) in _PLAIN or (type(value) is tuple and all(map(_is_plain, value)))
