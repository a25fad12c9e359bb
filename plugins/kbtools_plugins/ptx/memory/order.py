"""What is ordered between programs of one launch, as PTX's memory model says: happens-before over atomic operations.

An operation that releases, at the scope of the device, orders all that its thread did before it, and all that others
of the program did before its last barrier. One that acquires, and finds the value of a release or of atomic operations
that followed it, comes after all of that; what the releasing program had acquired before comes with it. Relaxed
operations order nothing, but with fences before and behind them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kbtools_plugins.ptx.bits import Bits

from .cells import chosen, rows_of
from .log import Log
from .tags import LAST_CLOCK, STEP_BITS, clock_of, program_of, tags, warp_of

if TYPE_CHECKING:
    from kbtools_plugins.ptx.machine.group import Group

ACQUIRES, RELEASES, READS, STARTS, FENCES = 1, 2, 4, 8, 16
"""What an event does; STARTS for stores, after which no earlier release can be seen."""
NOW = 1 << 62


@dataclass(frozen=True)
class Strength:
    """How an access that is not a plain one orders others. Without both it is relaxed."""

    acquires: bool = False
    releases: bool = False


class MemoryPlace(NamedTuple):
    """A point in a program: with a warp, what that warp did counts; without, only what all did before a barrier."""

    program: int
    warp: int | None
    clock: int


class Events(NamedTuple):
    """Columns of events: tag, clock of the program's last barrier, number, kind, and the cell or the program."""

    tag: Bits
    since: Bits
    number: Bits
    kind: Bits
    other: Bits

    def where(self, which: Bits) -> Events:
        """Some of them."""
        return Events(*(column[which] for column in self))


