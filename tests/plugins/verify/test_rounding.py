"""What rounding explains in results of narrow types, and in very small ones."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from kbtools_plugins.verify.protocol.match import Match
from kbtools_plugins.verify.protocol.tolerance import compare

_TYPES = {"float16": np.dtype("float16"), "bfloat16": np.dtype(ml_dtypes.bfloat16), "float32": np.dtype("float32")}


def _right(got: np.ndarray, exact: np.ndarray, dtype: str, *, ordinary: bool = True) -> bool:
    """Whether a result passes beside a reference that rounds what is exact once."""
    trees = [
        {"tensor": values.astype(kind).tobytes(), "dtype": name, "shape": [len(values)], "stride": []}
        for values, name, kind in ((got, dtype, _TYPES[dtype]), (exact, dtype, _TYPES[dtype]), (exact, "float64", "f8"))
    ]
    return isinstance(compare(*trees, ordinary=ordinary), Match)


@pytest.mark.parametrize(("steps", "right"), [(1, True), (4, True), (25, False)])
def test_sums_kept_in_a_narrow_type_drift(steps: int, right: bool) -> None:
    """A result is rounded once or a few times; a running sum after each step. Every element is within its tolerance."""
    drawn = np.random.default_rng(0)
    exact = drawn.uniform(0.4, 0.6, 256)

    def rounded(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float16).astype(np.float64)

    got = exact + sum(rounded(kept := drawn.uniform(0.4, 0.6, 256)) - kept for _ in range(steps - 1))
    assert _right(got, exact, "float16", ordinary=False)
    assert _right(got, exact, "float16") == right


@pytest.mark.parametrize(("dtype", "spacing"), [("float16", 1.0), ("bfloat16", 8.0)])
def test_one_rounding_of_large_numbers_is_no_drift(dtype: str, spacing: float) -> None:
    """Every other element is the next number of its type, where the reference happens to be exact; twice as far is
    too far."""
    exact = np.full(64, 1024.0)
    every_other = np.arange(64) % 2
    assert _right(exact + spacing * every_other, exact, dtype)
    assert not _right(exact + 2 * spacing * every_other, exact, dtype)


@pytest.mark.parametrize(("count", "right"), [(31, True), (32, False)])
def test_a_mean_error_takes_enough_elements(count: int, right: bool) -> None:
    """Of fewer nobody can say what they are in the mean."""
    exact = np.full(count, 1024.0)
    assert _right(exact + 2.0, exact, "float16") is right


def test_results_that_are_small_as_a_whole_are_computed_too() -> None:
    """Far below any tolerance half of them is nothing, which no rounding explains."""
    exact = np.full(64, 2.0**-60)
    assert _right(exact, exact, "float32")
    assert _right(exact * (np.arange(64) % 2), exact, "float32", ordinary=False)
    assert not _right(exact * (np.arange(64) % 2), exact, "float32")
