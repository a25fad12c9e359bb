"""Chains of additions and products that hand a carry from one instruction to the next (`.cc`, `addc`, `madc`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx import numerics
from kbtools_plugins.ptx.bits import WIDTHS, Bits
from kbtools_plugins.ptx.text.operands import Register

from . import shadows

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.machine.group import Group
    from kbtools_plugins.ptx.text.kernel import Instruction

CARRY = Register("%cc")


def needs_carry(instruction: Instruction) -> bool:
    """Whether an opcode reads or writes the carry."""
    return instruction.family in ("addc", "subc", "madc") or "cc" in instruction.parts


def chain(builder: Builder, instruction: Instruction) -> None:
    """add.cc, addc, sub.cc, subc, mad.cc and madc."""
    kind, family = instruction.parts[-1], instruction.family
    if kind not in ("u32", "s32", "b32", "u64", "s64", "b64"):
        raise builder.unsupported()
    sources = tuple(builder.source(operand, kind) for operand in instruction.operands[1:])
    if len(sources) != (3 if family.startswith("mad") else 2):
        raise builder.unsupported()
    result, carry = builder.result(instruction.operands[0], kind), builder.slots.register(CARRY)
    reads_carry, writes_carry, guard = family.endswith("c"), "cc" in instruction.parts, builder.guard
    upper = "hi" in instruction.parts
    upper_half = numerics.integer("mul.hi", kind)

    def run(group: Group) -> None:
        operands = [group.read(slot) for slot in sources]
        if family.startswith("mad"):
            operands = [upper_half(*operands[:2]) if upper else operands[0] * operands[1], operands[2]]
        before: Bits = group.read(carry) if reads_carry else np.zeros((1, 1), np.bool_)
        value, after = total(operands[0], operands[1], before, subtract=family.startswith("sub"))
        group.write(result, value, guard)
        if writes_carry:
            group.write(carry, after, guard)

    reads = (*sources, carry) if reads_carry else sources
    builder.emit(run, reads, (result, carry) if writes_carry else (result,), shadows.everything)


def total(a: Bits, b: Bits, carry: Bits, *, subtract: bool) -> tuple[Bits, Bits]:
    """A sum or a difference, and whether it carried or borrowed."""
    one = carry.astype(a.dtype)
    if subtract:
        value = a - b - one
        return value, (a < b) | ((a == b) & carry)
    value = a + b + one
    return value, (value < a) | ((value == a) & carry & (b == b.dtype.type(-1 & ((1 << WIDTHS_OF[b.dtype]) - 1))))


WIDTHS_OF = {np.dtype(np.uint32): WIDTHS["u32"], np.dtype(np.uint64): WIDTHS["u64"]}
