"""Products, quotients and dot products of integers, on unsigned arrays of the operands' width."""

import numpy as np

from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, Bits
from kbtools_plugins.ptx.faults import Unsupported

_LOW = np.uint64(0xFFFF_FFFF)
_HALF = np.uint64(32)


def wide(left: Bits, right: Bits, *, signed: bool) -> Bits:
    """The whole product in a register of twice the width."""
    width = 8 * left.itemsize
    if width > 32:
        raise Unsupported("ptx:mul.wide of 64 bits")
    double: type[np.generic] = (SIGNED if signed else UNSIGNED)[2 * width]
    return (_view(left, signed).astype(double) * _view(right, signed).astype(double)).view(UNSIGNED[2 * width])


def high(left: Bits, right: Bits, *, signed: bool) -> Bits:
    """The upper half of the product."""
    width = 8 * left.itemsize
    if width == 64:
        return _high64(left, right, signed)
    return (wide(left, right, signed=signed) >> UNSIGNED[2 * width](width)).astype(left.dtype)


def _high64(left: Bits, right: Bits, signed: bool) -> Bits:
    left_low, left_high = left & _LOW, left >> _HALF
    right_low, right_high = right & _LOW, right >> _HALF
    middle = left_high * right_low + ((left_low * right_low) >> _HALF)
    other = left_low * right_high + (middle & _LOW)
    upper = left_high * right_high + (middle >> _HALF) + (other >> _HALF)
    if not signed:
        return upper
    zero = np.uint64(0)
    return upper - np.where(left.view(np.int64) < 0, right, zero) - np.where(right.view(np.int64) < 0, left, zero)


def narrow(left: Bits, right: Bits, *, signed: bool, high: bool) -> Bits:
    """mul24: the lowest 24 bits of both multiplied; the lower 32 bits of the 48, or the upper 32."""
    unused = np.uint64(40)
    long_left, long_right = (bits.astype(np.uint64) << unused for bits in (left, right))
    if signed:
        long_left, long_right = (
            (bits.view(np.int64) >> np.int64(40)).view(np.uint64) for bits in (long_left, long_right)
        )
    else:
        long_left, long_right = long_left >> unused, long_right >> unused
    product = long_left * long_right
    return ((product >> np.uint64(16)) if high else product).astype(np.uint32)


def divide(left: Bits, right: Bits, *, signed: bool) -> Bits:
    """Toward zero. Division by zero, which PTX leaves open, gives all ones; the least number by -1 wraps."""
    zero = right == 0
    divisor = np.where(zero, right.dtype.type(1), right)
    quotient = _signed_quotient(left, divisor) if signed else left // divisor
    return np.where(zero, ~right.dtype.type(0), quotient)


def remainder(left: Bits, right: Bits, *, signed: bool) -> Bits:
    """With the sign of the dividend. By zero, which PTX leaves open, all bits are set, as an H200 gives."""
    return np.where(right == 0, ~np.zeros_like(left), left - divide(left, right, signed=signed) * right)


def _signed_quotient(left: Bits, divisor: Bits) -> Bits:
    """Magnitudes divided without sign: the least number has a magnitude there."""
    negative, other = _view(left, True) < 0, _view(divisor, True) < 0
    zero = left.dtype.type(0)
    quotient = np.where(negative, zero - left, left) // np.where(other, zero - divisor, divisor)
    return np.where(negative != other, zero - quotient, quotient)


def _view(bits: Bits, signed: bool) -> Bits:
    return bits.view(SIGNED[8 * bits.itemsize]) if signed else bits


class _Dot:
    """dp4a and dp2a: bytes of `b` times bytes (or halves) of `a`, added to `c` modulo 2**32."""

    def __init__(self, signed: tuple[bool, bool], first_byte: int | None) -> None:
        self.signed = signed
        self.first_byte = first_byte

    def __call__(self, left: Bits, right: Bits, total: Bits) -> Bits:
        count, width, start = (4, 8, 0) if self.first_byte is None else (2, 16, self.first_byte)
        for index in range(count):
            factor = _part(left, index * width, width, self.signed[0])
            total = total + factor * _part(right, (start + index) * 8, 8, self.signed[1])
        return total


def _part(bits: Bits, start: int, width: int, signed: bool) -> Bits:
    part = (bits >> np.uint32(start)).astype(UNSIGNED[width])
    return part.view(SIGNED[width]).astype(np.int32).view(np.uint32) if signed else part.astype(np.uint32)


def dot(operation: str, kind: str) -> _Dot:
    """`dp4a.s32` with kind "u32" is `dp4a.s32.u32`; dp2a has `lo` or `hi` in between."""
    name, *rest = operation.split(".")
    types = [part for part in rest if part in ("s32", "u32")] + [kind]
    place = [part for part in rest if part in ("lo", "hi")]
    if len(types) != 2 or len(place) != (name == "dp2a") or kind not in ("s32", "u32"):
        raise Unsupported(f"ptx:{operation}.{kind}")
    first_byte = None if name == "dp4a" else 2 * (place[0] == "hi")
    return _Dot((types[0] == "s32", types[1] == "s32"), first_byte)
