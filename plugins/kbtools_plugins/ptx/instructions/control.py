"""Traps, barriers that reduce, and instructions that only order or hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.faults import Trap
from kbtools_plugins.ptx.memory.cells import at_thread
from kbtools_plugins.ptx.text.operands import Immediate, Operand

from . import shadows
from .warps import check_members

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.machine.group import Group
    from kbtools_plugins.ptx.text.kernel import Instruction

REDUCTIONS = {"popc", "and", "or"}


def nothing(builder: Builder, instruction: Instruction) -> None:
    """Prefetches and hints."""


def fence(builder: Builder, instruction: Instruction) -> None:
    """fence and membar: memory here is in order anyway, but which relaxed operations order others hangs on them."""
    if not is_fence(instruction):
        return
    guard = builder.guard

    def run(group: Group) -> None:
        mask = group.guarded(guard)
        if group.memory.order is not None and (mask is None or mask.any()):
            group.memory.order.fence(group, mask)

    builder.emit(run, (), (), shadows.clean)


def is_fence(instruction: Instruction) -> bool:
    """Whether an instruction orders accesses before the whole device."""
    strong = {"gl", "gpu", "sys"} & set(instruction.parts) and "proxy" not in instruction.parts[1]
    return instruction.family in ("fence", "membar") and bool(strong)


def trap(builder: Builder, instruction: Instruction) -> None:
    """trap: the kernel ends itself."""
    guard = builder.guard

    def run(group: Group) -> None:
        mask = group.guarded(guard)
        if mask is None or mask.any():
            raise at_thread(Trap("the kernel traps"), group, np.ones((1, 1), np.bool_) if mask is None else mask)

    builder.emit(run, (), (), shadows.decides)


def warp_barrier(builder: Builder, instruction: Instruction) -> None:
    """bar.warp.sync: the named threads of a warp have to be here."""
    members = builder.source(instruction.operands[0], "b32")
    guard = builder.guard

    def run(group: Group) -> None:
        check_members(group, group.read(members), guard)

    builder.emit(run, (members,), (), shadows.decides)


def barrier(builder: Builder, instruction: Instruction) -> None:
    """bar.sync and barrier.sync wait before their block; bar.red also reduces a predicate over the program."""
    parts = instruction.parts[1:]
    if "warp" in parts:
        warp_barrier(builder, instruction)
    elif "red" in parts:
        reduction(builder, instruction)
    elif (
        not set(parts) <= {"sync", "cta", "aligned"}
        or "sync" not in parts
        or builder.guard
        or (len(instruction.operands) == 2 and not takes_all(builder, instruction.operands[1]))
    ):
        raise builder.unsupported()


def takes_all(builder: Builder, count: Operand) -> bool:
    """Whether the number of threads that a barrier waits for is all there are; known only for `.reqntid`."""
    threads = builder.threads
    return isinstance(count, Immediate) and threads is not None and count.value == threads


def reduction(builder: Builder, instruction: Instruction) -> None:
    """bar.red.popc, bar.red.and, bar.red.or."""
    parts = [part for part in instruction.parts[1:] if part not in ("red", "cta", "aligned")]
    if len(parts) != 2 or parts[0] not in REDUCTIONS or len(instruction.operands) != 3 or builder.guard:
        raise builder.unsupported()
    name, kind = parts
    predicate = builder.source(instruction.operands[2], "pred")
    result = builder.result(instruction.operands[0], kind)

    def run(group: Group) -> None:
        asked = group.full(group.read(predicate))
        who = asked | True if group.mask is None else group.full(group.mask)
        if name == "popc":
            found = (asked & who).sum(axis=1, keepdims=True).astype(np.uint32)
        elif name == "and":
            found = (asked | ~who).all(axis=1, keepdims=True)
        else:
            found = (asked & who).any(axis=1, keepdims=True)
        group.write(result, found, None)

    builder.emit(run, (predicate,), (result,), shadows.everything)


def number(instruction: Instruction) -> int:
    """Which of a program's barriers it is."""
    operand = instruction.operands[1 if "red" in instruction.parts else 0]
    return operand.value if isinstance(operand, Immediate) else 0
