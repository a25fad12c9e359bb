"""Async copies (cp.async) and matrices in shared memory (ldmatrix, stmatrix)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.faults import Fault
from kbtools_plugins.ptx.memory.cells import acted, at_thread
from kbtools_plugins.ptx.text.operands import Immediate

from . import shadows
from .memory import elements, place
from .warps import whole_warps

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.machine.group import Group
    from kbtools_plugins.ptx.text.kernel import Instruction

HINTS = {"L2", "ca", "cg", "shared", "global", "async", "cta"}


def copy_async(builder: Builder, instruction: Instruction) -> None:
    """cp.async and its groups."""
    if "commit_group" in instruction.parts:
        commit(builder)
    elif "wait_group" in instruction.parts or "wait_all" in instruction.parts:
        wait(builder, instruction)
    else:
        transfer(builder, instruction)


def commit(builder: Builder) -> None:
    """All copies since the last commit become a group."""

    def run(group: Group) -> None:
        group.shared.commit(acted(group, group.mask))

    builder.emit(run, (), (), shadows.own)


def wait(builder: Builder, instruction: Instruction) -> None:
    """Waits until only some groups are left; wait_all leaves none, and commits first."""
    everything = "wait_all" in instruction.parts
    left = 0
    if not everything:
        operand = instruction.operands[0]
        if not isinstance(operand, Immediate) or operand.value < 0:
            raise builder.unsupported()
        left = operand.value

    def run(group: Group) -> None:
        acting = acted(group, group.mask)
        if everything:
            group.shared.commit(acting)
        group.shared.wait(acting, left)

    builder.emit(run, (), (), shadows.own)


def transfer(builder: Builder, instruction: Instruction) -> None:
    """Copies 4, 8 or 16 bytes from global to shared memory; what the source does not have is 0."""
    if any(part.split("::")[0] not in HINTS for part in instruction.parts[1:]) or len(instruction.operands) < 3:
        raise builder.unsupported()
    target, source, size, *more = instruction.operands
    if not isinstance(size, Immediate) or size.value not in (4, 8, 16) or len(more) > 1:
        raise builder.unsupported()
    total = size.value
    into, out_of = place(builder, target, "shared"), place(builder, source, "global")
    given = builder.source(more[0], "b32") if more else builder.slots.constant(total, 32)
    guard = builder.guard
    builder.sizes.add(4)

    def run(group: Group) -> None:
        mask = group.guarded(guard)
        values, poison = fetch(group, group.read(out_of), group.read(given), mask, total)
        group.shared.store(group, group.read(into), mask, 4, values, poison, copying=True)

    builder.emit(run, (into, out_of, given), (), shadows.decides)


def fetch(
    group: Group, address: Bits, given: Bits, mask: Bits | None, total: int
) -> tuple[list[Bits], list[Bits | None]]:
    """The words of a copy of which the source has `given` bytes."""
    words = total // 4
    if (given == total).all():
        return group.memory.load(group, address, mask, 4, words)
    sizes = given if mask is None else np.where(mask, given, np.uint32(0))
    bad = (sizes > total) | (sizes % 4 != 0)
    if bad.any():
        raise at_thread(Fault(f"cp.async of {total} bytes of which the source has another part"), group, bad)
    values: list[Bits] = []
    poison: list[Bits | None] = []
    for word in range(words):
        here = sizes > 4 * word
        value, dirty = group.memory.load(group, address + np.uint64(4 * word), here, 4, 1)
        values.append(np.where(here, value[0], np.uint32(0)))
        poison.append(dirty[0])
    return values, poison


def matrix_shape(builder: Builder, instruction: Instruction) -> tuple[int, bool]:
    """How many matrices of 8 by 8 values of 16 bits, and whether they are transposed."""
    counts = [int(part[1:]) for part in instruction.parts if part in ("x1", "x2", "x4")]
    known = {"sync", "aligned", "m8n8", "x1", "x2", "x4", "trans", "shared", "b16"}
    if len(counts) != 1 or any(part.split("::")[0] not in known for part in instruction.parts[1:]):
        raise builder.unsupported()
    return counts[0], "trans" in instruction.parts


def lanes(group: Group, transposed: bool) -> tuple[Bits, Bits, Bits]:
    """For each thread: the two rows (within a matrix) and the columns that its register holds."""
    lane = np.arange(group.threads) % 32
    if transposed:
        row, column = 2 * (lane % 4), lane // 4
        return row, row + 1, np.stack([column, column])
    row, column = lane // 4, 2 * (lane % 4)
    return row, row, np.stack([column, column + 1])


def rows_from(group: Group, address: Bits, matrix: int, row: Bits) -> Bits:
    """Address of a row, which a lane of the same warp names."""
    base = np.arange(group.threads) // 32 * 32
    every = address
    if address.shape[1] != group.threads:
        every = np.broadcast_to(address, (address.shape[0], group.threads))
    return every.take(np.minimum(base + 8 * matrix + row, group.threads - 1), axis=1)


def load_matrix(builder: Builder, instruction: Instruction) -> None:
    """ldmatrix."""
    count, transposed = matrix_shape(builder, instruction)
    target, source = instruction.operands
    address = place(builder, source, "shared")
    slots = tuple(builder.result(element, "b32") for element in elements(target, count))
    guard = builder.guard
    builder.sizes.add(2 if transposed else 4)

    def run(group: Group) -> None:
        mask = whole_warps(group, guard)
        for matrix, slot in enumerate(slots):
            value, dirty = one_matrix(group, group.read(address), matrix, transposed, mask)
            if dirty is not None or group.poison:
                shadows.put(group, step, slot, dirty)
            group.write(slot, value, guard)

    builder.emit(run, (address,), slots, shadows.own)
    step = builder.steps[-1]


def one_matrix(
    group: Group, address: Bits, matrix: int, transposed: bool, mask: Bits | None
) -> tuple[Bits, Bits | None]:
    """One register of ldmatrix."""
    first, second, columns = lanes(group, transposed)
    by = address.dtype.type(2)
    low = rows_from(group, address, matrix, first) + columns[0].astype(address.dtype) * by
    if not transposed:
        values, poison = group.shared.load(group, low, mask, 4, 1)
        return values[0], poison[0]
    high = rows_from(group, address, matrix, second) + columns[1].astype(address.dtype) * by
    half = np.uint32(16)
    found = [group.shared.load(group, at, mask, 2, 1) for at in (low, high)]
    value = found[0][0][0].astype(np.uint32) | found[1][0][0].astype(np.uint32) << half
    dirty = [each[1][0] for each in found]
    if dirty[0] is None and dirty[1] is None:
        return value, None
    zero = np.zeros((1, 1), np.uint32)
    parts = [zero if each is None else each.astype(np.uint32) for each in dirty]
    return value, parts[0] | parts[1] << half


def store_matrix(builder: Builder, instruction: Instruction) -> None:
    """stmatrix: the opposite of ldmatrix."""
    count, transposed = matrix_shape(builder, instruction)
    target, source = instruction.operands
    address = place(builder, target, "shared")
    slots = tuple(builder.source(element, "b32") for element in elements(source, count))
    guard = builder.guard
    builder.sizes.add(2)

    def run(group: Group) -> None:
        mask = whole_warps(group, guard)
        first, second, columns = lanes(group, transposed)
        for matrix, slot in enumerate(slots):
            value = group.read(slot)
            for row, column, part in ((first, columns[0], 0), (second, columns[1], 16)):
                at = rows_from(group, group.read(address), matrix, row) + (2 * column).astype(np.uint32)
                half = (value >> np.uint32(part)).astype(np.uint16)
                group.shared.store(group, at, mask, 2, [half], [None])

    builder.emit(run, (address, *slots), (), shadows.decides)
