"""Arithmetic on raw bits, held against exact fractions, torch in the same type, and what the PTX manual says."""

import numpy as np
import pytest
import torch

from kbtools_plugins.ptx.faults import Unsupported
from kbtools_plugins.ptx.numerics import (
    Modifiers,
    arithmetic,
    comparison,
    conversion,
    matrix_product,
    permitted_error,
)
from kbtools_plugins.ptx.numerics.formats import FORMATS, widen
from tests.plugins.ptx.exact import near_bits, random_bits, wrong

TRUTH = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "rcp": lambda a: 1 / a,
    "fma": lambda a, b, c: a * b + c,
}
ARITY = {"add": 2, "sub": 2, "mul": 2, "div": 2, "rcp": 1, "fma": 3}
CASES = [
    (name, kind, rounding)
    for kind in ("f32", "f64", "f16", "bf16")
    for name in TRUTH
    for rounding in ("rn", "rz", "rm", "rp")
    if kind in ("f32", "f64") or (rounding == "rn" and name in ("add", "sub", "mul", "fma"))
]


def f32(*values: float) -> np.ndarray:
    return np.array([values], np.float32).view(np.uint32)


@pytest.mark.parametrize(("name", "kind", "rounding"), CASES)
def test_an_operation_is_rounded_once(name: str, kind: str, rounding: str) -> None:
    run = arithmetic(name, kind, Modifiers(rounding=rounding))
    for draw in (random_bits, near_bits):
        operands = [draw(kind, 400, seed) for seed in range(ARITY[name])]
        assert wrong(run(*operands), operands, kind, TRUTH[name], rounding) == 0


@pytest.mark.parametrize("rounding", ["rn", "rz", "rm", "rp"])
@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_a_square_root_is_rounded_once(kind: str, rounding: str) -> None:
    form = FORMATS[kind]
    bits = random_bits(kind, 2000, 1) & ~np.array(form.sign, random_bits(kind, 1, 1).dtype)
    with np.errstate(invalid="ignore"):
        root = np.sqrt(widen(bits, kind).astype(np.longdouble))
    got = widen(arithmetic("sqrt", kind, Modifiers(rounding=rounding))(bits), kind).astype(np.longdouble)
    finite = np.isfinite(root)
    step = np.abs(widen(arithmetic("sqrt", kind)(bits), kind)) * 2.0**-form.fraction
    off = got[finite] - root[finite]
    assert np.all(np.abs(off) <= step[finite] * (0.5001 if rounding == "rn" else 1.0001))
    assert {"rn": True, "rz": np.all(off <= 0), "rm": np.all(off <= 0), "rp": np.all(off >= 0)}[rounding]


def test_fused_multiply_add_is_not_rounded_twice() -> None:
    one = f32(1 + 2.0**-12)
    tiny = f32(2.0**-60)
    assert arithmetic("fma", "f32", Modifiers(rounding="rn"))(one, one, tiny) == f32(1 + 2.0**-11 + 2.0**-23)


def test_a_product_that_overflows_does_not_meet_an_infinite_addend() -> None:
    large, infinite = (np.array([[value]]).view(np.uint64) for value in (2.0**1000, -np.inf))
    assert arithmetic("fma", "f64", Modifiers(rounding="rn"))(large, large, infinite) == infinite


def test_an_exact_zero_is_negative_only_when_rounded_down() -> None:
    for kind, one in (("f32", f32(1.0)), ("f64", np.array([[1.0]]).view(np.uint64))):
        sign = FORMATS[kind].sign
        for rounding, expected in (("rn", 0), ("rz", 0), ("rp", 0), ("rm", sign)):
            assert arithmetic("sub", kind, Modifiers(rounding=rounding))(one, one) == expected
            assert (
                arithmetic("fma", kind, Modifiers(rounding=rounding))(one, one, one ^ one.dtype.type(sign)) == expected
            )


@pytest.mark.parametrize("kind", ["f32", "f16", "bf16", "f64"])
def test_a_nan_that_comes_out_is_the_canonical_one(kind: str) -> None:
    form = FORMATS[kind]
    odd = np.array([[form.infinity + 1]], arithmetic("neg", kind)(random_bits(kind, 1, 0)).dtype)
    one = random_bits(kind, 1, 3)
    assert arithmetic("add", kind)(odd, one) == form.nan
    assert arithmetic("max", kind)(odd, odd) == form.nan
    assert arithmetic("neg", kind)(odd) == form.infinity + 1 + form.sign


