"""Whole tiles of `mma`: D = A B + C. How fragments lie in the registers of a warp is not here.

Order, stated once: products are exact; they are added to the accumulator in float64 in the order of k, and the sum is
rounded once, to nearest, when the instruction ends. A device adds groups of products in fixed point and truncates what
is shifted out (Fasi, Higham, Mikaitis, Pranesh 2021), so that its error may be larger by a few units in the last place
of the largest term.

tf32 operands are read as a device reads them: the lowest 13 bits of the register are ignored, which truncates
(https://github.com/triton-lang/triton/issues/4574). Integers are added modulo 2**32, or clamped with `.satfinite`.
"""

from collections.abc import Callable

import numpy as np

from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.faults import Unsupported
from kbtools_plugins.ptx.numerics.formats import FORMATS, nearest, widen

MatrixProduct = Callable[[Bits, Bits, Bits], Bits]

_TF32 = np.uint32(0xFFFF_E000)
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

    def product(left: Bits, right: Bits, total: Bits) -> Bits:
        with np.errstate(all="ignore"):
            return nearest(_summed(_operand(left, a), _operand(right, b), widen(total, accumulator)), form)

    return product


def _operand(bits: Bits, kind: str) -> Bits:
    return widen(bits & _TF32 if kind == "tf32" else bits, kind)


def _summed(left: Bits, right: Bits, total: Bits) -> Bits:
    total = total.copy()
    for k in range(left.shape[-1]):
        total += left[..., :, k, None] * right[..., None, k, :]
    return total


def _doubles(left: Bits, right: Bits, total: Bits) -> Bits:
    """`mma.f64`: a chain of fused multiply-adds in the order of k."""
    from kbtools_plugins.ptx.numerics.double import fused

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
