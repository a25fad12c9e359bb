"""Runs groups from their first block until all their threads have ended."""

from __future__ import annotations

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.decode.program import Block, Branch, Jump, Program, ProgramStep
from kbtools_plugins.ptx.faults import UNKNOWN, Fault, LimitExceeded, Line, Uninitialised, Unsupported
from kbtools_plugins.ptx.memory.cells import at_thread
from kbtools_plugins.ptx.native.fused import FusedSteps
from kbtools_plugins.ptx.native.library import library

from .group import Group
from .limits import Meter
from .paths import PATIENCE, Paths

LATE = 2048
"""Blocks that the first group runs before the next one begins, if it has not ended: it may wait for it."""


def run(program: Program, groups: list[Group], meter: Meter) -> None:
    """Runs all threads of the groups to their end, one group after another, or in turns where one waits."""
    late = [Paths(group, program) for group in groups]
    begun: list[Paths] = []
    while begun or late:
        begun += late[:1]
        late = late[1:]
        for paths in begun:
            advance(program, paths, meter, LATE if late else PATIENCE)
        begun = [paths for paths in begun if paths.masks]


def advance(program: Program, paths: Paths, meter: Meter, blocks: int) -> None:
    """Runs some blocks of a group."""
    group = paths.group
    for _ in range(blocks):
        if not paths.masks:
            return
        at, mask = paths.take()
        block = program.blocks[at]
        enter(group, paths, mask)
        run_block(block, group, meter, alone=not paths.masks)
        leave(block, group, paths, mask)


def enter(group: Group, paths: Paths, mask: Bits | None) -> None:
    """Which threads act, and whose registers change, in the block that comes."""
    group.mask = paths.alive if mask is None else mask
    group.merge = mask


def run_block(block: Block, group: Group, meter: Meter, *, alone: bool) -> None:
    """The steps of a block; a fault gets the line of the step that raised it."""
    group.step = None
    try:
        meter.count(len(block.steps), active(group))
        if library() is None:
            run_steps(block.steps, group, alone)
        else:
            run_pieces(block, group, alone)
    except Fault as fault:
        locate(fault, block, group)
        raise
    except Unsupported as error:
        raise Unsupported(error.reason, group.step.line if group.step else error.line) from error
    except MemoryError as error:
        raise LimitExceeded("no memory is left", group.step.line if group.step else Line()) from error


def run_pieces(block: Block, group: Group, alone: bool) -> None:
    """A block, in C as far as that can."""
    for piece in block.pieces:
        if not isinstance(piece, FusedSteps):
            run_steps([piece], group, alone)
        elif not piece.run(group, alone=alone):
            run_steps(piece.steps, group, alone)


def run_steps(steps: list[ProgramStep], group: Group, alone: bool) -> None:
    """Steps one after the other; registers end behind them while no other path has its values there."""
    registers, poison = group.registers, group.poison
    for step in steps:
        group.step = step
        if poison:
            step.shadow(group, step)
        step.run(group)
        for slot in step.kills if alone else ():
            registers[slot] = None
            if poison:
                poison.pop(slot, None)


def active(group: Group) -> int:
    """How many threads act."""
    if group.mask is None:
        return group.count * group.threads
    return int(np.count_nonzero(group.full(group.mask)))


def locate(fault: Fault, block: Block, group: Group) -> None:
    """Adds where it happened."""
    step = group.step or (block.steps[0] if block.steps else None)
    if fault.line == Line() and step is not None:
        fault.line = step.line
    if fault.program is None:
        at_thread(fault, group, np.ones((1, 1), np.bool_) if group.mask is None else group.mask)


def leave(block: Block, group: Group, paths: Paths, mask: Bits | None) -> None:
    """Where the threads go on."""
    after = block.after
    if isinstance(after, Jump):
        paths.add(after.target, mask)
    elif isinstance(after, Branch):
        branch(after, group, paths, mask)
    else:
        paths.end(mask)


def branch(after: Branch, group: Group, paths: Paths, mask: Bits | None) -> None:
    """Threads go two ways, or all the same."""
    predicate = group.read(after.predicate)
    check_known(after, group)
    taken = ~predicate if after.negated else predicate
    if group.mask is None and taken.size == 1:
        paths.add(after.taken if taken[0, 0] else after.other, mask)
        return
    yes, no = (taken, ~taken) if group.mask is None else (taken & group.mask, ~taken & group.mask)
    if not no.any():
        paths.add(after.taken, mask)
    elif not yes.any():
        paths.add(after.other, mask)
    else:
        paths.add_both(after.taken, yes, after.other, no)


def check_known(after: Branch, group: Group) -> None:
    """Uninitialised if a thread would go somewhere by what nothing was written to."""
    unknown = group.poison.get(after.predicate)
    if unknown is None:
        return
    where = unknown if group.mask is None else unknown & group.mask
    if where.any():
        text = f"a branch depends on {UNKNOWN}"
        raise at_thread(Uninitialised(text, after.line), group, where)
