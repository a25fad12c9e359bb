"""Many sets of shingles as one block of keys, and the loops of `join` run over it.

Keys are 63-bit numbers whose highest bits say roughly how many sets hold them, so that ascending order has the rare
ones first. Small blocks are joined in plain Python at once, large ones by loops that numba compiles and keeps compiled.
"""

from __future__ import annotations

import importlib.util
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from kbtools.errors import MissingExtra
from kbtools_plugins.leaks import join

if TYPE_CHECKING:
    import numpy as np

_RARITY_BITS = 5
_HASH_BITS = 63 - _RARITY_BITS
_MOST_COUNTERS = 22
"""Occurrences are counted by at most so many bits of a shingle: the order of keys need only be nearly by rarity."""
_COMPILED_FROM = 2_000_000
"""Keys from which compiling takes less time than it saves."""
_MOST_IN_PYTHON = 20_000_000
"""Keys that plain Python joins in some minutes and with a few gigabytes."""
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Matches:
    """What each set was matched with."""

    matched: np.ndarray
    """Index of a set, or -1."""
    similarities: np.ndarray
    """0.0 where there is no match."""


@dataclass(frozen=True)
class Sets:
    """Sets in an order that counts: the first is the best."""

    starts: np.ndarray
    """Where each set begins, and where the last one ends (int64)."""
    keys: np.ndarray
    """Ascending within each set (int64)."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of(cls, found: Iterable[np.ndarray]) -> Sets:
        """The sets of these shingles, which are read once."""
        import numpy as np

        block, ends = array("Q"), array("q", [0])
        for one in found:
            block.frombytes(one.tobytes())
            ends.append(len(block))
        shingles = np.frombuffer(block, np.uint64) if block else np.zeros(0, np.uint64)
        return cls.in_place(np.frombuffer(ends, np.int64), shingles)

    @classmethod
    def in_place(cls, starts: np.ndarray, shingles: np.ndarray) -> Sets:
        """The same of one block, which is overwritten, so that it need not fit into memory twice."""
        import numpy as np

        counters = min(_MOST_COUNTERS, len(shingles).bit_length() + 2)
        rarity = _rarity(shingles, counters)
        for start in range(0, len(shingles), _CHUNK):
            part = shingles[start : start + _CHUNK]
            high = rarity[part >> np.uint64(64 - counters)].astype(np.uint64) << np.uint64(_HASH_BITS)
            part &= np.uint64((1 << _HASH_BITS) - 1)
            part |= high
        keys = shingles.view(np.int64)
        for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            keys[start:end].sort()
        return cls(starts, keys)

    def greedy(self, threshold: float) -> Matches:
        """Best first: each set that is similar to a kept one, with the nearest of these."""
        return self._matches(join.greedy, threshold)

    def against(self, threshold: float, indexed: int) -> Matches:
        """Each set from `indexed` on, with the nearest of those before it."""
        return self._matches(join.against, threshold, indexed)

    def components(self, threshold: float) -> np.ndarray:
        """For each set the first of all that are connected with it by pairs that are similar enough."""
        import numpy as np

        parents = np.arange(len(self), dtype=np.int32)
        self._run(join.components, threshold, [parents])
        for index in range(len(parents)):  # a parent comes before its children
            parents[index] = parents[parents[index]]
        return parents

    def _matches(self, loop: Callable[..., object], threshold: float, *more: int) -> Matches:
        import numpy as np

        found = Matches(np.full(len(self), -1, np.int32), np.zeros(len(self)))
        self._run(loop, threshold, [found.matched, found.similarities], *more)
        return found

    def _run(self, loop: Callable[..., object], threshold: float, results: list[np.ndarray], *more: int) -> None:
        """Run one loop, which writes its results into these arrays."""
        import numpy as np

        entries = self._prefixes(threshold)
        heads = np.full(1 << max(entries, 1).bit_length(), -1, np.int32)
        tables = [heads, np.empty(entries, np.int32), np.empty(entries, np.int32), np.full(len(self), -1, np.int32)]
        if len(self.keys) >= _COMPILED_FROM and has_numba():
            _compiled(loop)(threshold, self.starts, self.keys, *tables, *results, *more)
            return
        if len(self.keys) > _MOST_IN_PYTHON:
            raise MissingExtra("dedup", f"looking for near-duplicates among {len(self.keys):,} shingles")
        plain = [table.tolist() for table in results]
        loop(threshold, self.starts.tolist(), self.keys.tolist(), *(table.tolist() for table in tables), *plain, *more)
        for result, values in zip(results, plain, strict=True):
            result[:] = values

    def _prefixes(self, threshold: float) -> int:
        """Entries of an index of all sets."""
        import numpy as np

        lengths, counts = np.unique(np.diff(self.starts), return_counts=True)
        pairs = zip(lengths.tolist(), counts.tolist(), strict=True)
        return sum(join.prefix(length, threshold) * count for length, count in pairs if length)


def _rarity(shingles: np.ndarray, counters: int) -> np.ndarray:
    """How often shingles occur, as a power of two, by their highest bits."""
    import numpy as np

    counts = np.zeros(1 << counters, np.int64)
    for start in range(0, len(shingles), _CHUNK):
        buckets = shingles[start : start + _CHUNK] >> np.uint64(64 - counters)
        counts += np.bincount(buckets.view(np.int64), minlength=len(counts))
    return np.minimum(np.log2(np.maximum(counts, 1)), (1 << _RARITY_BITS) - 1).astype(np.uint8)


def has_numba() -> bool:
    """Whether large blocks can be joined by compiled loops."""
    return importlib.util.find_spec("numba") is not None


@cache
def _compiled(loop: Callable[..., object]) -> Callable[..., object]:
    """The loop as machine code, kept on disk from the first time on."""
    import numba
    from numba.extending import register_jitable

    for helper in join.HELPERS:
        register_jitable(helper)
    done: Callable[..., object] = numba.njit(cache=True)(loop)
    return done
