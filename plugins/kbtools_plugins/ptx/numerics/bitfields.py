"""Shifts, fields, permutations and searches of bits, on unsigned arrays. Amounts have 32 bits."""

import numpy as np

from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, Bits

PERMUTATIONS = ("f4e", "b4e", "rc8", "ecl", "ecr", "rc16")
"""What `prmt` can do instead of taking four selectors."""

_NOT_FOUND = np.uint32(0xFFFF_FFFF)


def shift_left(bits: Bits, amount: Bits) -> Bits:
    """`shl`: zero from the width on."""
    width = 8 * bits.itemsize
    shifted = bits << np.minimum(amount, amount.dtype.type(width - 1)).astype(bits.dtype)
    return np.where(amount >= width, bits.dtype.type(0), shifted)


def shift_right(bits: Bits, amount: Bits, *, signed: bool) -> Bits:
    """`shr`: filled with the sign, or zero, from the width on."""
    width = 8 * bits.itemsize
    most = np.minimum(amount, amount.dtype.type(width - 1)).astype(bits.dtype)
    if signed:
        return (bits.view(SIGNED[width]) >> most.view(SIGNED[width])).view(bits.dtype)
    return np.where(amount >= width, bits.dtype.type(0), bits >> most)


def funnel(low: Bits, high: Bits, amount: Bits, *, left: bool, wrap: bool) -> Bits:
    """`shf`: 32 bits out of 64, shifted by at most 32."""
    both = (high.astype(np.uint64) << np.uint64(32)) | low
    shift = (amount & np.uint32(31) if wrap else np.minimum(amount, np.uint32(32))).astype(np.uint64)
    return ((both << shift) >> np.uint64(32) if left else both >> shift).astype(np.uint32)


def leading_zeros(bits: Bits) -> Bits:
    """`clz`: how many zeros are above the highest one."""
    width = 8 * bits.itemsize
    spread = bits
    for step in (1, 2, 4, 8, 16, 32):
        if step < width:
            spread = spread | (spread >> bits.dtype.type(step))
    return np.uint32(width) - np.bitwise_count(spread).astype(np.uint32)


def find(bits: Bits, *, signed: bool, amount: bool) -> Bits:
    """`bfind`: the place of the highest bit that differs from the sign, or how far it is from the top."""
    width = 8 * bits.itemsize
    searched = np.where(bits.view(SIGNED[width]) < 0, ~bits, bits) if signed else bits
    zeros = leading_zeros(searched)
    return np.where(searched == 0, _NOT_FOUND, zeros if amount else np.uint32(width - 1) - zeros)


def reverse(bits: Bits) -> Bits:
    """`brev`: the bits in the other order."""
    width = 8 * bits.itemsize
    everything = (1 << width) - 1
    for step in (1, 2, 4, 8, 16, 32):
        if step >= width:
            break
        low = bits.dtype.type(everything // ((1 << step) + 1))
        move = bits.dtype.type(step)
        bits = ((bits >> move) & low) | ((bits & low) << move)
    return bits


def extract(bits: Bits, start: Bits, length: Bits, *, signed: bool) -> Bits:
    """`bfe`: a field, filled up with the bit at its end (or at the top, where the field reaches beyond)."""
    width = 8 * bits.itemsize
    at, count = _byte(start), _byte(length)
    field = _field_mask(count, width, bits.dtype)
    value = shift_right(bits, at, signed=False) & field
    if not signed:
        return value
    last = np.minimum(at + count - np.uint32(1), np.uint32(width - 1))
    sign = (bits >> last.astype(bits.dtype)) & bits.dtype.type(1)
    room = np.minimum(count, np.uint32(width) - np.minimum(at, np.uint32(width)))
    filled = value | ~_field_mask(room, width, bits.dtype)
    return np.where((sign != 0) & (count != 0), filled, value)


def insert(field: Bits, bits: Bits, start: Bits, length: Bits) -> Bits:
    """`bfi`: `field` put into `bits`."""
    at = _byte(start)
    mask = shift_left(_field_mask(_byte(length), 8 * bits.itemsize, bits.dtype), at)
    return (shift_left(field, at) & mask) | (bits & ~mask)


def mask(start: Bits, length: Bits, *, wrap: bool = False) -> Bits:
    """`bmsk`: that many ones from that place."""
    at, count = (start & np.uint32(31), length & np.uint32(31)) if wrap else (start, length)
    return shift_left(_field_mask(np.minimum(count, np.uint32(32)), 32, np.dtype(np.uint32)), at)


def extend(bits: Bits, place: Bits, *, signed: bool, wrap: bool) -> Bits:
    """`szext`: the lowest bits, filled up with the highest of them or with zeros."""
    count = place & np.uint32(31) if wrap else np.minimum(place, np.uint32(32))
    field = _field_mask(count, 32, bits.dtype)
    last = np.maximum(count, np.uint32(1)) - np.uint32(1)
    negative = ((bits >> last) & np.uint32(1)) == 1
    filled = np.where(negative & (count != 0), bits | ~field, bits & field)
    return filled if signed else bits & field


def lookup(first: Bits, second: Bits, third: Bits, table: Bits) -> Bits:
    """`lop3`: any function of three bits, by its table of eight."""
    result = np.zeros_like(first)
    for index in range(8):
        chosen = (table >> table.dtype.type(index)) & table.dtype.type(1)
        if not chosen.any():
            continue
        a, b, c = (bits if index & place else ~bits for bits, place in ((first, 4), (second, 2), (third, 1)))
        result = result | np.where(chosen == 1, a & b & c, result.dtype.type(0))
    return result


def permute(low: Bits, high: Bits, selector: Bits, mode: str = "") -> Bits:
    """`prmt`: four of eight bytes, or the sign of one."""
    both = (high.astype(np.uint64) << np.uint64(32)) | low
    result = np.zeros(np.broadcast_shapes(both.shape, selector.shape), np.uint32)
    for place in range(4):
        byte = _chosen(both, _selector(selector, place, mode), sign=not mode)
        result |= byte.astype(np.uint32) << np.uint32(8 * place)
    return result


def _selector(selector: Bits, place: int, mode: str) -> Bits:
    if not mode:
        return (selector >> np.uint32(4 * place)) & np.uint32(15)
    number = selector & np.uint32(3)
    here = np.uint32(place)
    if mode == "f4e":
        return number + here
    if mode == "b4e":
        return (number - here) & np.uint32(7)
    if mode == "rc8":
        return number + np.uint32(0) * here
    if mode == "ecl":
        return np.maximum(number, here)
    if mode == "ecr":
        return np.minimum(number, here)
    return (number & np.uint32(1)) * np.uint32(2) + np.uint32(place & 1)


def _chosen(both: Bits, selector: Bits, *, sign: bool) -> Bits:
    byte = (both >> ((selector & np.uint32(7)).astype(np.uint64) * np.uint64(8))) & np.uint64(0xFF)
    if not sign:
        return byte
    filled = np.where(byte >= 128, np.uint64(0xFF), np.uint64(0))
    return np.where(selector >= 8, filled, byte)


def _byte(amount: Bits) -> Bits:
    return amount & np.uint32(0xFF)


def _field_mask(count: Bits, width: int, dtype: "np.dtype[np.generic]") -> Bits:
    """That many ones from the lowest bit."""
    one = np.ones((1,) * count.ndim, UNSIGNED[width])
    return (shift_left(one, count) - dtype.type(1)).astype(dtype)
