"""Codes of a dataset that compute the same, best first: the comparison of `near-dedup --on computation`.

Codes whose text is equal up to names, formatting and harness are one. Of the others each is run beside the few better
ones that it may compute the same as (`proposals`), and those of one form are independent of all others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from kbtools.data import texts as columns
from kbtools.data.table import batches
from kbtools_plugins.leaks.comparison import Compared, Way
from kbtools_plugins.leaks.computation.agreement import Agreements
from kbtools_plugins.leaks.computation.probes import Probe, probed
from kbtools_plugins.leaks.computation.proposals import Proposals
from kbtools_plugins.leaks.computation.sandboxes import Sandbox, Sandboxes
from kbtools_plugins.leaks.sets import Matches
from kbtools_plugins.leaks.shingles import shingles
from kbtools_plugins.leaks.tokens import TokenStream, stream

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset


@dataclass
class _Codes:
    """Different codes in the order of their rank."""

    texts: list[str] = field(default_factory=list)
    streams: list[TokenStream] = field(default_factory=list)
    salts: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    """The place of the first text of each code."""
    _known: dict[tuple[bytes, int], int] = field(default_factory=dict)

    def add(self, text: str, salt: int, place: int) -> int:
        """The number of a text's code."""
        found = stream(text)
        number = self._known.setdefault((found.digest, salt), len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
            self.streams.append(found)
            self.salts.append(salt)
            self.places.append(place)
        return number


@dataclass(frozen=True)
class ByComputation:
    """Alike if they compute the same."""

    threshold: float
    """Similarity from which the text alone would have found a pair."""
    workers: int

    def compare(self, ds: Dataset, path: str, salts: list[int]) -> Compared:
        """Read each text once, look at each code, and run those beside each other that may be the same."""
        codes = _Codes()
        read = chain.from_iterable(columns.of_column(table, path) for table in batches(ds, [path], rows=500))
        numbers = [
            codes.add(text or "", salt, place) for place, (text, salt) in enumerate(zip(read, salts, strict=True))
        ]
        with Sandboxes.opened(self.workers) as sandboxes:
            probes = probed(codes.texts, sandboxes)
            keepers = _keepers(_forms(probes, codes.salts), probes, sandboxes)
        similarities = {code: _jaccard(codes.streams[code], codes.streams[kept]) for code, kept in keepers.items()}
        return Compared(
            numbers,
            _matches(len(probes), keepers, similarities),
            lambda: _components(len(probes), keepers),
            tuple(place for place, made in zip(codes.places, codes.streams, strict=True) if not made.parsed),
            tuple(place for place, probe in zip(codes.places, probes, strict=True) if probe is None),
            {code: self._way(similarities[code], probes[code], probes[kept]) for code, kept in keepers.items()},
        )

    def _way(self, similarity: float, one: Probe | None, other: Probe | None) -> Way:
        """The cheapest way to find a pair."""
        if similarity >= self.threshold:
            return "text"
        return "trace" if one and other and one.seen.operators == other.seen.operators else "computation"


def _forms(probes: Sequence[Probe | None], salts: Sequence[int]) -> list[list[int]]:
    """Codes of equal form, which alone can be the same."""
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for code, (probe, salt) in enumerate(zip(probes, salts, strict=True)):
        if probe is not None:
            found[probe.seen.form, salt].append(code)
    return list(found.values())


def _keepers(forms: list[list[int]], probes: Sequence[Probe | None], sandboxes: Sandboxes) -> dict[int, int]:
    """For each code that computes what a better one does, that one."""

    def within(codes: list[int], sandbox: Sandbox) -> dict[int, int]:
        return _within({code: probe for code in codes if (probe := probes[code])}, sandbox)

    merged: dict[int, int] = {}
    for found in sandboxes.each(within, sorted(forms, key=len, reverse=True)):
        merged |= found
    return merged


def _within(probes: Mapping[int, Probe], sandbox: Sandbox) -> dict[int, int]:
    """The same for codes of one form, the best first."""
    proposals, agreements, keepers = Proposals(), Agreements(), dict[int, int]()
    for code, probe in probes.items():
        proposed = proposals.of(probe)
        kept = next((other for other in proposed if agreements.same(probes[other], probe, sandbox)), None)
        if kept is None:
            proposals.add(code, probe)
        else:
            keepers[code] = kept
    return keepers


def _jaccard(one: TokenStream, other: TokenStream) -> float:
    import numpy as np

    ones, others = shingles(one), shingles(other)
    common = len(np.intersect1d(ones, others, assume_unique=True))
    return common / max(len(ones) + len(others) - common, 1)


def _matches(count: int, keepers: Mapping[int, int], similarities: Mapping[int, float]) -> Matches:
    import numpy as np

    found = Matches(np.full(count, -1, np.int32), np.zeros(count))
    for code, kept in keepers.items():
        found.matched[code], found.similarities[code] = kept, similarities[code]
    return found


def _components(count: int, keepers: Mapping[int, int]) -> np.ndarray:
    import numpy as np

    return np.array([keepers.get(code, code) for code in range(count)], np.int32)
