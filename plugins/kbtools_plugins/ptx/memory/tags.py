"""Tags of cells of global memory: who touched one last, and when, in one number.

Program (from 1), warp, the program's clock, and the step. A program's clock goes on at each barrier and behind each
operation that releases what came before it, so that of two accesses of a program one can say whether a barrier or a
release lies between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.faults import Line

from .cells import chosen

if TYPE_CHECKING:
    from kbtools_plugins.ptx.machine.group import Group

STEP_BITS, CLOCK_BITS, WARP_BITS = 14, 18, 5
WARP_SHIFT = STEP_BITS + CLOCK_BITS
PROGRAM_SHIFT = WARP_SHIFT + WARP_BITS
LAST_CLOCK = (1 << CLOCK_BITS) - 1
"""Where the clock stands still; what happens then counts as ordered."""
MANY, REPLICATED = 1 << 62, 1 << 61
"""Set in a tag where several programs have been, or several warps of one program."""
FLAGS = MANY | REPLICATED
MOST_PROGRAMS = (1 << (61 - PROGRAM_SHIFT)) - 2


def tags(group: Group, mask: Bits | None, several: int) -> Bits:
    """The tags of the threads that act, `several` times each."""
    step = min(group.step.number if group.step else 0, (1 << STEP_BITS) - 1)
    clock = np.minimum(group.clock, LAST_CLOCK)
    program = (group.numbers.astype(np.int64) + 1) << PROGRAM_SHIFT
    whole = program | (group.warp.astype(np.int64) << WARP_SHIFT) | clock << STEP_BITS | step
    return np.repeat(chosen(group, mask, whole), several)


def plain(tag: Bits) -> Bits:
    """Tags without their flags."""
    return tag & ~np.int64(FLAGS)


def program_of(tag: Bits) -> Bits:
    """Programs of tags without flags, from 1."""
    return tag >> PROGRAM_SHIFT


def warp_of(tag: Bits) -> Bits:
    """Warps of tags."""
    return tag >> WARP_SHIFT & ((1 << WARP_BITS) - 1)


def clock_of(tag: Bits) -> Bits:
    """Clocks of tags."""
    return tag >> STEP_BITS & LAST_CLOCK


def line_of(group: Group, tag: int) -> Line:
    """The source line that is in a tag."""
    lines, step = group.program.lines, tag & ((1 << STEP_BITS) - 1)
    return lines[step] if step < len(lines) else Line()
