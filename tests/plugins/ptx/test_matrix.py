"""Products of tiles, held against exact fractions and whole numbers."""

from fractions import Fraction

import numpy as np
import pytest

from kbtools_plugins.ptx.numerics import (
    Modifiers,
    conversion,
    matrix_product,
)
from kbtools_plugins.ptx.numerics.formats import FORMATS, widen
from tests.plugins.ptx.exact import rounded


def tiles(kind: str, *shape: int, seed: int) -> np.ndarray:
    """Numbers of the format around 1."""
    count = int(np.prod(shape))
    values = np.random.default_rng(seed).standard_normal(count).astype(np.float32).view(np.uint32)[None, :]
    if kind == "f32":
        return values.reshape(shape)
    return conversion(kind, "f32", Modifiers(rounding="rna" if kind == "tf32" else "rn", satfinite=kind[0] == "e"))(
        values
    ).reshape(shape)


@pytest.mark.parametrize(
    ("kind", "k", "accumulator"),
    [
        ("f16", 16, "f32"),
        ("bf16", 16, "f32"),
        ("tf32", 8, "f32"),
        ("e4m3", 32, "f32"),
        ("e5m2", 32, "f32"),
        ("f16", 16, "f16"),
    ],
)
def test_a_product_of_tiles_is_the_exact_sum_rounded_once(kind: str, k: int, accumulator: str) -> None:

    a, b, c = tiles(kind, 2, 16, k, seed=1), tiles(kind, 2, k, 8, seed=2), tiles(accumulator, 2, 16, 8, seed=3)
    got = widen(matrix_product(kind, kind, accumulator)(a, b, c), accumulator)
    left, right, total = widen(a, kind), widen(b, kind), widen(c, accumulator)
    for tile, i, j in np.ndindex(got.shape):
        exact = sum(
            (Fraction(x) * Fraction(y) for x, y in zip(left[tile, i], right[tile, :, j], strict=True)),
            Fraction(total[tile, i, j]),
        )
        assert got[tile, i, j] == rounded(exact, FORMATS[accumulator], "rn")


def test_tf32_operands_lose_their_lowest_bits() -> None:
    a, b = tiles("f32", 1, 16, 8, seed=1), tiles("f32", 1, 8, 8, seed=2)
    zero = np.zeros((1, 16, 8), np.uint32)
    product = matrix_product("tf32", "tf32", "f32")
    cut = np.uint32(0xFFFF_E000)
    assert np.array_equal(product(a, b, zero), product(a & cut, b & cut, zero))


@pytest.mark.parametrize("a", ["s8", "u8"])
@pytest.mark.parametrize("b", ["s8", "u8"])
def test_integer_products_wrap_or_are_clamped(a: str, b: str) -> None:
    generator = np.random.default_rng(0)
    left, right = (generator.integers(0, 256, shape).astype(np.uint8) for shape in ((2, 16, 32), (2, 32, 8)))
    total = np.full((2, 16, 8), 2**31 - 1, np.uint32)
    signed = {"s8": np.int8, "u8": np.uint8}
    exact = left.view(signed[a]).astype(object) @ right.view(signed[b]).astype(object) + (2**31 - 1)
    assert np.array_equal(matrix_product(a, b, "s32")(left, right, total), (exact % 2**32).astype(np.uint32))
    clamped = np.clip(exact, -(2**31), 2**31 - 1).astype(np.int32).view(np.uint32)
    assert np.array_equal(matrix_product(a, b, "s32", saturate=True)(left, right, total), clamped)


def test_sums_that_cancel_are_exact() -> None:
    large, one = np.float32(2.0**60), np.float32(1.0)
    a = np.zeros((1, 16, 8), np.float32)
    a[0, :, :3] = large, one, -large
    b = np.ones((1, 8, 8), np.float32)
    c = np.full((1, 16, 8), 2.0**-30, np.float32)
    got = matrix_product("tf32", "tf32", "f32")(*(values.view(np.uint32) for values in (a, b, c)))
    assert np.all(got.view(np.float32) == np.float32(1 + 2.0**-30))


def test_infinities_and_nan_of_operands_come_out() -> None:
    a, b, c = tiles("f16", 1, 16, 16, seed=1), tiles("f16", 1, 16, 8, seed=2), tiles("f32", 1, 16, 8, seed=3)
    a[0, 0, 0], a[0, 1, 1], a[0, 2, 2:4] = 0x7C00, 0x7E00, (0x7C00, 0xFC00)
    b[0, :4] = 0x3C00
    got = widen(matrix_product("f16", "f16", "f32")(a, b, c), "f32")[0]
    assert np.all(got[0] == np.inf)
    assert np.isnan(got[1:3]).all()
    assert np.isfinite(got[3:]).all()
