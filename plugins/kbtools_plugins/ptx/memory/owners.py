"""Races in global memory: for each cell of a buffer who wrote it last, who read it, and who changed it atomically.

Reading what another program of the launch wrote is a race, and so is changing what another one wrote or read, unless
the strong operations of the launch (order.py) put one before the other; writing the same again does no harm. Within a
program it is one between warps that no barrier separates. Atomic operations do not race with each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.faults import GlobalRace, Line

from .cells import chosen, rows_of, threads_of
from .log import Log
from .tags import (
    CLOCK_BITS,
    FLAGS,
    LAST_CLOCK,
    MANY,
    PROGRAM_SHIFT,
    REPLICATED,
    STEP_BITS,
    WARP_SHIFT,
    clock_of,
    line_of,
    plain,
    tags,
)

if TYPE_CHECKING:
    from kbtools_plugins.ptx.machine.group import Group


def tag_log() -> Log:
    """Tags by cell; of each warp the last one."""
    return Log(same=CLOCK_BITS + STEP_BITS)


@dataclass
class Owners:
    """Tags of one buffer, 0 where nobody was yet; one tag for each `granule` bytes."""

    name: str
    size: int
    granule: int
    writes: Bits = field(init=False)
    reads: Bits | None = None
    """Made when somebody reads."""
    readers: Log = field(default_factory=tag_log)
    """Those of cells that MANY programs read, but for the last; kept where programs may be in order."""
    atoms: Bits | None = None
    """Made at the first strong operation that writes."""
    changers: Log = field(default_factory=tag_log)
    """All who have changed a cell by strong operations."""

    def __post_init__(self) -> None:
        self.writes = np.zeros(-(-self.size // self.granule), np.int64)

    def stored(self) -> Bits:
        """1 for each byte that a plain store has written."""
        return np.repeat(self.writes != 0, self.granule)[: self.size].astype(np.uint8)

    def places(self, offsets: Bits, size: int) -> Bits:
        """Indices of all tags that accesses of `size` bytes touch."""
        at = offsets // self.granule
        several = max(1, size // self.granule)
        return at if several == 1 else (at[:, None] + np.arange(several)).reshape(-1)


class Access:
    """One access of the threads that act, cell by cell."""

    def __init__(self, group: Group, owners: Owners, mask: Bits | None, offsets: Bits, size: int) -> None:
        self.group, self.owners, self.mask = group, owners, mask
        self.several = max(1, size // owners.granule)
        self.at = owners.places(offsets, size)
        self.own = tags(group, mask, self.several)
        self.since = np.repeat(chosen(group, mask, group.since), self.several)
        """Clock of the last barrier."""

    def check(
        self, shadow: Bits | None, what: str, log: Log | None = None, differs: Bits | None = None, warps: bool = True
    ) -> None:
        """Raises the race with those in a shadow, if there is one; `warps` if it is one within a program, too."""
        if shadow is None or not (found := shadow[self.at]).any():
            return
        at_all = found != 0 if differs is None else (found != 0) & differs
        bare = plain(found)
        same = (bare >> PROGRAM_SHIFT) == (self.own >> PROGRAM_SHIFT)
        foreign = at_all & (~same | ((found & MANY) != 0))
        if warps:
            recent = (clock_of(bare) >= self.since) & (self.since < LAST_CLOCK)
            other = (bare >> WARP_SHIFT) != (self.own >> WARP_SHIFT)
            self.refuse(np.flatnonzero(at_all & same & recent & other & ((found & FLAGS) == 0)), found, what)
        if self.group.memory.order is None:
            self.refuse(np.flatnonzero(foreign), found, what)
        elif foreign.any():
            self.ask(np.flatnonzero(at_all & ~same), bare[at_all & ~same], what)
            several = np.flatnonzero(at_all & (found & FLAGS != 0))
            if log is not None and len(several):
                access, columns = log.rows(self.at[several])
                self.ask(several[access], columns[0], what)

    def ask(self, which: Bits, found: Bits, what: str) -> None:
        """The race of accesses with those of these tags that are in no order with them."""
        order = self.group.memory.order
        if order is None:
            return
        others = (found >> PROGRAM_SHIFT) != (self.own[which] >> PROGRAM_SHIFT)
        which, found = which[others], found[others]
        if len(which) and (bad := order.unordered(found, self.own[which], self.since[which])).any():
            first = int(np.argmax(bad))
            self.complain(int(which[first]), int(found[first]), what)

    def refuse(self, which: Bits, found: Bits, what: str) -> None:
        """The race of the first of these accesses."""
        if len(which):
            self.complain(int(which[0]), int(found[which[0]]), what)

    def complain(self, at: int, tag: int, what: str) -> None:
        """Raises the race of the access that is `at` in the list of cells."""
        group = self.group
        row = int(rows_of(group, self.mask)[at // self.several])
        thread = int(threads_of(group, self.mask)[at // self.several])
        foreign = (tag & ~FLAGS) >> PROGRAM_SHIFT != int(group.numbers[row, 0]) + 1 or tag & MANY
        who = "another program" if foreign else "another warp of the same program"
        other = line_of(group, tag)
        line = group.step.line if group.step else Line()
        order = "with no barrier between them"
        if foreign:
            order = "with no atomic operation between them"
            if group.memory.order is not None:
                order = "and no release and acquire put one before the other"
        raise GlobalRace(
            f"{line} {what.format(name=self.owners.name, who=who)} at {other}, {order}",
            line,
            group.place(row),
            thread,
            other,
        )


def check_read(group: Group, owners: Owners, mask: Bits | None, offsets: Bits, size: int) -> None:
    """Race if another program wrote here; remembers who reads."""
    access = Access(group, owners, mask, offsets, size)
    access.check(owners.writes, "reads from {name} what {who} has written")
    what = "reads from {name} what {who} changes by an atomic operation"
    access.check(owners.atoms, what, owners.changers, warps=False)
    if owners.reads is None:
        owners.reads = np.zeros_like(owners.writes)
    remember(owners, access)


def remember(owners: Owners, access: Access) -> None:
    """Notes readers; cells that several programs or several warps read are marked.

    A value that all warps read is held by each of them, and each writes what it read itself: that is not a race.
    """
    reads, at, own = owners.reads, access.at, access.own
    if reads is None:
        return
    before = reads[at]
    reads[at] = own
    after = reads[at]
    flags = before & np.int64(FLAGS)
    log = owners.readers if access.group.memory.order is not None else None
    for tag in (after, np.where(before == 0, own, plain(before))):
        foreign = (tag >> PROGRAM_SHIFT) != (own >> PROGRAM_SHIFT)
        warps = ~foreign & ((tag >> STEP_BITS) != (own >> STEP_BITS))
        if log is not None and (apart := (tag >> WARP_SHIFT) != (own >> WARP_SHIFT)).any():
            log.add(at[apart], own[apart])
            log.add(at[apart], tag[apart])
        flags = (
            flags | np.where(foreign, np.int64(MANY), np.int64(0)) | np.where(warps, np.int64(REPLICATED), np.int64(0))
        )
    marked = flags != 0
    if marked.any():
        np.bitwise_or.at(reads, at[marked], flags[marked])


def check_write(group: Group, owners: Owners, mask: Bits | None, offsets: Bits, size: int, changed: Bits) -> None:
    """Race if this changes what another program wrote or read; remembers who writes."""
    access = Access(group, owners, mask, offsets, size)
    differs = np.repeat(changed, access.several)
    access.check(owners.writes, "changes in {name} what {who} has written", differs=differs)
    access.check(owners.reads, "overwrites in {name} what {who} has read", owners.readers, differs)
    what = "overwrites in {name} what {who} changes by an atomic operation"
    access.check(owners.atoms, what, owners.changers, differs, warps=False)
    owners.writes[access.at] = access.own


def check_strong(
    group: Group, owners: Owners, mask: Bits | None, offsets: Bits, size: int, wrote: Bits, reads: bool
) -> None:
    """Race of an operation that others may do at once with plain accesses; `wrote` where it changes a cell."""
    access = Access(group, owners, mask, offsets, size)
    differs = np.repeat(wrote, access.several)
    what = "finds by an atomic operation in {name} what {who} has written"
    access.check(owners.writes, what, differs=None if reads else differs, warps=False)
    what = "changes by an atomic operation in {name} what {who} has read"
    access.check(owners.reads, what, owners.readers, differs, warps=False)
    if not differs.any():
        return
    if owners.atoms is None:
        owners.atoms = np.zeros_like(owners.writes)
    at, own = access.at[differs], access.own[differs]
    before = owners.atoms[at]
    owners.changers.add(at, own)
    owners.atoms[at] = own
    many = ((before != 0) & (plain(before) >> PROGRAM_SHIFT != own >> PROGRAM_SHIFT)) | (before & MANY != 0)
    many |= owners.atoms[at] != own
    np.bitwise_or.at(owners.atoms, at[many], np.int64(MANY))
