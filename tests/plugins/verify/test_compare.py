"""When outputs are the reference's and when not."""

from __future__ import annotations

import numpy as np
import pytest

from kbtools_plugins.verify.protocol.agreement import Agreement, Difference
from kbtools_plugins.verify.protocol.tolerance import compare, ill_conditioned


def _tree(values, dtype: str = "float32") -> dict:
    array = np.asarray(values, dtype=dtype)
    return {"tensor": array.tobytes(), "dtype": dtype, "shape": list(array.shape), "stride": []}


def _same(got, want, dtype: str = "float32") -> bool:
    return isinstance(compare(_tree(got, dtype), _tree(want, dtype), _tree(want, dtype)), Agreement)


def test_tolerance_is_relative_to_the_scale() -> None:
    """1e-4 of the output's scale, whatever that is."""
    for scale in (1e-6, 1.0, 1e6):
        want = np.array([1.0, -2.0, 3.0]) * scale
        assert _same(want * (1 + 3e-5), want)
        assert not _same(want * (1 + 1e-3), want)


def test_one_wrong_element_among_many_is_found() -> None:
    """A large tensor does not hide a small corner."""
    want = np.random.default_rng(0).standard_normal(10_000)
    got = want.copy()
    got[1234] += 0.01
    found = compare(_tree(got), _tree(want), _tree(want))
    assert isinstance(found, Difference)
    assert "[1234]" in found.text


def test_quiet_columns_are_held_to_their_own_scale() -> None:
    """Columns a ten-thousandth as large as others are not free within the tolerance of those."""
    want = np.random.default_rng(0).standard_normal((64, 8))
    want[:, :4] *= 1e4
    got = want.copy()
    got[:, 4:] *= 1 + 1e-5
    assert _same(got, want)
    got[5, 6] += 0.1
    assert not _same(got, want)


def test_rounding_of_common_values_is_no_error() -> None:
    """A column of nothing but the rounding of far larger numbers may differ by as much."""
    want = np.random.default_rng(0).standard_normal((64, 8)) * 1e3
    want[:, 7] = 1e-5
    got = want.copy()
    got[:, 7] = -1e-5
    assert _same(got, want)


@pytest.mark.parametrize(
    ("got", "want", "same"),
    [
        ([np.nan, 1.0], [np.nan, 1.0], True),
        ([1.0, np.nan], [np.nan, 1.0], False),
        ([np.inf, 1.0], [np.inf, 1.0], True),
        ([-np.inf, 1.0], [np.inf, 1.0], False),
        ([3e38, 1.0], [np.inf, 1.0], False),
        ([0.0, 0.0], [0.0, 0.0], True),
        ([1e-3, 0.0], [0.0, 0.0], False),
    ],
)
def test_special_values_must_match_in_place(got: list[float], want: list[float], same: bool) -> None:
    """NaN and infinities count by position and sign; zeros are exact but for nothing."""
    assert _same(got, want) is same


def test_integers_and_bools_are_exact() -> None:
    """No tolerance where there is no rounding."""
    assert _same([1, 2], [1, 2], "int64")
    assert not _same([1, 3], [1, 2], "int64")
    assert not _same([True], [False], "bool")


def test_shape_dtype_and_structure_are_told_apart_from_values() -> None:
    """These have a verdict of their own."""
    one = _tree([1.0])
    for other in (_tree([[1.0]]), _tree([1.0], "float64"), {"list": [one]}, {"dict": [["y", one]]}, None):
        found = compare(other, one, one)
        assert isinstance(found, Difference)
        assert found.verdict == "wrong_shape_or_dtype"


def test_list_and_tuple_are_one_structure() -> None:
    """Returning a list for a tuple is not a fault."""
    one = _tree([1.0])
    assert isinstance(compare({"list": [one, one]}, {"tuple": [one, one]}, {"tuple": [one, one]}), Agreement)


def test_half_precision_has_its_own_tolerance() -> None:
    """What float16 cannot hold is not an error of the kernel."""
    want = np.array([1.0, 2.0, 3.0])
    assert _same(want + 1e-3, want, "float16")
    assert not _same(want + 3e-2, want, "float16")


def test_ill_conditioned_reference_is_noticed() -> None:
    """Where float32 and float64 runs of the reference part, nobody is judged."""
    assert ill_conditioned(_tree([1.0, 2.0]), _tree([1.0, 2.1], "float64"))
    assert not ill_conditioned(_tree([1.0, 2.0]), _tree([1.0, 2.0], "float64"))
