"""Shared memory of the programs of a group, with races between warps, per barrier and per group of async copies.

Tags (warp_tags.py) say who wrote, and who read, a byte last. Threads of one warp count as ordered. A byte that
`cp.async` fills is pending until its program has waited for its group; others may read it one barrier later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, Bits
from kbtools_plugins.ptx.faults import Line, Misaligned, OutOfBounds, SharedRace
from kbtools_plugins.ptx.native import accesses

from .atomic import Atomic, update
from .cells import at_thread, chosen, clean, first, merged, rows_of, scattered, shift, threads_of, view
from .warp_tags import ATOMIC, MANY, STEP_BITS, WARP_BITS, clash

if TYPE_CHECKING:
    from kbtools_plugins.ptx.machine.group import Group


@dataclass
class SharedMemory:
    """`size` bytes for each of `programs` programs."""

    programs: int
    size: int
    granule: int
    check_races: bool
    track: bool
    data: Bits = field(init=False)
    writes: Bits = field(init=False)
    reads: Bits = field(init=False)
    dirty: Bits | None = None
    """Marks of written bytes, 0 where what was written is itself uninitialised; made when that first happens."""
    pending: Bits | None = None
    """Number of the group of async copies that writes a cell, from 1."""
    committed: Bits = field(init=False)
    completed: Bits = field(init=False)
    visible: Bits = field(init=False)

    def __post_init__(self) -> None:
        self.size = -(-self.size // 16) * 16
        self.data = np.zeros(self.programs * self.size, np.uint8)
        cells = self.programs * self.size // self.granule
        self.writes = np.zeros(cells if self.shadowed else 0, np.int64)
        self.reads = np.zeros(cells if self.check_races else 0, np.int64)
        self.committed, self.completed, self.visible = (np.zeros((self.programs, 1), np.int64) for _ in range(3))

    @property
    def shadowed(self) -> bool:
        """Whether writes are noted."""
        return self.check_races or self.track

    def places(self, group: Group, address: Bits, mask: Bits | None, size: int, what: str) -> Bits | None:
        """Byte offsets within `data` for all threads, checked; None if no thread acts."""
        if mask is not None:
            if not mask.any():
                return None
            address = np.where(mask, address, address.dtype.type(0))
        if int(address.max()) + size > self.size:
            bad = address.astype(np.int64) + size > self.size
            at = int(group.full(address)[first(group, bad)])
            text = f"{what} {size} bytes at {at} of shared memory, which has {self.size}"
            raise at_thread(OutOfBounds(text), group, bad)
        if int(np.bitwise_or.reduce(address, axis=None)) & (size - 1):
            bad = (address & address.dtype.type(size - 1)) != 0
            at = int(group.full(address)[first(group, bad)])
            text = f"{what} {size} bytes at {at} of shared memory, which is not a multiple of {size}"
            raise at_thread(Misaligned(text), group, bad)
        return address.astype(np.int64) + (np.arange(group.count) * self.size)[:, None]

    def load(
        self, group: Group, address: Bits, mask: Bits | None, size: int, count: int
    ) -> tuple[list[Bits], list[Bits | None]]:
        """`count` values of `size` bytes for each thread, and which of their bits are uninitialised."""
        if (fast := accesses.load_shared(self, group, address, mask, size, count)) is not None:
            return fast, [None] * count
        at = self.places(group, address, mask, size * count, "reads")
        if at is None:
            return [np.zeros((1, 1), UNSIGNED[8 * size])] * count, [None] * count
        poison = self.check_read(group, at, mask, size, count)
        cells, index = view(self.data, size), at >> shift(size)
        return [cells.take(index + element if element else index) for element in range(count)], poison

    def store(
        self,
        group: Group,
        address: Bits,
        mask: Bits | None,
        size: int,
        values: list[Bits],
        poison: list[Bits | None],
        copying: bool = False,
    ) -> None:
        """Writes values of `size` bytes; `copying` if it is an async copy, which ends later."""
        if accesses.store_shared(self, group, address, mask, size, values, poison, copying):
            return
        at = self.places(group, address, mask, size * len(values), "writes")
        if at is None:
            return
        flat = chosen(group, mask, at)
        cells, index = view(self.data, size), flat >> shift(size)
        self.check_write(group, flat, mask, size * len(values), self.changes(group, mask, cells, index, values))
        if copying and self.check_races:
            self.await_copy(group, flat, mask, size * len(values))
        for element, value in enumerate(values):
            cells[index + element] = chosen(group, mask, value)
        self.mark(group, index, mask, size, poison)

    def mark(self, group: Group, index: Bits, mask: Bits | None, size: int, poison: list[Bits | None]) -> None:
        """Notes which bytes are uninitialised although they were written."""
        if not self.track or (self.dirty is None and all(bits is None for bits in poison)):
            return
        if self.dirty is None:
            self.dirty = np.ones(self.data.size, np.uint8)
        cells = view(self.dirty, size)
        ones = cells.dtype.type(0x0101010101010101 & ((1 << 8 * size) - 1))
        for element, bits in enumerate(poison):
            cells[index + element] = ones if bits is None else clean(chosen(group, mask, bits))

    def tag(self, group: Group, mask: Bits | None, several: int) -> Bits:
        """Tags of the threads that act, one for each cell."""
        step = group.step.number if group.step else 0
        whole = (group.epoch + 1) << (STEP_BITS + WARP_BITS) | (group.warp.astype(np.int64) + 1) << STEP_BITS | step
        return np.repeat(chosen(group, mask, whole), several)

    def cells(self, flat: Bits, size: int) -> Bits:
        """Indices of all tags that accesses of `size` bytes touch."""
        at, several = flat // self.granule, max(1, size // self.granule)
        return at if several == 1 else (at[:, None] + np.arange(several)).reshape(-1)

    def check_read(self, group: Group, at: Bits, mask: Bits | None, size: int, count: int) -> list[Bits | None]:
        """Races of a read, and which of the bits that it gives are uninitialised."""
        if not self.shadowed:
            return [None] * count
        flat = chosen(group, mask, at)
        cells, several = self.cells(flat, size * count), max(1, size * count // self.granule)
        found = self.writes[cells]
        if self.check_races:
            own = self.tag(group, mask, several)
            self.check_pending(group, mask, cells, several, "reads")
            self.complain(
                group, mask, clash(found, own), found, several, "reads from shared memory what another warp wrote"
            )
            self.remember(cells, own)
        return self.uninitialised(group, mask, flat, found.reshape(-1, several), size, count)

    def uninitialised(
        self, group: Group, mask: Bits | None, flat: Bits, found: Bits, size: int, count: int
    ) -> list[Bits | None]:
        """Bits of each value that nothing was written to."""
        if not self.track or (self.dirty is None and found.all()):
            return [None] * count
        width = UNSIGNED[8 * size]
        result: list[Bits | None] = []
        per = max(1, found.shape[1] // count)
        for element in range(count):
            missing = found[:, element * per : (element + 1) * per] == 0
            bits = np.repeat(missing, max(1, size // per), axis=1)[:, :size].astype(np.uint8) * np.uint8(0xFF)
            values = np.ascontiguousarray(bits).view(width).reshape(-1)
            if self.dirty is not None:
                marks = view(self.dirty, size)[(flat >> shift(size)) + element]
                values = values | ~(marks * marks.dtype.type(0xFF))
            result.append(scattered(group, mask, values) if values.any() else None)
        return result

    def remember(self, cells: Bits, own: Bits) -> None:
        """Notes readers; where several warps read within one epoch, there is no single one."""
        before = self.reads[cells]
        self.reads[cells] = own
        after = self.reads[cells]
        several = clash(after, own) | clash(before, own)
        if several.any():
            self.reads[cells[several]] |= np.int64(MANY << STEP_BITS)

    def changes(self, group: Group, mask: Bits | None, cells: Bits, index: Bits, values: list[Bits]) -> Bits:
        """Where a write gives a place another value; only races need to know."""
        changed = np.zeros(len(index), np.bool_)
        if self.check_races:
            for element, value in enumerate(values):
                changed |= cells[index + element] != chosen(group, mask, value)
        return changed

    def check_write(self, group: Group, flat: Bits, mask: Bits | None, size: int, changed: Bits) -> None:
        """Races of a write; writing the same again does no harm."""
        if not self.shadowed:
            return
        cells, several = self.cells(flat, size), max(1, size // self.granule)
        own = self.tag(group, mask, several)
        if self.check_races:
            differs = np.repeat(changed, several)
            self.check_pending(group, mask, cells, several, "overwrites")
            for shadow, what in ((self.writes, "wrote"), (self.reads, "read")):
                found = shadow[cells]
                bad = clash(found, own) & differs
                self.complain(group, mask, bad, found, several, f"overwrites in shared memory what another warp {what}")
        self.writes[cells] = own

    def await_copy(self, group: Group, flat: Bits, mask: Bits | None, size: int) -> None:
        """What is written now counts as written when its group of copies is complete."""
        cells, several = self.cells(flat, size), max(1, size // self.granule)
        if self.pending is None:
            self.pending = np.zeros(len(self.writes), np.int64)
        self.pending[cells] = np.repeat(chosen(group, mask, self.committed + 1), several)

    def check_pending(self, group: Group, mask: Bits | None, cells: Bits, several: int, what: str) -> None:
        """Race with an async copy that was not waited for."""
        if self.pending is None:
            return
        number, writer = self.pending[cells], self.writes[cells]
        if number.max(initial=0) <= self.visible.min():
            return
        own = np.repeat(chosen(group, mask, group.warp.astype(np.int64) + 1), several)
        same = (writer >> STEP_BITS & MANY) == own
        done = np.repeat(chosen(group, mask, self.completed), several)
        seen = np.repeat(chosen(group, mask, self.visible), several)
        bad = number > np.where(same, done, seen)
        if bad.any():
            at = int(np.argmax(bad))
            other = self.line(group, int(writer[at]))
            text = (
                f"{line_now(group)} {what} shared memory that cp.async of {other} fills, without having waited for it"
            )
            raise self.fault(group, mask, at // several, text, other)

    def complain(self, group: Group, mask: Bits | None, bad: Bits, found: Bits, several: int, what: str) -> None:
        """Raises the first race, if there is one."""
        if bad.any():
            at = int(np.argmax(bad))
            other = self.line(group, int(found[at]))
            text = f"{line_now(group)} {what} at {other}, with no barrier between them"
            raise self.fault(group, mask, at // several, text, other)

    def fault(self, group: Group, mask: Bits | None, at: int, text: str, other: Line) -> SharedRace:
        """The race of the thread that is `at` in the list of those that act."""
        row, thread = int(rows_of(group, mask)[at]), int(threads_of(group, mask)[at])
        return SharedRace(text, line_now(group), group.place(row), thread, other)

    def line(self, group: Group, tag: int) -> Line:
        """The source line that is in a tag."""
        step = tag & ((1 << STEP_BITS) - 1)
        return group.program.lines[step] if step < len(group.program.lines) else Line()

    def commit(self, acting: Bits) -> None:
        """All async copies so far become a group, in these programs."""
        self.committed = self.committed + acting

    def wait(self, acting: Bits, left: int) -> None:
        """All groups but the last `left` are complete, in these programs."""
        done = np.maximum(self.completed, self.committed - left)
        self.completed = np.where(acting, done, self.completed)

    def barrier(self, acting: Bits) -> None:
        """What was waited for may be read by all, in these programs."""
        self.visible = np.where(acting, self.completed, self.visible)

    def atomic(
        self, group: Group, address: Bits, mask: Bits | None, size: int, operands: list[Bits], kind: Atomic
    ) -> tuple[Bits, Bits | None]:
        """Lets the threads take turns; what each one found, and which bits of that are uninitialised."""
        at = self.places(group, address, mask, size, "changes")
        if at is None:
            return np.zeros((1, 1), UNSIGNED[8 * size]), None
        flat = chosen(group, mask, at)
        poison: Bits | None = None
        if self.shadowed:
            cells, several = self.cells(flat, size), max(1, size // self.granule)
            found = self.writes[cells].reshape(-1, several)
            poison = merged(None, self.uninitialised(group, mask, flat, found, size, 1)[0])
            self.check_atomic(group, mask, cells, several)
        given = tuple(chosen(group, mask, operand) for operand in operands)
        return scattered(group, mask, update(view(self.data, size), flat >> shift(size), given, kind.combine)), poison

    def check_atomic(self, group: Group, mask: Bits | None, cells: Bits, several: int) -> None:
        """Races of an atomic operation with loads and stores; those among each other are none."""
        own = self.tag(group, mask, several)
        if self.check_races:
            self.check_pending(group, mask, cells, several, "changes")
            for shadow, what in ((self.writes, "wrote"), (self.reads, "read")):
                found = shadow[cells]
                bad = clash(found, own) & ((found >> STEP_BITS & MANY) != ATOMIC)
                self.complain(group, mask, bad, found, several, f"changes in shared memory what another warp {what}")
        self.writes[cells] = (own & ~np.int64(MANY << STEP_BITS)) | np.int64(ATOMIC << STEP_BITS)


def line_now(group: Group) -> Line:
    """The line of the instruction that is running."""
    return group.step.line if group.step else Line()