def test_subnormal_operands_and_results_are_flushed_when_asked() -> None:
    small, two = f32(2.0**-130, -(2.0**-130)), f32(2.0)
    assert arithmetic("mul", "f32", Modifiers(ftz=True))(small, two).tolist() == [[0, 1 << 31]]
    assert arithmetic("mul", "f32", Modifiers(ftz=True))(f32(2.0**-100), f32(2.0**-40)) == 0
    assert arithmetic("mul", "f32")(small, two).tolist() == f32(2.0**-129, -(2.0**-129)).tolist()


def test_results_are_clamped_when_asked() -> None:
    values = f32(-1.0, 0.25, 7.0, np.nan, -0.0)
    zero = f32(0.0)
    assert arithmetic("add", "f32", Modifiers(saturate=True))(values, zero).tolist() == f32(0, 0.25, 1, 0, 0).tolist()
    relu = arithmetic("fma", "f16", Modifiers(rounding="rn", relu=True))
    halves = np.array([[-1, 0.25, np.nan]], np.float16).view(np.uint16)
    one, nothing = np.array([[0x3C00]], np.uint16), np.array([[0]], np.uint16)
    assert relu(halves, one, nothing).tolist() == [[0, 0x3400, 0x7FFF]]


def test_the_order_of_min_and_max_knows_signs_of_zero_and_nan() -> None:
    for kind in ("f32", "f16", "bf16", "f64"):
        form = FORMATS[kind]
        left, right = random_bits(kind, 2000, 5), random_bits(kind, 2000, 6)
        zero = np.array([[0, form.sign]], left.dtype)
        assert arithmetic("max", kind)(zero, zero[:, ::-1]).tolist() == [[0, 0]]
        assert arithmetic("min", kind)(zero, zero[:, ::-1]).tolist() == [[form.sign] * 2]
        a, b = widen(left, kind), widen(right, kind)
        assert np.array_equal(widen(arithmetic("max", kind)(left, right), kind), np.fmax(a, b), equal_nan=True)
        nan = arithmetic("min", kind, Modifiers(nan=True))(left, right)
        assert np.array_equal(widen(nan, kind), np.minimum(a, b), equal_nan=True)


def test_the_sign_of_xorsign_is_that_of_the_product() -> None:
    largest = arithmetic("max", "f32", Modifiers(xorsign=True))
    assert largest(f32(-1.0, 2.0), f32(3.0, -1.0)).tolist() == f32(-3.0, -2.0).tolist()


@pytest.mark.parametrize(("kind", "dtype"), [("bf16", torch.bfloat16), ("f16", torch.float16), ("f32", torch.float32)])
def test_arithmetic_is_that_of_torch_in_the_same_type(kind: str, dtype: torch.dtype) -> None:
    left, right = random_bits(kind, 20_000, 7), random_bits(kind, 20_000, 8)
    a, b = (torch.from_numpy(bits.copy()).view(dtype) for bits in (left, right))
    for name, run in (("add", torch.add), ("sub", torch.sub), ("mul", torch.mul)):
        got = torch.from_numpy(arithmetic(name, kind)(left, right)).view(dtype)
        assert torch.equal(torch.nan_to_num(got, nan=3.0), torch.nan_to_num(run(a, b), nan=3.0)), name


