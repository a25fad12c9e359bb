"""atom and red: threads take turns, in the order of programs and threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx import numerics
from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.memory.atomic import Atomic, Combine
from kbtools_plugins.ptx.memory.order import Strength
from kbtools_plugins.ptx.numerics.modifiers import Modifiers
from kbtools_plugins.ptx.text.operands import Operand

from . import shadows, spaces
from .integers import is_whole
from .memory import HINTS, VECTORS, elements, note_size, place

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.machine.group import Group
    from kbtools_plugins.ptx.text.kernel import Instruction

OPERATIONS = {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"}
PLAIN: dict[str, Callable[[Bits, Bits], Bits]] = {
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "exch": lambda old, new: new,
    "inc": lambda old, top: np.where(old >= top, old.dtype.type(0), old + old.dtype.type(1)),
    "dec": lambda old, top: np.where((old == 0) | (old > top), top, old - old.dtype.type(1)),
}
NUMBERS: dict[str, Callable[[Bits, Bits], Bits]] = {"add": np.add, "min": np.minimum, "max": np.maximum}


def meaning(builder: Builder, instruction: Instruction) -> tuple[str, str, int]:
    """Operation, type, and number of elements."""
    *options, kind = instruction.parts[1:]
    found = [option for option in options if option in OPERATIONS]
    rest = [option for option in options if option not in OPERATIONS]
    known = HINTS | set(VECTORS) | {"acq_rel", "seq_cst", "noftz", "ftz"}
    if len(found) != 1 or any(part.split("::")[0] not in known | set(spaces.SPACES) for part in rest):
        raise builder.unsupported()
    if kind not in WIDTHS or WIDTHS[kind] not in (16, 32, 64):
        raise builder.unsupported()
    return found[0], kind, max((VECTORS[option] for option in options if option in VECTORS), default=1)


def combination(name: str, kind: str) -> Combine:
    """The new value of a cell."""
    if name == "cas":
        return lambda old, given: np.where(old == given[0], given[1], old)
    if name in PLAIN:
        plain = PLAIN[name]
        return lambda old, given: plain(old, given[0])
    if not is_whole(kind):
        function = numerics.arithmetic(name, kind, Modifiers(rounding="rn" if name == "add" else ""))
        return lambda old, given: function(old, given[0])
    number = NUMBERS[name]
    if kind[0] != "s":
        return lambda old, given: number(old, given[0])
    signed, bits = SIGNED[WIDTHS[kind]], UNSIGNED[WIDTHS[kind]]
    return lambda old, given: number(old.view(signed), given[0].view(signed)).view(bits)


def update(builder: Builder, instruction: Instruction) -> None:
    """atom and red."""
    name, kind, count = meaning(builder, instruction)
    space = spaces.space_of(instruction.parts)
    target, where, operands = parts(builder, instruction, count)
    how = spaces.strength(instruction.parts) or Strength()
    operation = Atomic(name, combination(name, kind), how)
    note_size(builder, space, WIDTHS[kind] // 8)
    base = where
    for at in range(count):
        address = place(builder, base, space)
        if at:
            address = builder.moved(address, at * WIDTHS[kind] // 8, builder.slots.widths[address])
        sources = tuple(builder.source(operand[at], kind) for operand in operands)
        result = builder.result(target[at], kind) if target else builder.slots.new(WIDTHS[kind])
        one(builder, space, address, sources, result, WIDTHS[kind] // 8, operation)


def parts(
    builder: Builder, instruction: Instruction, count: int
) -> tuple[tuple[Operand, ...], Operand, list[tuple[Operand, ...]]]:
    """Results (none for red), address, and operands, each with one register for every element."""
    operands = list(instruction.operands)
    target = elements(operands.pop(0), count) if instruction.family == "atom" else ()
    wanted = 2 if "cas" in instruction.parts else 1
    if len(operands) not in (1 + wanted, 2 + wanted):
        raise builder.unsupported()
    where, given = operands[0], operands[1 : 1 + wanted]
    return target, where, [elements(operand, count) for operand in given]


def one(
    builder: Builder,
    space: str,
    address: int,
    sources: tuple[int, ...],
    result: int,
    size: int,
    operation: Atomic,
) -> None:
    """One atomic operation for each thread."""
    guard = builder.guard

    def run(group: Group) -> None:
        given = [group.read(slot) for slot in sources]
        mask = group.guarded(guard)
        value, dirty = spaces.atomic(group, space, group.read(address), mask, size, given, operation)
        if dirty is not None or group.poison:
            shadows.put(group, step, result, dirty)
        group.write(result, value, guard)

    builder.emit(run, (address, *sources), (result,), shadows.own)
    step = builder.steps[-1]
