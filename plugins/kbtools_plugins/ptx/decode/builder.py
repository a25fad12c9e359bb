"""Turns instructions into steps: finds slots of operands, adjusts widths, and adds what an instruction needs before it.

Families of instructions (instructions/) call `source`, `result`, `address` and `emit`; they never see text again.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.faults import BadText, Unsupported
from kbtools_plugins.ptx.instructions import shadows
from kbtools_plugins.ptx.native.rule import Micro, resized
from kbtools_plugins.ptx.text.kernel import DeviceFunction, Instruction, Module
from kbtools_plugins.ptx.text.operands import Address, Immediate, Negated, Operand, Register, Sink, Symbol

from .program import ProgramStep, Run, Shadow
from .slots import CLOCKS, WIDE, Slots

if TYPE_CHECKING:
    from kbtools_plugins.ptx.machine.group import Group

Guard = tuple[int, bool] | None


class Builder:
    """The steps of one block after another."""

    def __init__(self, function: DeviceFunction, module: Module, seed: int | None = None) -> None:
        self.slots = Slots(function, module)
        self.seed = seed
        self.threads = None if function.threads is None else prod(function.threads)
        self.steps: list[ProgramStep] = []
        self.all: list[ProgramStep] = []
        self.sizes: set[int] = set()
        """Bytes of single accesses to memory."""
        self.opcodes: list[str] = []
        self.approximate: set[str] = set()
        self.instruction: Instruction | None = None
        self.guard: Guard = None
        self._later: list[Callable[[], None]] = []

    def build(self, instruction: Instruction, make: Callable[[Builder, Instruction], None]) -> None:
        """Adds the steps of an instruction."""
        self.instruction, self.guard, self._later = instruction, None, []
        if instruction.guard:
            self.guard = self.slots.register(instruction.guard.predicate), instruction.guard.negated
        self.opcodes.append(instruction.opcode)
        make(self, instruction)
        for late in self._later:
            late()

    def emit(
        self,
        run: Run,
        reads: tuple[int, ...],
        writes: tuple[int, ...],
        shadow: Shadow,
        micros: tuple[Micro, ...] = (),
    ) -> None:
        """Adds a step."""
        if self.instruction is None:
            raise AssertionError("a step belongs to an instruction")
        guard = () if self.guard is None else (self.guard[0],)
        step = ProgramStep(
            run, self.instruction.line, self.instruction.opcode, (*reads, *guard), writes, shadow, len(self.all)
        )
        step.guard, step.micros = self.guard, micros
        self.steps.append(step)
        self.all.append(step)

    def take(self) -> list[ProgramStep]:
        """The steps since the last call."""
        steps, self.steps = self.steps, []
        return steps

    def source(self, operand: Operand, kind: str) -> int:
        """A slot that holds an operand in the width of a type."""
        if isinstance(operand, Negated):
            return self.negated(operand, kind)
        if isinstance(operand, Register) and operand.name in CLOCKS:
            return self.clock(operand.name, WIDTHS[kind])
        slot = self.slots.value(operand, kind)
        have, want = self.slots.widths[slot], WIDTHS[kind]
        return slot if have == want else self.resized(slot, want, signed=False)

    def negated(self, operand: Negated, kind: str) -> int:
        """`!%p`."""
        if kind != "pred":
            raise BadText(f"! before a register of type .{kind}")
        slot, new = self.slots.register(operand.register), self.slots.new(1)
        self.convert(slot, new, np.logical_not, ("not.pred", (slot,), new))
        return new

    def clock(self, name: str, width: int) -> int:
        """A clock, which counts how often it was read; nothing may depend on it."""
        new = self.slots.new(64 if name in WIDE else 32)
        kind = UNSIGNED[self.slots.widths[new]]

        def run(group: Group) -> None:
            group.ticks += 1
            group.registers[new] = np.full((1, 1), group.ticks, kind)
            if group.memory.track:
                group.poison[new] = np.full((1, 1), ~kind(0), kind)

        self.emit(run, (), (new,), shadows.clean)
        return new if self.slots.widths[new] == width else self.resized(new, width, signed=False)

    def resized(self, slot: int, width: int, *, signed: bool) -> int:
        """A copy of a register in another width."""
        have = self.slots.widths[slot]
        if 1 in (have, width):
            raise BadText(f"{have} bits where {width} are wanted")
        new = self.slots.new(width)
        self.convert(slot, new, resizing(have, width, signed), resized(slot, new, have, width, signed))
        return new

    def convert(self, slot: int, new: int, function: Callable[[Bits], Bits], micro: Micro) -> None:
        """A step of its own that adjusts an operand; it is not guarded, because its result is only read here."""

        def run(group: Group) -> None:
            group.registers[new] = function(group.read(slot))

        guard, self.guard = self.guard, None
        self.emit(run, (slot,), (new,), shadows.same(function), (micro,))
        self.steps[-1].is_adjustment = True
        self.guard = guard

    def result(self, operand: Operand, kind: str) -> int:
        """A slot that takes a result of a type; wider registers get it extended once the instruction is done."""
        if isinstance(operand, Sink) or (isinstance(operand, Register) and operand.name == "_"):
            return self.slots.new(WIDTHS[kind])
        if not isinstance(operand, Register) or operand.name not in self.slots.registers:
            raise BadText(f"{operand} is not a register")
        slot = self.slots.registers[operand.name]
        have, want = self.slots.widths[slot], WIDTHS[kind]
        if have == want:
            return slot
        new = self.slots.new(want)
        self._later.append(lambda: self.extend(new, slot, kind))
        return new

    def extend(self, new: int, slot: int, kind: str) -> None:
        """Copies a result into a register of another width."""
        have, want = WIDTHS[kind], self.slots.widths[slot]
        if 1 in (have, want):
            raise BadText(f"a result of {have} bits in a register of {want}")
        function, guard = resizing(have, want, kind[0] == "s"), self.guard

        def run(group: Group) -> None:
            value = group.registers[new]
            if value is not None:
                group.write(slot, function(value), guard)

        micro = resized(new, slot, have, want, kind[0] == "s")
        self.emit(run, (new,), (slot,), shadows.same(function), (micro,))
        self.steps[-1].is_adjustment = True

    def address(self, operand: Operand, width: int) -> int:
        """A slot that holds an address; its offset is added in a step of its own."""
        if not isinstance(operand, Address):
            raise BadText(f"{operand} is not an address")
        base, offset = operand.base, operand.offset
        if isinstance(base, Immediate):
            return self.slots.constant(base.value + offset, width)
        if isinstance(base, Symbol):
            return self.slots.symbol(base.name, base.offset + offset, width)
        slot = self.slots.register(base)
        if self.slots.widths[slot] != width:
            slot = self.resized(slot, width, signed=False)
        return self.moved(slot, offset, width) if offset else slot

    def moved(self, slot: int, offset: int, width: int) -> int:
        """An address some bytes further."""
        new, by = self.slots.new(width), UNSIGNED[width](offset & ((1 << width) - 1))

        def further(value: Bits) -> Bits:
            return value + by

        self.convert(slot, new, further, (f"add.b{width}", (slot, self.slots.constant(offset, width)), new))
        return new

    def unsupported(self) -> Unsupported:
        """The instruction is not in the table."""
        if self.instruction is None:
            raise AssertionError("no instruction is being built")
        return Unsupported(f"ptx:{self.instruction.opcode}", self.instruction.line)


def resizing(have: int, want: int, signed: bool) -> Callable[[Bits], Bits]:
    """Cuts bits off or extends them."""
    if signed and want > have:
        narrow, wide, plain = SIGNED[have], SIGNED[want], UNSIGNED[want]
        return lambda value: value.view(narrow).astype(wide).view(plain)
    kind = UNSIGNED[want]
    return lambda value: value.astype(kind)
