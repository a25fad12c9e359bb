"""Errors that are within every tolerance, but all over an output, are noted."""

from __future__ import annotations

import numpy as np

from kbtools_plugins.verify.protocol.match import Match
from kbtools_plugins.verify.protocol.tolerance import Tf32, compare


def _tree(values, dtype: str = "float32") -> dict:
    array = np.asarray(values, dtype=dtype)
    return {"tensor": array.tobytes(), "dtype": dtype, "shape": list(array.shape), "stride": []}


def test_a_float32_output_that_is_all_over_less_exact_than_the_reference_is_remarked() -> None:
    """By a relative error of 2e-6, as of a sum in one variable; one of 2e-7 is none, nor is one of a few elements."""
    exact = np.random.default_rng(0).standard_normal(1_000) + 3.0
    tree = _tree(exact, "float64")

    def remark(got, coarse: bool = False) -> str:  # type: ignore[no-untyped-def]
        found = compare(_tree(got), _tree(exact), tree, ordinary=True, tf32=Tf32(_tree(exact)) if coarse else None)
        assert isinstance(found, Match)
        return found.remark

    assert remark(exact * (1 + 2e-7)) == ""
    assert remark(np.where(np.arange(1_000) % 50 == 0, exact * (1 + 2e-6), exact)) == ""
    assert remark(exact * (1 + 2e-6)).startswith("imprecise: the output is off by 2e-06 of itself in the median")
    assert remark(exact * (1 + 2e-6), coarse=True) == ""
