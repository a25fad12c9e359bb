"""Errors that are within every tolerance, but all over an output."""

from __future__ import annotations

import numpy as np

from kbtools_plugins.verify.protocol.match import Difference, Match
from kbtools_plugins.verify.protocol.tolerance import Tf32, compare


def _tree(values, dtype: str = "float32") -> dict:
    array = np.asarray(values, dtype=dtype)
    return {"tensor": array.tobytes(), "dtype": dtype, "shape": list(array.shape), "stride": []}


def test_a_float32_output_that_is_all_over_less_exact_than_the_reference_is_wrong() -> None:
    """By a relative error of 2e-6, which is far within the tolerance; one of 2e-7 may be, and so may a few elements."""
    exact = np.random.default_rng(0).standard_normal(1_000) + 3.0
    tree = _tree(exact, "float64")

    def judged(got, coarse: bool = False):  # type: ignore[no-untyped-def]
        return compare(_tree(got), _tree(exact), tree, ordinary=True, tf32=Tf32(_tree(exact)) if coarse else None)

    assert isinstance(judged(exact * (1 + 2e-7)), Match)
    assert isinstance(judged(np.where(np.arange(1_000) % 50 == 0, exact * (1 + 2e-6), exact)), Match)
    found = judged(exact * (1 + 2e-6))
    assert isinstance(found, Difference)
    assert "in the median" in found.text
    assert isinstance(judged(exact * (1 + 2e-6), coarse=True), Match)