@dataclass
class Order:
    """The strong operations of a launch, by cell and by program."""

    cells: Log = field(default_factory=Log)
    programs: Log = field(default_factory=Log)
    count: int = 0
    known: dict[int, dict[int, int]] = field(default_factory=dict)
    """For programs the last clocks of others that are known to be before what they do after a barrier."""

    def note(self, group: Group, mask: Bits | None, cells: Bits, how: Strength, wrote: Bits, starts: bool) -> None:
        """Threads have acted on cells, in this order; `wrote` where they changed one."""
        if not (how.acquires or how.releases or starts or group.program.fences):
            return
        own, since = tags(group, mask, 1), chosen(group, mask, group.since)
        kind = np.full(len(cells), (ACQUIRES if how.acquires else READS) | (STARTS if starts else 0), np.int64)
        released = wrote
        if not how.releases:
            own, since, fenced = behind_fence(group, mask, own, since)
            released = released & fenced
        kind = kind | np.where(released, RELEASES, 0)
        self.write(own, since, kind, cells)
        if released.any():
            group.release(rows_of(group, mask)[released])

    def start(self, group: Group, mask: Bits | None, cells: Bits, which: Bits) -> None:
        """Plain stores to some of these cells, where strong operations have been."""
        own, since = tags(group, mask, 1)[which], chosen(group, mask, group.since)[which]
        self.write(own, since, np.full(len(own), STARTS, np.int64), cells[which])

    def fence(self, group: Group, mask: Bits | None) -> None:
        """Threads have passed a fence."""
        own, since = tags(group, mask, 1), chosen(group, mask, group.since)
        self.write(own, since, np.full(len(own), FENCES, np.int64), np.full(len(own), -1, np.int64))
        group.pass_fence(rows_of(group, mask))

    def write(self, own: Bits, since: Bits, kind: Bits, cells: Bits) -> None:
        """Writes events down in both logs."""
        number = self.count + np.arange(len(own))
        self.count += len(own)
        program = program_of(own)
        self.cells.add(cells, own, since, number, kind, program)
        self.programs.add(program, own, since, number, kind, cells)

    def unordered(self, found: Bits, own: Bits, since: Bits) -> Bits:
        """Where an access with the tag `found` is not before the one of this moment; at least the first is told."""
        result = np.zeros(len(found), np.bool_)
        pairs, inverse = np.unique(program_of(own) << 32 | program_of(found), return_inverse=True)
        newest, barrier = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), np.int64)
        np.maximum.at(newest, inverse, clock_of(found))
        barrier[inverse] = since
        ordered = self.are_before(pairs, newest, barrier)
        for at in self.distinct(np.flatnonzero(~ordered[inverse]), found, own):
            old = MemoryPlace(int(program_of(found[at])), int(warp_of(found[at])), int(clock_of(found[at])))
            new = MemoryPlace(int(program_of(own[at])), int(warp_of(own[at])), int(since[at]))
            if old.clock < LAST_CLOCK and not self.reaches(old, new):
                result[at] = True
                break
        return result

    def distinct(self, which: Bits, found: Bits, own: Bits) -> Iterator[int]:
        """One of each pair of places, without what their steps add."""
        if not len(which):
            return
        left = np.unique(found[which] >> STEP_BITS, return_inverse=True)[1]
        right = np.unique(own[which] >> STEP_BITS, return_inverse=True)[1]
        yield from sorted(which[np.unique(left * len(which) + right, return_index=True)[1]].tolist())

    def are_before(self, pairs: Bits, newest: Bits, barrier: Bits) -> Bits:
        """Whether all of a program up to a clock is before what a later one (in front) does after its last barrier."""
        later, program = pairs >> 32, pairs & 0xFFFFFFFF
        result = np.zeros(len(pairs), np.bool_)
        bounds = np.flatnonzero(np.r_[True, later[1:] != later[:-1], True])
        for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            which = range(start, end)
            known = self.known.setdefault(int(later[start]), {})
            wanted = dict(zip(program[start:end].tolist(), newest[start:end].tolist(), strict=True))
            missing = {one for one, clock in wanted.items() if known.get(one, -1) < clock}
            if missing:
                self.learn(MemoryPlace(int(later[start]), None, int(barrier[start])), wanted, missing, known)
            result[start:end] = [int(program[at]) not in missing for at in which]
        return result

    def learn(self, new: MemoryPlace, wanted: dict[int, int], missing: set[int], known: dict[int, int]) -> None:
        """Follows acquires and releases back until all that is missing is found; what it meets is known then."""
        seen: dict[tuple[int, int], int] = {}
        todo = deque(self.acquired(new, NOW))
        while todo and missing:
            releases = self.released(*todo.popleft(), seen)
            for one, since in zip(releases.other.tolist(), releases.since.tolist(), strict=True):
                if known.get(one, -1) < since - 1:
                    known[one] = since - 1
            missing -= {one for one in missing if known.get(one, -1) >= wanted[one]}
            if missing:
                self.follow(releases, todo)

    def reaches(self, old: MemoryPlace, new: MemoryPlace) -> bool:
        """Whether releases and acquires lead from one place to the other, warps told apart."""
        seen: dict[tuple[int, int], int] = {}
        todo = deque(self.acquired(new, NOW))
        while todo:
            releases = self.released(*todo.popleft(), seen)
            if bool(orders(releases, old).any()):
                return True
            self.follow(releases, todo)
        return False

    def follow(self, releases: Events, todo: deque[tuple[int, int]]) -> None:
        """Adds from where those who released had acquired."""
        warps = warp_of(releases.tag).tolist()
        columns = (releases.other.tolist(), warps, releases.since.tolist(), releases.number.tolist())
        for program, warp, since, number in zip(*columns, strict=True):
            todo.extend(self.acquired(MemoryPlace(program, warp, since), number))

    def released(self, cell: int, number: int, seen: dict[tuple[int, int], int]) -> Events:
        """Releases of a cell that an operation sees, without those that were seen before."""
        events = self.find(self.cells, cell)
        events = events.where(events.number < number)
        starts = events.number[events.kind & STARTS != 0]
        first = int(starts.max()) if len(starts) else -1
        before = seen.get((cell, first), -1)
        seen[cell, first] = max(before, number)
        return events.where((events.kind & RELEASES != 0) & (events.number >= max(first, before)))

    def acquired(self, place: MemoryPlace, number: int) -> list[tuple[int, int]]:
        """Cells from which a place had acquired before an event, the latest first, and with which event."""
        events = self.find(self.programs, place.program)
        visible = clock_of(events.tag) < place.clock
        if place.warp is not None:
            visible = visible | (warp_of(events.tag) == place.warp)
        events = events.where(visible & (events.number < number))
        fences = events.number[events.kind & FENCES != 0]
        last = int(fences.max()) if len(fences) else -1
        acquires = (events.kind & ACQUIRES != 0) | ((events.kind & READS != 0) & (events.number < last))
        events = events.where(acquires)
        order = np.argsort(-events.number)
        cells, first = np.unique(events.other[order], return_index=True)
        latest = sorted(zip(events.number[order][first].tolist(), cells.tolist(), strict=True), reverse=True)
        return [(cell, when) for when, cell in latest]

    def find(self, log: Log, key: int) -> Events:
        """Events of a cell or of a program."""
        return Events(*log.of(key))


def orders(releases: Events, old: MemoryPlace) -> Bits:
    """Which releases come after a place in its own program."""
    before = old.clock < releases.since
    if old.warp is not None:
        before = before | ((warp_of(releases.tag) == old.warp) & (old.clock <= clock_of(releases.tag)))
    return (program_of(releases.tag) == old.program) & before


def behind_fence(group: Group, mask: Bits | None, own: Bits, since: Bits) -> tuple[Bits, Bits, Bits]:
    """Tags and barriers as a relaxed store releases them: as they were at the last fence; and where there was one."""
    if group.fence is None:
        return own, since, np.zeros(len(own), np.bool_)
    clock, barrier = (chosen(group, mask, column) for column in group.fence)
    passed = clock >= 0
    later = since > clock
    moved = (own & ~np.int64(LAST_CLOCK << STEP_BITS)) | np.minimum(np.maximum(clock, 0), LAST_CLOCK) << STEP_BITS
    return np.where(passed, moved, own), np.where(passed, np.where(later, clock + 1, barrier), since), passed
