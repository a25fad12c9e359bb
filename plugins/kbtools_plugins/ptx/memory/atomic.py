"""Atomic operations: threads that meet in one cell take turns, in the order of programs and threads."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kbtools_plugins.ptx.bits import Bits

from .order import Strength

Combine = Callable[[Bits, tuple[Bits, ...]], Bits]
"""The new value of a cell from its old one and the operands of the instruction."""


@dataclass(frozen=True)
class Atomic:
    """What an atomic operation does, and how it orders others."""

    name: str
    combine: Combine
    strength: Strength

    def wrote(self, found: Bits, given: tuple[Bits, ...]) -> tuple[Bits, Bits]:
        """Where it counts as a change, and where it stores at all: not in a comparison that fails.

        Adding zero only looks; a maximum that changes nothing might have, in another order.
        """
        stores = found == given[0] if self.name == "cas" else np.ones(len(found), np.bool_)
        if self.name in ("min", "max", "inc", "dec"):
            return stores, stores
        return self.combine(found, given) != found, stores


def turns(places: Bits) -> Bits:
    """For each thread how many before it go to the same place."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    fresh = np.r_[True, ordered[1:] != ordered[:-1]]
    count = np.arange(len(places))
    rank = np.empty(len(places), np.int64)
    rank[order] = count - np.maximum.accumulate(np.where(fresh, count, 0))
    return rank


def update(cells: Bits, places: Bits, operands: tuple[Bits, ...], combine: Combine) -> Bits:
    """Changes the cells and gives what each thread found there."""
    if not len(places):
        return np.zeros(0, cells.dtype)
    rank = turns(places)
    found = np.empty(len(places), cells.dtype)
    order = np.argsort(rank, kind="stable")
    ends = np.cumsum(np.bincount(rank))
    for start, end in zip(np.r_[0, ends[:-1]], ends, strict=True):
        who = order[start:end]
        old = cells[places[who]]
        found[who] = old
        cells[places[who]] = combine(old, tuple(operand[who] for operand in operands))
    return found
