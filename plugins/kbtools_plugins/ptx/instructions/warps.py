"""Threads of a warp together: shuffles, votes, reductions, and matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.faults import Divergence
from kbtools_plugins.ptx.memory.cells import at_thread
from kbtools_plugins.ptx.text.operands import OperandPair

from . import shadows

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.machine.group import Group
    from kbtools_plugins.ptx.text.kernel import Instruction

WARP = 32
REDUCTIONS: dict[str, np.ufunc] = {
    "add": np.add,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}


def warps(group: Group, value: Bits) -> Bits:
    """A register as (programs, warps, lanes); a warp that is not full is filled up with zeros."""
    rows = value.shape[0]
    full = value if value.shape[1] == group.threads else np.broadcast_to(value, (rows, group.threads))
    missing = group.warps * WARP - group.threads
    if missing:
        full = np.concatenate([full, np.zeros((rows, missing), full.dtype)], axis=1)
    return full.reshape(rows, group.warps, WARP)


def threads(group: Group, value: Bits) -> Bits:
    """The opposite of `warps`."""
    return np.ascontiguousarray(value).reshape(value.shape[0], -1)[:, : group.threads]


def whole_warps(group: Group, guard: tuple[int, bool] | None) -> Bits | None:
    """The active threads; Divergence if some of a warp are and some are not, which `.aligned` forbids."""
    mask = group.guarded(guard)
    if mask is None or mask.shape[1] == 1:
        return mask
    active = warps(group, mask)
    exist = warps(group, np.ones((1, group.threads), np.bool_))
    torn = active.any(axis=2, keepdims=True) & (exist & ~active).any(axis=2, keepdims=True)
    if torn.any():
        text = f"{group.step.opcode if group.step else ''} is executed by some threads of a warp and not by others"
        raise at_thread(Divergence(text), group, threads(group, torn & exist & ~active))
    return mask


def check_members(group: Group, members: Bits, guard: tuple[int, bool] | None) -> None:
    """Divergence if a thread that is named in the member mask is elsewhere."""
    mask = group.guarded(guard)
    if mask is None or mask.shape[1] == 1:
        return
    active = warps(group, mask)
    named = (warps(group, members) >> np.arange(WARP, dtype=np.uint32)) & np.uint32(1) != 0
    exist = warps(group, np.ones((1, group.threads), np.bool_))
    absent = active.any(axis=2, keepdims=True) & named & exist & ~active
    if absent.any():
        text = f"{group.step.opcode if group.step else ''} names threads of its warp that are at another place"
        raise at_thread(Divergence(text), group, threads(group, absent))


def sources(mode: str, lane: Bits, by: Bits, clamp: Bits) -> tuple[Bits, Bits]:
    """From which lane each one reads, and whether that is within its segment."""
    by, segment, limit = by & 31, clamp >> 8 & 31, clamp & 31
    top = (lane & segment) | (limit & ~segment & 31)
    if mode == "up":
        source = lane - by
        return source, source >= top
    if mode == "down":
        source = lane + by
    elif mode == "bfly":
        source = lane ^ by
    else:
        source = (lane & segment) | (by & ~segment & 31)
    return source, source <= top


def shuffle(builder: Builder, instruction: Instruction) -> None:
    """shfl.sync."""
    if len(instruction.parts) != 4 or instruction.parts[1] != "sync" or len(instruction.operands) != 5:
        raise builder.unsupported()
    mode = instruction.parts[2]
    target, *given = instruction.operands
    register, predicate = (target.first, target.second) if isinstance(target, OperandPair) else (target, None)
    value, by, clamp, members = (builder.source(operand, "b32") for operand in given)
    result = builder.result(register, "b32")
    inside = builder.result(predicate, "pred") if predicate else builder.slots.new(1)
    guard = builder.guard

    def run(group: Group) -> None:
        check_members(group, group.read(members), guard)
        moved, ok = permuted(group, mode, *(group.read(slot) for slot in (value, by, clamp)))
        found = group.poison.get(value)
        if found is not None or group.poison:
            dirty = None if found is None else moved(found)
            shadows.put(group, step, result, dirty)
            shadows.put(group, step, inside, None)
        group.write(result, moved(group.read(value)), guard)
        group.write(inside, ok, guard)

    builder.emit(run, (value, by, clamp, members), (result, inside), shadows.some((by, clamp, members)))
    step = builder.steps[-1]


def permuted(group: Group, mode: str, value: Bits, by: Bits, clamp: Bits) -> tuple[Callable[[Bits], Bits], Bits]:
    """A function that moves registers between lanes, and which lanes read from their segment."""
    number = np.arange(group.threads, dtype=np.int64)[None]
    lane, base = number % WARP, number // WARP * WARP
    source, ok = sources(mode, lane, by.astype(np.int64), clamp.astype(np.int64))
    at = np.minimum(base + np.where(ok, source, lane), group.threads - 1)
    if at.shape[0] == 1:
        flat = at[0]

        def move(bits: Bits) -> Bits:
            return bits if bits.shape[1] == 1 else bits.take(flat, axis=1)

        return move, ok
    return lambda bits: np.take_along_axis(group.full(bits), np.broadcast_to(at, group.shape), 1), ok


def acting(group: Group, guard: tuple[int, bool] | None) -> Bits:
    """Active threads as (programs, warps, lanes)."""
    mask = group.guarded(guard)
    exist = np.ones((1, group.threads), np.bool_)
    return warps(group, exist if mask is None else mask & exist)


def vote(builder: Builder, instruction: Instruction) -> None:
    """vote.sync: what the predicates of a warp are together."""
    if len(instruction.parts) != 4 or instruction.parts[1] != "sync" or len(instruction.operands) != 3:
        raise builder.unsupported()
    mode, kind = instruction.parts[2:]
    if (mode, kind) not in {("ballot", "b32"), ("any", "pred"), ("all", "pred"), ("uni", "pred")}:
        raise builder.unsupported()
    predicate, members = builder.source(instruction.operands[1], "pred"), builder.source(instruction.operands[2], "b32")
    result, guard = builder.result(instruction.operands[0], kind), builder.guard

    def run(group: Group) -> None:
        check_members(group, group.read(members), guard)
        who = acting(group, guard)
        group.write(result, threads(group, votes(mode, warps(group, group.read(predicate)), who)), guard)

    builder.emit(run, (predicate, members), (result,), shadows.everything)


def votes(mode: str, asked: Bits, who: Bits) -> Bits:
    """The result of a vote for each lane."""
    yes, no = asked & who, ~asked & who
    if mode == "ballot":
        bits = np.where(yes, np.uint32(1) << np.arange(WARP, dtype=np.uint32), np.uint32(0))
        found = bits.sum(axis=2, keepdims=True, dtype=np.uint32)
    elif mode == "any":
        found = yes.any(axis=2, keepdims=True)
    elif mode == "all":
        found = ~no.any(axis=2, keepdims=True)
    else:
        found = ~(yes.any(axis=2, keepdims=True) & no.any(axis=2, keepdims=True))
    return np.repeat(found, WARP, axis=2)


def active_mask(builder: Builder, instruction: Instruction) -> None:
    """activemask: which lanes are here."""
    result, guard = builder.result(instruction.operands[0], "b32"), builder.guard

    def run(group: Group) -> None:
        who = acting(group, guard)
        group.write(result, threads(group, votes("ballot", who, who)), guard)

    builder.emit(run, (), (result,), shadows.clean)


def reduce(builder: Builder, instruction: Instruction) -> None:
    """redux.sync: a reduction over a warp."""
    if len(instruction.parts) != 4 or instruction.parts[1] != "sync" or len(instruction.operands) != 3:
        raise builder.unsupported()
    name, kind = instruction.parts[2:]
    if name not in REDUCTIONS or kind not in ("b32", "s32", "u32"):
        raise builder.unsupported()
    function, number = REDUCTIONS[name], (SIGNED if kind == "s32" else UNSIGNED)[WIDTHS[kind]]
    value, members = (builder.source(operand, "b32") for operand in instruction.operands[1:])
    result, guard = builder.result(instruction.operands[0], "b32"), builder.guard

    def run(group: Group) -> None:
        check_members(group, group.read(members), guard)
        whole_warps(group, guard)
        given = warps(group, group.read(value)).view(number)
        found = function.reduce(given, axis=2, keepdims=True, dtype=number).view(np.uint32)
        group.write(result, threads(group, np.repeat(found, WARP, axis=2)), guard)

    builder.emit(run, (value, members), (result,), shadows.everything)


def match(builder: Builder, instruction: Instruction) -> None:
    """match.any: which lanes hold the same value."""
    if instruction.parts[:3] != ("match", "any", "sync") or len(instruction.operands) != 3:
        raise builder.unsupported()
    value = builder.source(instruction.operands[1], instruction.parts[-1])
    members = builder.source(instruction.operands[2], "b32")
    result, guard = builder.result(instruction.operands[0], "b32"), builder.guard

    def run(group: Group) -> None:
        check_members(group, group.read(members), guard)
        given, who = warps(group, group.read(value)), acting(group, guard)
        equal = (given[:, :, :, None] == given[:, :, None, :]) & who[:, :, None, :]
        bits = np.where(equal, np.uint32(1) << np.arange(WARP, dtype=np.uint32), np.uint32(0))
        group.write(result, threads(group, bits.sum(axis=3, dtype=np.uint32)), guard)

    builder.emit(run, (value, members), (result,), shadows.everything)


def elect(builder: Builder, instruction: Instruction) -> None:
    """elect.sync: the lowest lane that is named."""
    target = instruction.operands[0]
    if not isinstance(target, OperandPair):
        raise builder.unsupported()
    members = builder.source(instruction.operands[1], "b32")
    leader, chosen = builder.result(target.first, "b32"), builder.result(target.second, "pred")
    guard = builder.guard

    def run(group: Group) -> None:
        mask = group.read(members)
        lowest = np.bitwise_count((mask & (~mask + np.uint32(1))) - np.uint32(1)).astype(np.uint32)
        group.write(leader, lowest, guard)
        group.write(chosen, (np.arange(group.threads) % WARP)[None] == lowest, guard)

    builder.emit(run, (members,), (leader, chosen), shadows.everything)