@pytest.mark.parametrize("operator", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons_are_false_with_nan_and_true_when_unordered(operator: str) -> None:
    run = getattr(
        np,
        {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}[
            operator
        ],
    )
    for kind in ("f32", "bf16", "f16", "f64"):
        left, right = random_bits(kind, 3000, 1), random_bits(kind, 3000, 2)
        right[:, :500] = left[:, :500]
        a, b = widen(left, kind), widen(right, kind)
        nan = np.isnan(a) | np.isnan(b)
        assert np.array_equal(comparison(operator, kind)(left, right), run(a, b) & ~nan)
        assert np.array_equal(comparison(f"{operator}u", kind)(left, right), run(a, b) | nan)
        assert np.array_equal(comparison("nan", kind)(left, right), nan)


LONG = {
    "ex2": np.exp2,
    "lg2": np.log2,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}


@pytest.mark.parametrize("name", LONG)
def test_approximate_functions_are_correctly_rounded(name: str) -> None:
    bits = np.concatenate([random_bits("f32", 4000, 4), near_bits("f32", 4000, 4)], 1)
    with np.errstate(all="ignore"):
        truth = LONG[name](bits.view(np.float32).astype(np.longdouble)).astype(np.float32)
    got = arithmetic(name, "f32", Modifiers(approximate=True))(bits)
    assert np.array_equal(got.view(np.float32), truth, equal_nan=True)


@pytest.mark.parametrize("name", [*LONG, "rcp", "sqrt", "div"])
def test_results_move_within_what_the_manual_permits(name: str) -> None:
    modifiers = Modifiers(approximate=True, full=True)
    operands = [random_bits("f32", 4000, seed) for seed in range(1 + (name == "div"))]
    exact = arithmetic(name, "f32", modifiers)(*operands)
    moved = arithmetic(name, "f32", modifiers, seed=1)(*operands)
    assert not np.array_equal(exact, moved)
    assert np.array_equal(moved, arithmetic(name, "f32", modifiers, seed=1)(*operands))
    permitted = permitted_error(name, "f32", modifiers)
    assert permitted is not None
    value, other = widen(exact, "f32"), widen(moved, "f32")
    finite = np.isfinite(value)
    bound = permitted.bound(value[finite], widen(operands[-1], "f32")[finite], FORMATS["f32"])
    assert np.all(np.abs(other[finite] - value[finite]) <= bound)
    assert np.array_equal(value[~finite], other[~finite], equal_nan=True)


def test_values_too_near_a_tie_for_float64_are_decided_by_more_digits() -> None:
    from decimal import Decimal

    from kbtools_plugins.ptx.numerics.precisely import FUNCTIONS, precisely

    values = np.array([0.3, -2.5, 11.0, 1e-3])
    for name in ("ex2", "tanh", "sin", "cos"):
        assert np.allclose(precisely(name, values), LONG[name](values), rtol=1e-14)
        assert FUNCTIONS[name](Decimal(0)) == (name in ("ex2", "cos"))
    assert np.allclose(precisely("lg2", np.array([3.0, 8.0])), [np.log2(3), 3.0], rtol=1e-15)


def test_a_fast_division_loses_the_largest_divisors_and_a_full_one_does_not() -> None:
    left, right = f32(2.0**127), f32(2.0**127)
    assert arithmetic("div", "f32", Modifiers(approximate=True))(left, right) == 0
    assert arithmetic("div", "f32", Modifiers(approximate=True, full=True))(left, right) == f32(1.0)


def test_both_halves_of_packed_registers_are_computed() -> None:
    low, high = random_bits("bf16", 500, 1), random_bits("bf16", 500, 2)
    one, zero = np.array([[0x3F80]], np.uint16), np.array([[0]], np.uint16)
    double = lambda a, b: a.astype(np.uint32) | (b.astype(np.uint32) << 16)  # noqa: E731 - one line of the test
    run = arithmetic("fma", "bf16x2", Modifiers(rounding="rn"))
    got = run(double(low, high), double(one, one), double(zero, zero))
    single = arithmetic("fma", "bf16", Modifiers(rounding="rn"))
    assert np.array_equal(got, double(single(low, one, zero), single(high, one, zero)))


def test_operations_that_ptx_does_not_have_are_refused() -> None:
    for choose in (
        lambda: arithmetic("div", "bf16"),
        lambda: arithmetic("add", "e4m3"),
        lambda: conversion("f16", "f32", Modifiers(rounding="rx")),
        lambda: matrix_product("s8", "s8", "f32"),
        lambda: comparison("lo", "f32"),
    ):
        with pytest.raises(Unsupported, match="^ptx:"):
            choose()


@pytest.mark.parametrize("kind", ["f32", "f64", "f16", "bf16"])
def test_operands_broadcast_and_are_left_alone(kind: str) -> None:
    rows, columns, one = random_bits(kind, 3, 1).T, random_bits(kind, 4, 2), random_bits(kind, 1, 3)
    for name, arity in {**ARITY, "max": 2, "min": 2, "abs": 1, "ex2": 1, "rsqrt": 1}.items():
        for rounding in ("", "rm"):
            asked = Modifiers(rounding=rounding, ftz=kind == "f32", approximate=name in ("ex2", "rsqrt"))
            try:
                run = arithmetic(name, kind, asked, seed=1)
            except Unsupported:
                continue
            operands = [rows, columns, one][:arity]
            whole = np.broadcast_arrays(*operands)
            for bits in operands:
                bits.flags.writeable = False
            assert np.array_equal(run(*operands), run(*(bits.copy() for bits in whole))), name
