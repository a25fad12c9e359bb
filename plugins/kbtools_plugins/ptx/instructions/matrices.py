"""mma.sync: how the fragments of a warp lie in registers. What a product is rounded to belongs to `numerics`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx import numerics
from kbtools_plugins.ptx.bits import UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.native import matrix as native
from kbtools_plugins.ptx.text.operands import Vector

from . import shadows
from .warps import WARP, threads, warps, whole_warps

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.decode.program import ProgramStep
    from kbtools_plugins.ptx.machine.group import Group
    from kbtools_plugins.ptx.text.kernel import Instruction

SHAPE = re.compile(r"m(16)n(8)k(\d+)")
DOUBLE = ("m8n8k4", "row", "col", "f64", "f64", "f64", "f64")
ACCUMULATORS = {"f32", "f16", "s32"}


def widths(kind: str) -> int:
    """Bits of one element of a matrix; four bits are not here."""
    return WIDTHS.get(kind, 0)


def product(builder: Builder, instruction: Instruction) -> None:
    """mma.sync.aligned.m16n8kK.row.col[.satfinite].d.a.b.c."""
    if instruction.parts[:3] != ("mma", "sync", "aligned") or len(instruction.operands) != 4:
        raise builder.unsupported()
    if instruction.parts[3:] == DOUBLE:
        emit(builder, instruction, DoubleFragments(), numerics.matrix_product("f64", "f64", "f64"))
        return
    shape, *options, d, a, b, c = instruction.parts[3:]
    found = SHAPE.fullmatch(shape)
    if not found or options[:2] != ["row", "col"] or options[2:] not in ([], ["satfinite"]):
        raise builder.unsupported()
    depth = int(found[3])
    if d != c or d not in ACCUMULATORS or not {widths(a), widths(b)} <= {8, 16, 32} or widths(a) != widths(b):
        raise builder.unsupported()
    function = numerics.matrix_product(a, b, d, bool(options[2:]))
    kinds = (a, b) if d == "f32" else None
    emit(builder, instruction, Fragments(depth, widths(a), widths(d)), function, kinds)


class Fragments:
    """Which element of a tile each register of each lane holds, for tiles of 16 by 8 by `depth`."""

    kind = "b32"

    def __init__(self, depth: int, width: int, accumulator: int) -> None:
        self.depth, self.width, self.accumulator = depth, width, accumulator
        self.each = 32 // width
        """Elements of a register."""
        self.a_count, self.b_count = 16 * depth // WARP // self.each, 8 * depth // WARP // self.each
        self.c_count = 4 * accumulator // 32

    def elements(self, registers: list[Bits], width: int) -> Bits:
        """All registers as (registers, warps, 8 groups of lanes, elements of the four lanes of a group)."""
        return np.stack(registers).view(UNSIGNED[width]).reshape(len(registers), len(registers[0]), 8, -1)

    def left(self, registers: list[Bits]) -> Bits:
        """A as (warps, 16, depth): a register holds neighbours of one row, odd ones the lower eight rows."""
        found = self.elements(registers, self.width)
        halves = found.reshape(len(registers) // 2, 2, *found.shape[1:])
        return halves.transpose(2, 1, 3, 0, 4).reshape(-1, 16, self.depth)

    def right(self, registers: list[Bits]) -> Bits:
        """B as (warps, depth, 8): a register holds neighbours of one column."""
        return self.elements(registers, self.width).transpose(1, 0, 3, 2).reshape(-1, self.depth, 8)

    def gathered(self, registers: list[Bits]) -> Bits:
        """C as (warps, 16, 8): a lane holds two neighbours of a row, and the same eight rows lower."""
        found = self.elements(registers, self.accumulator)
        pairs = found.reshape(2, -1, found.shape[1], 8, 4, found.shape[3] // 4)
        return pairs.transpose(2, 0, 3, 4, 1, 5).reshape(-1, 16, 8)

    def scattered(self, result: Bits) -> list[Bits]:
        """D as registers, the opposite of `gathered`."""
        tiles = len(result)
        pairs = np.ascontiguousarray(result.reshape(tiles, 2, 8, 4, 2).transpose(0, 2, 3, 1, 4))
        flat = pairs.reshape(tiles, WARP, 4).view(np.uint32)
        return [flat[:, :, at] for at in range(self.c_count)]


def registers(group: Group, parts: tuple[tuple[int, ...], ...]) -> list[list[Bits]]:
    """The operands of a product."""
    return [[group.read(slot) for slot in part] for part in parts]


class DoubleFragments:
    """The same for f64: tiles of 8 by 8 by 4, one element of A and B and two neighbours of C in each lane."""

    kind, depth = "b64", 4
    a_count, b_count, c_count = 1, 1, 2

    def left(self, registers: list[Bits]) -> Bits:
        """A as (warps, 8, 4)."""
        return registers[0].reshape(-1, 8, 4)

    def right(self, registers: list[Bits]) -> Bits:
        """B as (warps, 4, 8)."""
        return registers[0].reshape(-1, 8, 4).transpose(0, 2, 1)

    def gathered(self, registers: list[Bits]) -> Bits:
        """C as (warps, 8, 8)."""
        return np.stack(registers, axis=2).reshape(-1, 8, 8)

    def scattered(self, result: Bits) -> list[Bits]:
        """D as registers."""
        pairs = result.reshape(-1, WARP, 2)
        return [pairs[:, :, 0], pairs[:, :, 1]]


def emit(
    builder: Builder,
    instruction: Instruction,
    fragments: Fragments | DoubleFragments,
    function: Callable[[Bits, Bits, Bits], Bits],
    kinds: tuple[str, str] | None = None,
) -> None:
    """The step of a product; `kinds` of operands that are added up in f32."""
    counts = (fragments.c_count, fragments.a_count, fragments.b_count, fragments.c_count)
    vectors = [operand for operand in instruction.operands if isinstance(operand, Vector)]
    if [len(vector.elements) for vector in vectors] != list(counts):
        raise builder.unsupported()
    a, b, c = (tuple(builder.source(each, fragments.kind) for each in vector.elements) for vector in vectors[1:])
    d = tuple(builder.result(each, fragments.kind) for each in vectors[0].elements)
    guard = builder.guard

    def run(group: Group) -> None:
        whole_warps(group, guard)
        rows = max(group.read(slot).shape[0] for slot in (*a, *b, *c))
        if kinds and (made := native.product(group, kinds, fragments.depth, registers(group, (a, b, c)), rows)):
            for slot, value in zip(d, made, strict=True):
                group.write(slot, value, guard)
            return
        flat = [[tiles(group, group.read(slot), rows) for slot in slots] for slots in (a, b, c)]
        left, right, old = fragments.left(flat[0]), fragments.right(flat[1]), fragments.gathered(flat[2])
        result = function(left, right, old)
        for slot, value in zip(d, fragments.scattered(result), strict=True):
            group.write(slot, threads(group, value.reshape(rows, group.warps, WARP)), guard)

    builder.emit(run, (*a, *b, *c), d, warp_shadow)


def tiles(group: Group, value: Bits, rows: int) -> Bits:
    """A register as (warps of all programs, lanes)."""
    whole = warps(group, value)
    if len(whole) != rows:
        whole = np.broadcast_to(whole, (rows, *whole.shape[1:]))
    return whole.reshape(rows * group.warps, WARP)


def warp_shadow(group: Group, step: ProgramStep) -> None:
    """One uninitialised element makes the results of the whole warp so."""
    where = shadows.affected(group, step.reads)
    for slot in step.writes:
        if where is None:
            shadows.put(group, step, slot, None)
            continue
        some = warps(group, where).any(axis=2, keepdims=True)
        whole = threads(group, np.repeat(some, WARP, axis=2))
        shadows.put(group, step, slot, shadows.whole(whole, group, slot))
