"""Bits: logic, shifts, fields, permutations, counting."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.text.operands import Immediate

from . import lanewise, shadows
from .lanewise import Lanewise

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.decode.program import Shadow, Step
    from kbtools_plugins.ptx.machine.group import Group
    from kbtools_plugins.ptx.text.kernel import Instruction

Binary = Callable[[Bits, Bits], Bits]
LOGIC: dict[str, tuple[Binary, Shadow]] = {
    "and": (np.bitwise_and, shadows.conjunction),
    "or": (np.bitwise_or, shadows.disjunction),
    "xor": (np.bitwise_xor, shadows.union),
}


def binary(builder: Builder, instruction: Instruction) -> None:
    """and, or, xor."""
    kind = plain(builder, instruction)
    function, shadow = LOGIC[instruction.family]
    lanewise.emit(builder, instruction.operands, Lanewise(kind, (kind, kind), function, shadow))


def plain(builder: Builder, instruction: Instruction) -> str:
    """The type of an opcode that has no options."""
    if len(instruction.parts) != 2 or instruction.parts[1] not in WIDTHS:
        raise builder.unsupported()
    return instruction.parts[1]


def invert(builder: Builder, instruction: Instruction) -> None:
    """not, and cnot, which asks whether a register is 0."""
    kind = plain(builder, instruction)
    if instruction.family == "cnot":
        zero = lambda value: (value == 0).astype(value.dtype)  # noqa: E731 - as below
        lanewise.emit(builder, instruction.operands, Lanewise(kind, (kind,), zero))
    else:
        lanewise.emit(builder, instruction.operands, Lanewise(kind, (kind,), np.invert, shadows.inverted(np.invert)))


def left(width: int) -> Binary:
    """A shift that gives 0 from the width on."""
    kind, most = UNSIGNED[width], np.uint32(width)
    return lambda a, by: np.where(by < most, a << np.minimum(by, np.uint32(width - 1)).astype(kind), kind(0))


def right(kind: str) -> Binary:
    """A shift that gives 0, or copies of the sign, from the width on."""
    width = WIDTHS[kind]
    plain, most, last = UNSIGNED[width], np.uint32(width), np.uint32(width - 1)
    if kind[0] == "s":
        signed = SIGNED[width]
        return lambda a, by: (a.view(signed) >> np.minimum(by, last).astype(signed)).view(plain)
    return lambda a, by: np.where(by < most, a >> np.minimum(by, last).astype(plain), plain(0))


def shift(builder: Builder, instruction: Instruction) -> None:
    """shl and shr; by a constant they are a single operation."""
    kind = plain(builder, instruction)
    width = WIDTHS[kind]
    function = left(width) if instruction.family == "shl" else right(kind)
    amount = instruction.operands[-1]
    if isinstance(amount, Immediate) and 0 <= amount.value < width:
        function = constant_shift(instruction.family, kind, amount.value)
    operation = Lanewise(kind, (kind, "u32"), function, shadows.shifted(function))
    lanewise.emit(builder, instruction.operands, operation)


def constant_shift(family: str, kind: str, amount: int) -> Binary:
    """A shift by a constant below the width."""
    width = WIDTHS[kind]
    plain, signed = UNSIGNED[width], SIGNED[width]
    if family == "shl":
        return lambda a, _: a << plain(amount)
    if kind[0] == "s":
        return lambda a, _: (a.view(signed) >> signed(amount)).view(plain)
    return lambda a, _: a >> plain(amount)


def funnel(builder: Builder, instruction: Instruction) -> None:
    """shf: 32 of the 64 bits of two registers."""
    if len(instruction.parts) != 4 or instruction.parts[3] != "b32":
        raise builder.unsupported()
    _, way, mode, _ = instruction.parts
    to_left = way == "l"

    def function(low: Bits, upper: Bits, by: Bits) -> Bits:
        amount = by & np.uint32(31) if mode == "wrap" else np.minimum(by, np.uint32(32))
        both = upper.astype(np.uint64) << np.uint64(32) | low
        if to_left:
            return ((both << amount.astype(np.uint64)) >> np.uint64(32)).astype(np.uint32)
        return (both >> amount.astype(np.uint64)).astype(np.uint32)

    lanewise.emit(builder, instruction.operands, Lanewise("b32", ("b32", "b32", "u32"), function))


def table_of_three(builder: Builder, instruction: Instruction) -> None:
    """lop3: any function of three bits, given as a table of eight."""
    *operands, table = instruction.operands
    if instruction.parts != ("lop3", "b32") or not isinstance(table, Immediate):
        raise builder.unsupported()
    rows = [(at >> 2 & 1, at >> 1 & 1, at & 1) for at in range(8) if table.value >> at & 1]

    def function(a: Bits, b: Bits, c: Bits) -> Bits:
        result = np.zeros((1, 1), np.uint32)
        for x, y, z in rows:
            result = result | ((a if x else ~a) & (b if y else ~b) & (c if z else ~c))
        return result

    lanewise.emit(builder, tuple(operands), Lanewise("b32", ("b32", "b32", "b32"), function, shadows.union))


def permute(builder: Builder, instruction: Instruction) -> None:
    """prmt: four of the eight bytes of two registers, or their signs."""
    if instruction.parts != ("prmt", "b32"):
        raise builder.unsupported()
    function: Callable[[Bits, Bits, Bits], Bits] = permuted
    selector = instruction.operands[-1]
    if isinstance(selector, Immediate) and not selector.value & 0x8888:
        function = constant_permutation(selector.value)
    operation = Lanewise("b32", ("b32", "b32", "b32"), function, permutation_shadow(function))
    lanewise.emit(builder, instruction.operands, operation)


def permuted(a: Bits, b: Bits, selector: Bits) -> Bits:
    """prmt with a selector that may differ per thread."""
    both = b.astype(np.uint64) << np.uint64(32) | a
    result = np.zeros((1, 1), np.uint32)
    for at in range(4):
        pick = selector >> np.uint32(4 * at)
        byte = (both >> ((pick & np.uint32(7)) * np.uint32(8)).astype(np.uint64)).astype(np.uint32) & np.uint32(0xFF)
        sign = (byte >> np.uint32(7)) * np.uint32(0xFF)
        result = result | np.where(pick & np.uint32(8), sign, byte) << np.uint32(8 * at)
    return result


def constant_permutation(selector: int) -> Callable[[Bits, Bits, Bits], Bits]:
    """prmt with a selector that is known and asks for no signs."""
    picks = [selector >> 4 * at & 7 for at in range(4)]

    def function(a: Bits, b: Bits, _: Bits) -> Bits:
        result = None
        for at, pick in enumerate(picks):
            source, by = (a, pick) if pick < 4 else (b, pick - 4)
            byte = source >> np.uint32(8 * by) if by else source
            byte = byte << np.uint32(24) if at == 3 else (byte & np.uint32(0xFF)) << np.uint32(8 * at)
            result = byte if result is None else result | byte
        return result if result is not None else a

    return function


def permutation_shadow(function: Callable[[Bits, Bits, Bits], Bits]) -> Shadow:
    """Bytes take their shadows along, if the selector is known."""

    def shadow(group: Group, step: Step) -> None:
        left, right, selector = step.reads[:3]
        if selector in group.poison:
            shadows.everything(group, step)
            return
        bits = function(shadows.of(group, left), shadows.of(group, right), group.read(selector))
        shadows.put(group, step, step.writes[0], bits)

    return shadow


def field(kind: str) -> Callable[[Bits, Bits, Bits], Bits]:
    """bfe: some bits from some place on, extended by zeros or by the sign."""
    width = WIDTHS[kind]
    plain = UNSIGNED[width]

    def unsigned(a: Bits, start: Bits, length: Bits) -> Bits:
        start, length = start & np.uint32(0xFF), length & np.uint32(0xFF)
        moved = right(f"u{width}")(a, start)
        keep = left(width)(np.full((1, 1), 1, plain), np.minimum(length, np.uint32(width))) - plain(1)
        return moved & keep

    def signed(a: Bits, start: Bits, length: Bits) -> Bits:
        start, length = start & np.uint32(0xFF), length & np.uint32(0xFF)
        last = np.minimum(start + length - np.uint32(1), np.uint32(width - 1))
        negative = right(f"u{width}")(a, last) & plain(1) == 1
        keep = left(width)(np.full((1, 1), 1, plain), np.minimum(length, np.uint32(width))) - plain(1)
        extended = (right(f"s{width}")(a, start) & keep) | np.where(negative, ~keep, plain(0))
        return np.where(length == 0, plain(0), extended)

    return signed if kind[0] == "s" else unsigned


def extract(builder: Builder, instruction: Instruction) -> None:
    """bfe."""
    kind = plain(builder, instruction)
    function = field(kind)
    operation = Lanewise(kind, (kind, "u32", "u32"), function, shadows.shifted(function))
    lanewise.emit(builder, instruction.operands, operation)


def insert(builder: Builder, instruction: Instruction) -> None:
    """bfi: puts some bits of one register into another one."""
    kind = plain(builder, instruction)
    width = WIDTHS[kind]
    one = UNSIGNED[width](1)

    def function(a: Bits, b: Bits, start: Bits, length: Bits) -> Bits:
        start, length = start & np.uint32(0xFF), np.minimum(length & np.uint32(0xFF), np.uint32(width))
        mask = left(width)(left(width)(np.full((1, 1), one), length) - one, start)
        return (left(width)(a, start) & mask) | (b & ~mask)

    lanewise.emit(builder, instruction.operands, Lanewise(kind, (kind, kind, "u32", "u32"), function))


def reverse(builder: Builder, instruction: Instruction) -> None:
    """brev: the bits from back to front."""
    kind = plain(builder, instruction)
    width = WIDTHS[kind]
    plain_type = UNSIGNED[width]

    def function(a: Bits) -> Bits:
        step = width // 2
        while step:
            mask = plain_type(sum(1 << at for at in range(width) if not at & step))
            a = (a >> plain_type(step)) & mask | (a & mask) << plain_type(step)
            step //= 2
        return a

    lanewise.emit(builder, instruction.operands, Lanewise(kind, (kind,), function, shadows.same(function)))


def top_bit(a: Bits) -> Bits:
    """Number of the highest bit that is set; all ones if none is."""
    width = a.dtype.itemsize * 8
    place = np.zeros(a.shape, np.uint32)
    rest = a
    step = width // 2
    while step:
        large = rest >= a.dtype.type(1 << step)
        rest = np.where(large, rest >> a.dtype.type(step), rest)
        place = place + np.where(large, np.uint32(step), np.uint32(0))
        step //= 2
    return np.where(a == 0, ~np.uint32(0), place)


def count(builder: Builder, instruction: Instruction) -> None:
    """popc, clz and bfind."""
    kind = instruction.parts[-1]
    width = WIDTHS.get(kind, 0)
    if width not in (32, 64):
        raise builder.unsupported()
    functions: dict[tuple[str, ...], Callable[[Bits], Bits]] = {
        ("popc",): lambda a: np.bitwise_count(a).astype(np.uint32),
        ("clz",): lambda a: np.uint32(width - 1) - top_bit(a),
        ("bfind",): lambda a: top_bit(magnitude(a, kind)),
        ("bfind", "shiftamt"): lambda a: distance(top_bit(magnitude(a, kind)), width),
    }
    if instruction.parts[:-1] not in functions:
        raise builder.unsupported()
    function = functions[instruction.parts[:-1]]
    lanewise.emit(builder, instruction.operands, Lanewise("u32", (kind,), function))


def magnitude(a: Bits, kind: str) -> Bits:
    """For signed types the highest bit that differs from the sign counts."""
    negative = a.view(SIGNED[WIDTHS[kind]]) < 0
    return np.where(negative, ~a, a) if kind[0] == "s" else a


def distance(place: Bits, width: int) -> Bits:
    """By how much a register is shifted for a bit to come to the top."""
    return np.where(place == ~np.uint32(0), place, np.uint32(width - 1) - place)
