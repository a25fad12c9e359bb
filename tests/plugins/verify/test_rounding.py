"""What rounding explains in results of narrow types, and in very small ones."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import torch

from kbtools_plugins.verify.protocol.match import Match
from kbtools_plugins.verify.protocol.tolerance import compare, ill_conditioned
from kbtools_plugins.verify.worker.reference.rounding import roundings

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


def _bytes_of(values: np.ndarray) -> dict[str, object]:
    return {"tensor": values.astype(np.int8).tobytes(), "dtype": "int8", "shape": [len(values)], "stride": []}


@pytest.mark.parametrize(("changed", "by", "right"), [(1, 1, True), (1, 2, False), (20, 1, False)])
def test_a_byte_within_a_rounding_of_a_half_may_be_either(changed: int, by: int, right: bool) -> None:
    """What another rounding makes of it; nothing else, and not where many are so."""
    plain = np.arange(100)
    got, other = plain + by * (plain < changed), plain + (plain < 50)
    trees = [_bytes_of(got), _bytes_of(plain), _bytes_of(plain)]
    assert isinstance(compare(*trees, otherwise=[_bytes_of(other)]), Match) == right


def test_a_reference_is_exact_where_its_own_results_differ_at_a_jump_alone() -> None:
    """A step of its float64 run in one of many elements, which another rounding of float32 makes, too."""
    plain, other = np.linspace(1.0, 2.0, 100), np.linspace(1.0, 2.0, 100)
    other[3] += 0.01
    ones, others = (
        {"tensor": values.astype("f4").tobytes(), "dtype": "float32", "shape": [100], "stride": []}
        for values in (plain, other)
    )
    wide = {"tensor": other.tobytes(), "dtype": "float64", "shape": [100], "stride": []}
    assert ill_conditioned(ones, wide)
    assert not ill_conditioned(ones, wide, [others])


def test_numbers_are_rounded_otherwise_only_where_they_are_computed() -> None:
    """A tie among inputs stays one, equal numbers stay equal; what is divided by a number lies on either side."""
    torch.manual_seed(0)
    halves, x = torch.arange(64) + 0.5, torch.randint(0, 4, (8, 64)).float()
    assert not list(roundings(torch.round, (halves,), torch.round(halves)))
    assert not list(roundings(lambda x: (x / 3).argmax(-1), (x,), x.argmax(-1)))
    thirds = torch.nextafter(halves, torch.zeros(64)) * 3
    found = list(roundings(lambda x: torch.round(x / 3), (thirds,), torch.round(thirds / 3)))
    assert len(found) > 4
