"""The definitions of what the joins compute, written to be read: every pair is compared."""

from __future__ import annotations

from collections.abc import Sequence


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    """Share of what is in either that is in both; 0 where there is nothing."""
    return len(one & other) / len(one | other) if one | other else 0.0


def greedy(sets: Sequence[frozenset[int]], threshold: float) -> list[tuple[int, float]]:
    """For each set, best first, the nearest kept one (the first of equals) with the similarity, or (-1, 0.0)."""
    kept: list[int] = []
    found = []
    for place, one in enumerate(sets):
        alike = [(jaccard(one, sets[other]), -other) for other in kept]
        best, minus = max(alike, default=(0.0, 0))
        if best >= threshold:
            found.append((-minus, best))
        else:
            found.append((-1, 0.0))
            kept += [place] if one else []
    return found


def components(sets: Sequence[frozenset[int]], threshold: float) -> list[int]:
    """For each set the first of those that chains of similar pairs connect it with."""
    names = list(range(len(sets)))
    changed = True
    while changed:
        changed = False
        for one in range(len(sets)):
            for other in range(one):
                if names[one] != names[other] and jaccard(sets[one], sets[other]) >= threshold:
                    names[one] = names[other] = min(names[one], names[other])
                    changed = True
    return names
