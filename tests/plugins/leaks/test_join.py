"""The exact join against its definition, in plain Python and compiled."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbtools.errors import MissingExtra
from kbtools_plugins.leaks import sets as blocks
from kbtools_plugins.leaks.sets import Sets
from tests.plugins.leaks import slow_reference

SETS = st.lists(st.frozensets(st.integers(0, 24), max_size=14), max_size=30)
THRESHOLDS = st.sampled_from([0.3, 0.5, 0.6, 2 / 3, 0.75, 0.8, 0.9, 1.0])


def block(sets: list[frozenset[int]]) -> Sets:
    """The sets with their members spread over 64 bits, as shingles are."""
    return Sets.of(np.array(sorted((n * 0x9E3779B97F4A7C15) % 2**64 for n in one), np.uint64) for one in sets)


@settings(deadline=None, max_examples=150)
@given(SETS, THRESHOLDS)
def test_greedy_and_components_are_what_comparing_every_pair_gives(sets, threshold):
    """No pair is missed and none is made up, with thresholds that are hit exactly."""
    found = block(sets).greedy(threshold)
    assert list(zip(found.matched.tolist(), found.similarities.tolist(), strict=True)) == slow_reference.greedy(
        sets, threshold
    )
    assert block(sets).components(threshold).tolist() == slow_reference.components(sets, threshold)


@settings(deadline=None, max_examples=100)
@given(SETS, SETS, THRESHOLDS)
def test_nearest_of_another_side(indexed, others, threshold):
    """Each later set gets the highest similarity with an earlier one."""
    found = block([*indexed, *others]).against(threshold, len(indexed)).similarities.tolist()
    best = [max((slow_reference.jaccard(one, other) for other in indexed), default=0.0) for one in others]
    assert found == [0.0] * len(indexed) + [similarity if similarity >= threshold else 0.0 for similarity in best]


def families(seed: int) -> list[frozenset[int]]:
    """Sets in families of near copies, as code has them."""
    rng = random.Random(seed)
    found = []
    for _ in range(40):
        base = rng.sample(range(4_000), rng.randrange(1, 90))
        for _ in range(8):
            copy = [rng.randrange(10**6) if rng.random() < rng.choice([0, 0.05, 0.2]) else n for n in base]
            found.append(frozenset(copy))
    rng.shuffle(found)
    return found


def test_compiled_loops_give_the_same(monkeypatch):
    """Above a number of keys numba compiles the very loops that plain Python runs below it."""
    pytest.importorskip("numba")
    sets = families(1)
    plain = block(sets).greedy(0.8), block(sets).components(0.8), block(sets).against(0.6, 100)
    monkeypatch.setattr(blocks, "_COMPILED_FROM", 0)
    compiled = block(sets).greedy(0.8), block(sets).components(0.8), block(sets).against(0.6, 100)
    assert plain[0].matched.tolist() == compiled[0].matched.tolist()
    assert plain[0].similarities.tolist() == compiled[0].similarities.tolist()
    assert plain[1].tolist() == compiled[1].tolist()
    assert plain[2].similarities.tolist() == compiled[2].similarities.tolist()
    assert plain[0].matched.max() >= 0


def test_too_much_for_plain_python_names_the_extra(monkeypatch):
    """Without numba a large join would take hours: it says what to install instead."""
    monkeypatch.setattr(blocks, "has_numba", lambda: False)
    monkeypatch.setattr(blocks, "_MOST_IN_PYTHON", 10)
    with pytest.raises(MissingExtra, match="dedup"):
        block(families(2)).greedy(0.8)
