"""The inner loops of the exact join of sets: plain Python over lists, or compiled by numba over arrays.

The sets lie one after the other in `keys`, each in ascending order, set `i` from `starts[i]` to `starts[i + 1]`. Keys
that few sets hold come first, so two sets that are similar enough share a key among the first few of each (prefix
filter): only these are indexed and looked up. The index is a hash table of linked lists: `heads[key & mask]` is the
newest entry, `owners` and `nexts` give the set of an entry and the entry before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Array = Any
"""A list (plain Python) or a numpy array (compiled)."""
_SLACK = 1e-9
"""What the arithmetic of a bound may be off by; the similarity itself is compared exactly."""


def prefix(length: int, threshold: float) -> int:
    """How many of a set's rarest keys a set that is similar enough must meet."""
    return length - math.ceil(threshold * length - _SLACK) + 1


def similarity(keys: Array, a: int, a_end: int, b: int, b_end: int, least: float) -> float:
    """Jaccard similarity of two sets, or 0.0 if it is below `least`."""
    both = (a_end - a) + (b_end - b)
    spare = both * (1.0 - least) / (1.0 + least) + _SLACK
    missed = 0
    common = 0
    while a < a_end and b < b_end:
        if keys[a] == keys[b]:
            common += 1
            a += 1
            b += 1
        else:
            missed += 1
            if missed > spare:
                return 0.0
            if keys[a] < keys[b]:
                a += 1
            else:
                b += 1
    found = common / (both - common) if both > common else 1.0
    return found if found >= least else 0.0


def insert(i: int, count: int, start: int, keys: Array, heads: Array, owners: Array, nexts: Array, entry: int) -> int:
    """Index the first `count` keys of a set; gives the next free entry."""
    mask = len(heads) - 1
    for place in range(start, start + count):
        bucket = keys[place] & mask
        owners[entry] = i
        nexts[entry] = heads[bucket]
        heads[bucket] = entry
        entry += 1
    return entry


def nearest(i: int, least: float, starts: Array, keys: Array, heads: Array, owners: Array, nexts: Array, seen: Array,
            matched: Array) -> float:  # fmt: skip
    """The highest similarity of set `i` with an indexed one, 0.0 below `least`; `matched[i]` becomes that set.

    Of equally similar sets it is the first.
    """
    mask = len(heads) - 1
    start, end = starts[i], starts[i + 1]
    length = end - start
    best = 0.0
    for place in range(start, start + prefix(length, least)):
        entry = heads[keys[place] & mask]
        while entry >= 0:
            j = owners[entry]
            entry = nexts[entry]
            if seen[j] == i:
                continue
            seen[j] = i
            other = starts[j + 1] - starts[j]
            bound = max(best, least)
            if min(length, other) < bound * max(length, other) - _SLACK:
                continue
            found = similarity(keys, start, end, starts[j], starts[j + 1], bound)
            if found > best or (found == best and found > 0.0 and j < matched[i]):
                best = found
                matched[i] = j
    return best


def greedy(threshold: float, starts: Array, keys: Array, heads: Array, owners: Array, nexts: Array, seen: Array,
           matched: Array, similarities: Array) -> int:  # fmt: skip
    """Best first: a set that is similar to a kept one is matched with it, all others are kept; gives their number."""
    entry = 0
    kept = 0
    for i in range(len(starts) - 1):
        if starts[i] == starts[i + 1]:
            continue
        similarities[i] = nearest(i, threshold, starts, keys, heads, owners, nexts, seen, matched)
        if similarities[i] == 0.0:
            kept += 1
            count = prefix(starts[i + 1] - starts[i], threshold)
            entry = insert(i, count, starts[i], keys, heads, owners, nexts, entry)
    return kept


def against(threshold: float, starts: Array, keys: Array, heads: Array, owners: Array, nexts: Array, seen: Array,
            matched: Array, similarities: Array, indexed: int) -> int:  # fmt: skip
    """Index the first `indexed` sets and match each later one with the nearest of them; gives the number of matches."""
    entry = 0
    found = 0
    for i in range(indexed):
        if starts[i] < starts[i + 1]:
            count = prefix(starts[i + 1] - starts[i], threshold)
            entry = insert(i, count, starts[i], keys, heads, owners, nexts, entry)
    for i in range(indexed, len(starts) - 1):
        if starts[i] < starts[i + 1]:
            similarities[i] = nearest(i, threshold, starts, keys, heads, owners, nexts, seen, matched)
            found += similarities[i] > 0.0
    return found


def root(parents: Array, i: int) -> int:
    """The set that stands for the component of set `i`."""
    while parents[i] != i:
        parents[i] = parents[parents[i]]
        i = parents[i]
    return i


def components(threshold: float, starts: Array, keys: Array, heads: Array, owners: Array, nexts: Array, seen: Array,
               parents: Array) -> int:  # fmt: skip
    """Join the components of all pairs that are similar enough; each is named by its first set. Gives the joins."""
    entry = 0
    joins = 0
    mask = len(heads) - 1
    for i in range(len(starts) - 1):
        start, end = starts[i], starts[i + 1]
        length = end - start
        if length == 0:
            continue
        for place in range(start, start + prefix(length, threshold)):
            at = heads[keys[place] & mask]
            while at >= 0:
                j = owners[at]
                at = nexts[at]
                if seen[j] == i:
                    continue
                seen[j] = i
                other = starts[j + 1] - starts[j]
                mine, its = root(parents, i), root(parents, j)
                if mine == its or min(length, other) < threshold * max(length, other) - _SLACK:
                    continue
                if similarity(keys, start, end, starts[j], starts[j + 1], threshold) > 0.0:
                    parents[max(mine, its)] = min(mine, its)
                    joins += 1
        entry = insert(i, prefix(length, threshold), start, keys, heads, owners, nexts, entry)
    return joins


HELPERS: tuple[Callable[..., object], ...] = (prefix, similarity, insert, nearest, root)
"""What the loops call, in the order in which one needs the other."""
