"""Holds codes against the problems of evaluation sets: equal, the same operators, contained, or similar.

All codes are looked at first, so that the weight of a shingle can follow from how many hold it; then each gets its
verdict. Only what a verdict needs is kept of a code.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from kbtools_plugins.leaks.contamination import codes
from kbtools_plugins.leaks.contamination.codes import CodePart, ComparableCode
from kbtools_plugins.leaks.contamination.operators import Signature
from kbtools_plugins.leaks.contamination.sources import BenchmarkProblem

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["exact", "operators", "trace", "contained", "computation", "similar"]
KINDS: tuple[Kind, ...] = ("exact", "operators", "trace", "contained", "computation", "similar")
"""From the surest to the least sure."""
CONTAINED = 0.8
"""Weighted share of a problem's shingles from which a code contains it."""
_LONG_ENOUGH = 40
"""Shingles that a problem must have to be contained in anything: code that anybody writes is in everybody's."""
_FEWEST_SHARED = 20


@dataclass(frozen=True)
class Hit:
    """A problem that a code holds."""

    problem: int
    kind: Kind
    score: float

    @property
    def certain(self) -> bool:
        """Whether the code holds the problem, rather than being like it."""
        return self.kind != "similar"

    @property
    def order(self) -> tuple[int, float, int]:
        """The surest hit comes first, then the highest score, then the first problem."""
        return KINDS.index(self.kind), -self.score, self.problem


@dataclass(frozen=True)
class _Shared:
    """What a code has in common with a problem: their shingles, and whether it does all that the problem does."""

    problem: int
    stream: str
    shingles: frozenset[int]
    does_all: bool


@dataclass(frozen=True)
class Sighting:
    """What was seen of one code."""

    exact: int | None
    operators: int | None
    shared: tuple[_Shared, ...]


@dataclass
class Index:
    """The problems, ready to be looked up."""

    problems: Sequence[BenchmarkProblem]
    read: list[ComparableCode] = field(init=False)
    signatures: list[Signature] = field(init=False)
    """Of each problem."""
    _by_digest: dict[tuple[str, bytes], int] = field(default_factory=dict)
    _by_operators: dict[tuple[str, ...], list[int]] = field(default_factory=lambda: defaultdict(list))
    _by_shingle: dict[str, dict[int, list[int]]] = field(default_factory=lambda: defaultdict(dict))
    _frequency: Counter[int] = field(default_factory=Counter)
    """Codes, the problems included, that hold a shingle of some problem."""
    _seen: int = 0
    _wholes: dict[tuple[int, str], float] = field(default_factory=dict)
    """Weights of problems; they change with every code that is looked at."""

    def __post_init__(self) -> None:
        self.read = [codes.read_code(problem.code) for problem in self.problems]
        self.signatures = [code.signature for code in self.read]
        for number, code in enumerate(self.read):
            self._by_operators[code.signature.operators].append(number)
            for stream, part in code.parts.items():
                self._by_digest.setdefault((stream, part.digest), number)
                for shingle in part.shingles.tolist():
                    self._by_shingle[stream].setdefault(shingle, []).append(number)
        for code in self.read:
            self._count(code)

    def look(self, code: ComparableCode) -> Sighting:
        """What a code has in common with the problems."""
        self._count(code)
        exact = [found for stream, part in code.parts.items() if (found := self._exact(stream, part)) is not None]
        same = [number for number in self._by_operators.get(code.signature.operators, ())
                if self.signatures[number].same_task(code.signature)]  # fmt: skip
        shared = [found for stream, part in code.parts.items() for found in self._shared(stream, part)]
        return Sighting(min(exact, default=None), min(same, default=None), tuple(shared))

    def verdict(self, seen: Sighting) -> Hit | None:
        """The surest hit of a code, once all codes have been looked at."""
        hits = [Hit(seen.exact, "exact", 1.0)] if seen.exact is not None else []
        if seen.operators is not None:
            hits.append(Hit(seen.operators, "operators", 1.0))
        for found in seen.shared:
            if (score := self._containment(found)) >= CONTAINED:
                hits.append(Hit(found.problem, "contained" if found.does_all else "similar", round(score, 4)))
        return min(hits, key=lambda hit: hit.order, default=None)

    def _exact(self, stream: str, part: CodePart) -> int | None:
        return self._by_digest.get((stream, part.digest))

    def _count(self, code: ComparableCode) -> None:
        self._seen += 1
        self._wholes.clear()
        for stream, part in code.parts.items():
            known = self._by_shingle[stream]
            self._frequency.update(shingle for shingle in part.shingles.tolist() if shingle in known)

    def _shared(self, stream: str, part: CodePart) -> list[_Shared]:
        known, common, words = self._by_shingle[stream], defaultdict(list), Counter(part.words.tolist())
        for shingle in part.shingles.tolist():
            for number in known.get(shingle, ()):
                common[number].append(shingle)
        return [
            _Shared(number, stream, frozenset(shingles), _holds_all(words, self.read[number].parts[stream].words))
            for number, shingles in common.items()
            if len(shingles) >= _FEWEST_SHARED and len(self.read[number].parts[stream].shingles) >= _LONG_ENOUGH
        ]

    def _containment(self, found: _Shared) -> float:
        """Share of a problem's shingles that the code holds, rare ones counting more."""
        which = (found.problem, found.stream)
        if which not in self._wholes:
            self._wholes[which] = sum(map(self._weight, self.read[found.problem].parts[found.stream].shingles.tolist()))
        return sum(map(self._weight, found.shingles)) / self._wholes[which]

    def _weight(self, shingle: int) -> float:
        return math.log(1 + self._seen / self._frequency[shingle])


def _holds_all(words: Counter[int], wanted: np.ndarray) -> bool:
    """Whether a code has every word of a problem, as often as the problem has it."""
    return all(words[word] >= times for word, times in Counter(wanted.tolist()).items())
