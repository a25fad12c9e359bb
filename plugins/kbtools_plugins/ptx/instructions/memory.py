"""Loads and stores of all spaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbtools_plugins.ptx.bits import WIDTHS
from kbtools_plugins.ptx.faults import BadText
from kbtools_plugins.ptx.native.rule import COPY
from kbtools_plugins.ptx.text.operands import Address, Operand, Register, Symbol, Vector

from . import lanewise, shadows, spaces
from .moves import copy

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.machine.group import Group
    from kbtools_plugins.ptx.text.kernel import Instruction

HINTS = {
    "ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc", "weak", "volatile", "relaxed", "acquire", "release", "mmio",
    "cta", "cluster", "gpu", "sys", "unified",
}  # fmt: skip
"""Parts that say how, and not what: caches, order and scope."""
VECTORS = {"v2": 2, "v4": 4, "v8": 8}


def shape(builder: Builder, instruction: Instruction) -> tuple[str, int, str]:
    """Space, number of elements and type."""
    *options, kind = instruction.parts[1:]
    count = 1
    for option in options:
        plain = option.split("::")[0]
        if option in VECTORS:
            count = VECTORS[option]
        elif plain not in HINTS and plain not in spaces.SPACES and plain not in ("L1", "L2", "evict", "level"):
            raise builder.unsupported()
    if kind not in WIDTHS or WIDTHS[kind] not in (8, 16, 32, 64):
        raise builder.unsupported()
    return spaces.space_of(instruction.parts), count, kind


def elements(operand: Operand, count: int) -> tuple[Operand, ...]:
    """The registers of a vector, or a single one, which inline assembly also writes in braces."""
    found = operand.elements if isinstance(operand, Vector) else (operand,)
    if len(found) != count:
        raise BadText(f"{len(found)} registers for {count} elements")
    return found


def address_width(space: str, operand: Operand, builder: Builder) -> int:
    """Addresses of shared and local memory may have 32 or 64 bits, all others have 64."""
    if space not in ("shared", "local"):
        return 64
    base = operand.base if isinstance(operand, Address) else operand
    if isinstance(base, Register):
        return builder.slots.widths[builder.slots.register(base)]
    return 32


def place(builder: Builder, operand: Operand, space: str) -> int:
    """Slot of an address."""
    width = address_width(space, operand, builder)
    slot = builder.address(operand, width)
    if space == "local" and width == 32:
        return builder.resized(slot, 64, signed=False)
    return slot


def load(builder: Builder, instruction: Instruction) -> None:
    """ld."""
    space, count, kind = shape(builder, instruction)
    if len(instruction.operands) not in (2, 3):
        raise builder.unsupported()
    target, source = instruction.operands[:2]
    if space == "param":
        parameter(builder, elements(target, count), source, kind)
        return
    size, guard = WIDTHS[kind] // 8, builder.guard
    note_size(builder, space, size * count)
    address = place(builder, source, space)
    slots = tuple(builder.result(element, kind) for element in elements(target, count))
    how = spaces.strength(instruction.parts)

    def run(group: Group) -> None:
        values, poison = spaces.load(group, space, group.read(address), group.guarded(guard), size, count, how)
        for slot, value, dirty in zip(slots, values, poison, strict=True):
            if dirty is not None or group.poison:
                shadows.put(group, step, slot, dirty)
            group.write(slot, value, guard)

    builder.emit(run, (address,), slots, shadows.own)
    step = builder.steps[-1]


def note_size(builder: Builder, space: str, size: int) -> None:
    """The smallest access decides how finely it is noted who touched memory."""
    if space != "local":
        builder.sizes.add(min(size, 8))


def parameter(builder: Builder, targets: tuple[Operand, ...], source: Operand, kind: str) -> None:
    """ld.param: the value is in a slot from the start."""
    if not isinstance(source, Address) or not isinstance(source.base, Symbol):
        raise builder.unsupported()
    width = WIDTHS[kind]
    guard = builder.guard
    for at, target in enumerate(targets):
        offset = source.base.offset + source.offset + at * width // 8
        slot = builder.slots.parameter(source.base.name, offset, width)
        result = builder.result(target, kind)
        micro = (COPY, (slot,), result)
        builder.emit(lanewise.one(copy, slot, result, guard), (slot,), (result,), shadows.same(copy), (micro,))


def store(builder: Builder, instruction: Instruction) -> None:
    """st."""
    space, count, kind = shape(builder, instruction)
    if space in ("param", "const") or len(instruction.operands) not in (2, 3):
        raise builder.unsupported()
    target, source = instruction.operands[:2]
    size, guard = WIDTHS[kind] // 8, builder.guard
    note_size(builder, space, size * count)
    address = place(builder, target, space)
    slots = tuple(builder.source(element, kind) for element in elements(source, count))
    how = spaces.strength(instruction.parts)

    def run(group: Group) -> None:
        poison = [group.poison.get(slot) for slot in slots]
        values = [group.read(slot) for slot in slots]
        spaces.store(group, space, group.read(address), group.guarded(guard), size, values, poison, how)

    builder.emit(run, (address, *slots), (), shadows.some((address,)))
