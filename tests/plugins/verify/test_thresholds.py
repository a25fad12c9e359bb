"""Which numbers a candidate's kernels compare values with."""

from __future__ import annotations

import ast

import pytest

from kbtools_plugins.verify.candidate.thresholds import thresholds

_KERNEL = """
import triton
import triton.language as tl

LIMIT = 12.5


@triton.jit
def k(x_ptr, n, limit, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n)
    tl.store(x_ptr + at, {})


def launch(x):
    k[(1,)](x, 64, {})
"""


@pytest.mark.parametrize(
    ("expression", "argument", "found"),
    [
        ("tl.where(x > 20.0, x, 0.0)", "1e-5", [20.0]),
        ("tl.where(x == -3, x, 0.0)", "0.5", [3.0]),
        ("tl.where(x > LIMIT, x, 0.0)", "0.5", [12.5]),
        ("tl.minimum(x, 80.0)", "0.5", [80.0]),
        ("tl.where(x > limit, x, 0.0)", "5000.0", [5000.0]),
        ("tl.where(x > 0, x, -1e30)", "0.5", []),
        ("tl.where(x == -float('inf'), x, 1e30)", "0.5", []),
        ("tl.where(x > 1e30, x, 0.0) * 3.0", "0.5", []),
        ("x * 0.044715 + tl.sqrt(x * 2.0)", "0.5", []),
    ],
)
def test_numbers_that_values_are_held_against_are_found(expression: str, argument: str, found: list[float]) -> None:
    """Also a large one that a kernel is given; none that stands for infinity, and none that is computed with."""
    assert thresholds(ast.parse(_KERNEL.format(expression, argument))) == found


def test_what_a_scaled_value_is_compared_with_counts_as_what_it_was_scaled_from() -> None:
    """Powers and factors in a comparison are taken back."""
    cubed = thresholds(ast.parse(_KERNEL.format("tl.where(x * x * x > 1e15, 0.0, x)", "0.5")))
    scaled = thresholds(ast.parse(_KERNEL.format("tl.where(x * 1e-5 > 1.0, 0.0, x)", "0.5")))
    assert any(abs(value - 1e5) < 1 for value in cubed)
    assert any(abs(value - 1e5) < 1 for value in scaled)
