"""Whole numbers: arithmetic modulo the width, and its high halves, carries, saturation and division."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, WIDTHS, Bits

from . import lanewise
from .lanewise import Lanewise

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.text.kernel import Instruction

Binary = Callable[[Bits, Bits], Bits]
WHOLE = {f"{sign}{width}" for sign in "us" for width in (8, 16, 32, 64)} | {f"b{width}" for width in (16, 32, 64)}


def is_whole(kind: str) -> bool:
    """Whether a type is that of whole numbers (or bits)."""
    return kind in WHOLE


def as_signed(kind: str, function: Binary) -> Binary:
    """A function on the numbers of a type as one on bits."""
    if kind[0] != "s":
        return function
    signed, plain = SIGNED[WIDTHS[kind]], UNSIGNED[WIDTHS[kind]]
    return lambda a, b: function(a.view(signed), b.view(signed)).view(plain)


def divide(a: Bits, b: Bits) -> Bits:
    """Division that rounds to zero; by 0 it gives all ones, as the devices do."""
    safe = np.where(b == 0, b.dtype.type(1), b)
    if a.dtype.kind == "u":
        return np.where(b == 0, ~a.dtype.type(0), a // safe)
    down = a // safe
    uneven = (down * safe != a) & ((a < 0) != (safe < 0))
    return np.where(b == 0, a.dtype.type(-1), down + uneven.astype(a.dtype))


def remainder(a: Bits, b: Bits) -> Bits:
    """What is left of `divide`; all of `a` if `b` is 0."""
    return np.where(b == 0, a, a - divide(a, b) * b)


def high(kind: str) -> Binary:
    """The upper half of a product."""
    width = WIDTHS[kind]
    if width == 64:
        return high_signed if kind[0] == "s" else high_unsigned
    narrow, plain = (SIGNED if kind[0] == "s" else UNSIGNED)[width], UNSIGNED[width]
    wide = (SIGNED if kind[0] == "s" else UNSIGNED)[2 * width]
    return lambda a, b: ((a.view(narrow).astype(wide) * b.view(narrow).astype(wide)) >> wide(width)).astype(plain)


def high_unsigned(a: Bits, b: Bits) -> Bits:
    """The upper 64 of 128 bits."""
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    a0, a1, b0, b1 = a & low, a >> half, b & low, b >> half
    middle = ((a0 * b0) >> half) + a1 * b0
    cross = (middle & low) + a0 * b1
    return a1 * b1 + (middle >> half) + (cross >> half)


def high_signed(a: Bits, b: Bits) -> Bits:
    """The upper 64 of 128 bits of a product of signed numbers."""
    zero = np.uint64(0)
    below_zero = [value.view(np.int64) < 0 for value in (a, b)]
    return high_unsigned(a, b) - np.where(below_zero[0], b, zero) - np.where(below_zero[1], a, zero)


def wide(kind: str) -> Binary:
    """The whole product, twice as wide."""
    width = WIDTHS[kind]
    table = SIGNED if kind[0] == "s" else UNSIGNED
    narrow, large, plain = table[width], table[2 * width], UNSIGNED[2 * width]
    return lambda a, b: np.multiply(a.view(narrow), b.view(narrow), dtype=large).view(plain)


def saturated(kind: str, function: Binary) -> Binary:
    """Signed addition or subtraction of 32 bits, held within the type."""
    low, top = np.iinfo(np.int32).min, np.iinfo(np.int32).max

    def limited(a: Bits, b: Bits) -> Bits:
        exact = function(a.view(np.int32).astype(np.int64), b.view(np.int32).astype(np.int64))
        return np.clip(exact, low, top).astype(np.int32).view(np.uint32)

    return limited


def halves(kind: str, function: Binary) -> Binary:
    """Two numbers of 16 bits in one register."""
    narrow = kind.removesuffix("x2")
    each = as_signed(narrow, function)

    def both(a: Bits, b: Bits) -> Bits:
        low = each(a.astype(np.uint16), b.astype(np.uint16)).astype(np.uint32)
        upper = each((a >> np.uint32(16)).astype(np.uint16), (b >> np.uint32(16)).astype(np.uint16))
        return low | upper.astype(np.uint32) << np.uint32(16)

    return both


def chosen(parts: tuple[str, ...]) -> Binary | None:
    """The function of a binary opcode on whole numbers; None if there is no such opcode."""
    family, *options, kind = parts
    plain: dict[str, Binary] = {"add": np.add, "sub": np.subtract, "min": np.minimum, "max": np.maximum}
    if kind.endswith("x2"):
        return halves(kind, plain[family]) if family in plain and not options else None
    if family in ("add", "sub") and options == ["sat"] and kind == "s32":
        return saturated(kind, plain[family])
    if options:
        return None
    return {
        **{name: as_signed(kind, function) for name, function in plain.items()},
        "div": as_signed(kind, divide),
        "rem": as_signed(kind, remainder),
    }.get(family)


def binary(builder: Builder, instruction: Instruction) -> None:
    """add, sub, min, max, div, rem."""
    kind = instruction.parts[-1]
    function = chosen(instruction.parts)
    if function is None:
        raise builder.unsupported()
    lanewise.emit(builder, instruction.operands, Lanewise(kind, (kind, kind), function))


def multiply(builder: Builder, instruction: Instruction) -> None:
    """mul.lo, mul.hi and mul.wide."""
    kind = instruction.parts[-1]
    result, function = product(builder, instruction)
    lanewise.emit(builder, instruction.operands, Lanewise(result, (kind, kind), function))


def product(builder: Builder, instruction: Instruction) -> tuple[str, Binary]:
    """Type and function of a product."""
    kind, options = instruction.parts[-1], instruction.parts[1:-1]
    if options == ("lo",):
        return kind, np.multiply
    if options == ("hi",):
        return kind, high(kind)
    if options == ("wide",) and WIDTHS[kind] in (16, 32):
        return f"{kind[0]}{2 * WIDTHS[kind]}", wide(kind)
    raise builder.unsupported()


def multiply_add(builder: Builder, instruction: Instruction) -> None:
    """mad.lo, mad.hi and mad.wide."""
    kind = instruction.parts[-1]
    result, function = product(builder, instruction)
    lanewise.emit(
        builder,
        instruction.operands,
        Lanewise(result, (kind, kind, result), lambda a, b, c: function(a, b) + c),
    )


def negate(builder: Builder, instruction: Instruction) -> None:
    """neg and abs of signed numbers."""
    kind = instruction.parts[-1]
    if len(instruction.parts) != 2:
        raise builder.unsupported()
    signed, plain = SIGNED[WIDTHS[kind]], UNSIGNED[WIDTHS[kind]]
    function = (
        (lambda a: (plain(0) - a).astype(plain))
        if instruction.family == "neg"
        else (lambda a: np.abs(a.view(signed)).view(plain))
    )
    lanewise.emit(builder, instruction.operands, Lanewise(kind, (kind,), function))


def difference(builder: Builder, instruction: Instruction) -> None:
    """sad: the distance of two numbers, added to a third."""
    kind = instruction.parts[-1]
    larger, smaller = as_signed(kind, np.maximum), as_signed(kind, np.minimum)

    def function(a: Bits, b: Bits, c: Bits) -> Bits:
        return larger(a, b) - smaller(a, b) + c

    lanewise.emit(builder, instruction.operands, Lanewise(kind, (kind, kind, kind), function))


def dot(builder: Builder, instruction: Instruction) -> None:
    """dp4a: four products of bytes, added to a third operand."""
    if len(instruction.parts) != 3 or {*instruction.parts[1:]} - {"s32", "u32"}:
        raise builder.unsupported()
    left, right = (np.int8 if kind == "s32" else np.uint8 for kind in instruction.parts[1:])

    def function(a: Bits, b: Bits, c: Bits) -> Bits:
        total = c.view(np.int32).astype(np.int64)
        for at in range(4):
            by = np.uint32(8 * at)
            x = (a >> by).astype(np.uint8).view(left).astype(np.int64)
            total = total + x * (b >> by).astype(np.uint8).view(right).astype(np.int64)
        return total.astype(np.uint32)

    lanewise.emit(builder, instruction.operands, Lanewise("b32", ("b32", "b32", "b32"), function))
