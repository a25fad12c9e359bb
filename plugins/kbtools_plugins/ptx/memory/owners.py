"""Races in global memory: for each cell of a buffer who wrote it last, and who read it.

A tag packs the program, its warp, how many barriers it had passed, and the line. Reading what another program of the
launch wrote is a race, and so is changing what another one wrote or read; writing the same again does no harm. Within
a program it is one between warps that no barrier separates. Programs that have done an atomic operation may have
waited, and are not asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.faults import GlobalRace, Line

from .cells import chosen, rows_of, threads_of

if TYPE_CHECKING:
    from kbtools_plugins.ptx.machine.group import Group

STEP_BITS, WARP_BITS, EPOCH_BITS = 14, 6, 16
PROGRAM_SHIFT = STEP_BITS + WARP_BITS + EPOCH_BITS
MANY, REPLICATED = 1 << 62, 1 << 61
"""Set in a reader's tag where several programs have read, or several warps of one program."""
FLAGS = MANY | REPLICATED


@dataclass
class Owners:
    """Tags of one buffer, 0 where nobody was yet; one tag for each `granule` bytes."""

    name: str
    size: int
    granule: int
    writes: Bits = field(init=False)
    reads: Bits | None = None
    """Made when somebody reads."""

    def __post_init__(self) -> None:
        self.writes = np.zeros(-(-self.size // self.granule), np.int64)

    def places(self, offsets: Bits, size: int) -> Bits:
        """Indices of all tags that accesses of `size` bytes touch."""
        at = offsets // self.granule
        several = max(1, size // self.granule)
        return at if several == 1 else (at[:, None] + np.arange(several)).reshape(-1)


def tags(group: Group, mask: Bits | None, size: int, granule: int) -> Bits:
    """The tags of the threads that act, one for each granule of an access."""
    step = min(group.step.number if group.step else 0, (1 << STEP_BITS) - 1)
    epoch = np.minimum(group.epoch, (1 << EPOCH_BITS) - 1)
    program = (group.numbers.astype(np.int64) + 1) << PROGRAM_SHIFT
    whole = program | epoch << (STEP_BITS + WARP_BITS) | (group.warp.astype(np.int64) << STEP_BITS) | step
    return np.repeat(chosen(group, mask, whole), max(1, size // granule))


def others(found: Bits, own: Bits, synchronised: Bits) -> Bits:
    """Where a tag is that of another program, or of another warp of this one since the last barrier."""
    plain = found & ~np.int64(FLAGS)
    foreign = ((plain >> PROGRAM_SHIFT) != (own >> PROGRAM_SHIFT)) | ((found & MANY) != 0)
    low = STEP_BITS + WARP_BITS
    same_epoch = ((plain >> low) == (own >> low)) & ((own >> low & ((1 << EPOCH_BITS) - 1)) != (1 << EPOCH_BITS) - 1)
    warps = same_epoch & ((plain >> STEP_BITS) != (own >> STEP_BITS)) & ((found & FLAGS) == 0)
    return (found != 0) & ((foreign & ~synchronised) | warps)


def line_of(group: Group, tag: int) -> Line:
    """The source line that is in a tag."""
    lines, step = group.program.lines, tag & ((1 << STEP_BITS) - 1)
    return lines[step] if step < len(lines) else Line()


def complain(group: Group, owners: Owners, mask: Bits | None, at: int, tag: int, several: int, what: str) -> None:
    """Raises the race of the access that is `at` in the list of those that act."""
    row = int(rows_of(group, mask)[at // several])
    thread = int(threads_of(group, mask)[at // several])
    foreign = (tag & ~FLAGS) >> PROGRAM_SHIFT != int(group.numbers[row, 0]) + 1 or tag & MANY
    who = "another program" if foreign else "another warp of the same program"
    other = line_of(group, tag)
    line = group.step.line if group.step else Line()
    order = "with no atomic operation between them" if foreign else "with no barrier between them"
    raise GlobalRace(
        f"{line} {what.format(name=owners.name, who=who)} at {other}, {order}",
        line,
        group.place(row),
        thread,
        other,
    )


def check_read(group: Group, owners: Owners, mask: Bits | None, offsets: Bits, size: int) -> None:
    """Race if another program wrote here; remembers who reads."""
    at = owners.places(offsets, size)
    own = tags(group, mask, size, owners.granule)
    several = max(1, size // owners.granule)
    waited = np.repeat(chosen(group, mask, group.synchronised), several)
    found = owners.writes[at]
    if found.any() and (bad := others(found, own, waited)).any():
        first = int(np.argmax(bad))
        complain(group, owners, mask, first, int(found[first]), several, "reads from {name} what {who} has written")
    if owners.reads is None:
        owners.reads = np.zeros_like(owners.writes)
    remember(owners.reads, at, own)


def remember(reads: Bits, at: Bits, own: Bits) -> None:
    """Notes readers; cells that several programs or several warps read are marked.

    A value that all warps read is held by each of them, and each writes what it read itself: that is not a race.
    """
    before = reads[at]
    reads[at] = own
    after = reads[at]
    flags = before & np.int64(FLAGS)
    for tag in (after, np.where(before == 0, own, before & ~np.int64(FLAGS))):
        foreign = (tag >> PROGRAM_SHIFT) != (own >> PROGRAM_SHIFT)
        warps = ~foreign & ((tag >> STEP_BITS) != (own >> STEP_BITS))
        flags = (
            flags | np.where(foreign, np.int64(MANY), np.int64(0)) | np.where(warps, np.int64(REPLICATED), np.int64(0))
        )
    marked = flags != 0
    if marked.any():
        np.bitwise_or.at(reads, at[marked], flags[marked])


def check_write(group: Group, owners: Owners, mask: Bits | None, offsets: Bits, size: int, changed: Bits) -> None:
    """Race if this changes what another program wrote or read; remembers who writes."""
    at = owners.places(offsets, size)
    own = tags(group, mask, size, owners.granule)
    several = max(1, size // owners.granule)
    waited = np.repeat(chosen(group, mask, group.synchronised), several)
    differs = np.repeat(changed, several)
    for shadow, what in (
        (owners.writes, "changes in {name} what {who} has written"),
        (owners.reads, "overwrites in {name} what {who} has read"),
    ):
        if shadow is None:
            continue
        found = shadow[at]
        if found.any() and (bad := others(found, own, waited) & differs).any():
            first = int(np.argmax(bad))
            complain(group, owners, mask, first, int(found[first]), several, what)
    owners.writes[at] = own
