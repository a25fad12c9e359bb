"""Whole tiles of `mma`: D = A B + C. How fragments lie in the registers of a warp is not here.

Floats, stated once: D is the exact sum of the exact products and the accumulator, rounded once, to nearest, when the
instruction ends; it has no order. A device adds groups of products in fixed point and truncates what is shifted out
(Fasi, Higham, Mikaitis, Pranesh 2021), so that its error may be larger by a few units in the last place of the largest
term. `mma.f64` is a chain of fused multiply-adds in the order of k.

tf32 operands are read as a device reads them: the lowest 13 bits of the register are ignored, which truncates
(https://github.com/triton-lang/triton/issues/4574). Integers are added modulo 2**32, or clamped with `.satfinite`.
"""

import math
from collections.abc import Callable

import numpy as np

from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.faults import Unsupported
from kbtools_plugins.ptx.numerics.double import fused
from kbtools_plugins.ptx.numerics.formats import FORMATS, Format, nearest, widen
from kbtools_plugins.ptx.numerics.odd import to_odd

MatrixProduct = Callable[[Bits, Bits, Bits], Bits]

_TF32 = np.uint32(0xFFFF_E000)
_UNIT = 2.0**-52
_INTEGERS = ("s8", "u8")
_FLOATS = {"f16": ("f16", "f32"), "bf16": ("f32",), "tf32": ("f32",), "e4m3": ("f16", "f32"), "e5m2": ("f16", "f32")}
"""Operands, and the accumulators that they go with."""


def matrix_product(a: str, b: str, accumulator: str, saturate: bool = False) -> MatrixProduct:
    """Raw bits of shapes (tiles, m, k), (tiles, k, n) and (tiles, m, n) to (tiles, m, n)."""
    if a in _INTEGERS and b in _INTEGERS and accumulator == "s32":
        return lambda left, right, total: _integers(_whole(left, a), _whole(right, b), total, saturate)
    if a == b == "f64" and accumulator == "f64":
        return _doubles
    same = a == b or {a, b} == {"e4m3", "e5m2"}
    if not same or accumulator not in _FLOATS.get(a, ()):
        raise Unsupported(f"ptx:mma.{accumulator}.{a}.{b}")
    form = FORMATS[accumulator]
    bits = max(FORMATS[a].fraction, FORMATS[b].fraction) + 1

    def product(left: Bits, right: Bits, total: Bits) -> Bits:
        with np.errstate(all="ignore"):
            return _rounded(_operand(left, a), _operand(right, b), widen(total, accumulator), form, bits)

    return product


def _operand(bits: Bits, kind: str) -> Bits:
    return widen(bits & _TF32 if kind == "tf32" else bits, kind)


def _rounded(left: Bits, right: Bits, total: Bits, form: Format, bits: int) -> Bits:
    """A float64 product decides wherever its error, however it adds, cannot change the rounding."""
    near = left @ right + total
    size = np.abs(left) @ np.abs(right) + np.abs(total)
    slack = np.where(np.isfinite(near), size * (left.shape[-1] + 2) * _UNIT, 0.0)
    result = nearest(near, form)
    doubtful = nearest(near - slack, form) != nearest(near + slack, form)
    if not doubtful.any():
        return result
    places = np.argwhere(doubtful)
    tile, row, column = places.T
    rows, columns, old = left[tile, row], right[tile, :, column], total[tile, row, column]
    inexact = size[tile, row, column] >= _quantum(rows, columns, old, form, bits) / _UNIT
    for number in np.flatnonzero(inexact).tolist():
        terms = [*(rows[number] * columns[number]).tolist(), float(old[number])]
        result[tuple(places[number])] = nearest(_exact(terms), form)[0]
    return result


def _quantum(rows: Bits, columns: Bits, total: Bits, form: Format, bits: int) -> Bits:
    """A power of two of which all terms are multiples: sums below 2**52 of it are exact in float64 in any order."""
    lowest = _last_place(rows, bits).min(axis=1) + _last_place(columns, bits).min(axis=1)
    return np.minimum(np.ldexp(1.0, lowest), np.ldexp(1.0, _last_place(total, form.fraction + 1)))


def _last_place(values: Bits, bits: int) -> Bits:
    """The exponent of the lowest bit that values of so many bits can have set; large for zeros."""
    field = (np.ascontiguousarray(values).view(np.uint64) << np.uint64(1)) >> np.uint64(53)
    return np.where(field == 0, 400, field.view(np.int64) - (1022 + bits))


def _exact(terms: list[float]) -> Bits:
    """The sum rounded to odd."""
    whole = math.fsum(terms)
    return to_odd(np.array([whole]), np.array([math.fsum([*terms, -whole])]))


def _doubles(left: Bits, right: Bits, total: Bits) -> Bits:
    """`mma.f64`: a chain of fused multiply-adds in the order of k."""
    result = total.view(np.float64)
    for k in range(left.shape[-1]):
        result = fused(left.view(np.float64)[..., :, k, None], right.view(np.float64)[..., None, k, :], result)
    return result.view(np.uint64)


def _whole(bits: Bits, kind: str) -> Bits:
    width = WIDTHS[kind]
    return bits.view((SIGNED if kind[0] == "s" else UNSIGNED)[width]).astype(np.int64)


def _integers(left: Bits, right: Bits, total: Bits, saturate: bool) -> Bits:
    exact = left @ right + total.view(np.int32).astype(np.int64)
    if saturate:
        exact = np.clip(exact, -(2**31), 2**31 - 1)
    return exact.astype(np.int32).view(np.uint32)
