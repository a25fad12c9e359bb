"""Atomic operations: threads that meet in one cell take turns, in the order of programs and threads."""

from collections.abc import Callable

import numpy as np

from kbtools_plugins.ptx.bits import Bits

Combine = Callable[[Bits, tuple[Bits, ...]], Bits]
"""The new value of a cell from its old one and the operands of the instruction."""


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
