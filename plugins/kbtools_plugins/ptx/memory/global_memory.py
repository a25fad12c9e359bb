"""Global memory: buffers behind made-up addresses of 64 bits, each with a span of its own, every access checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, Bits
from kbtools_plugins.ptx.faults import GlobalRace, LimitExceeded, Line, Misaligned, OutOfBounds
from kbtools_plugins.ptx.native import accesses

from .atomic import Atomic, update
from .buffer import Buffer, StoragePart
from .cells import (
    at_thread,
    chosen,
    clean,
    either,
    first,
    gather,
    merged,
    rows_of,
    scattered,
    shift,
    threads_of,
    view,
)  # fmt: skip
from .order import Order, Strength
from .owners import Owners, check_read, check_strong, check_write
from .windows import SPAN

if TYPE_CHECKING:
    from kbtools_plugins.ptx.machine.group import Group


@dataclass
class GlobalMemory:
    """The buffers of a launch."""

    granule: int
    check_races: bool
    track: bool
    """Whether it is noted what was written."""
    read_only: set[int] = field(default_factory=set)
    """Numbers of buffers that no store can reach, so that nobody has to note who reads them."""
    most: int = 4 << 30
    """Bytes that the shadows of all buffers may take."""
    shadowed: int = 0
    buffers: list[Buffer] = field(default_factory=list)
    owners: dict[int, Owners] = field(default_factory=dict)
    order: Order | None = None
    """Of a kernel that has strong operations, if races are looked for."""

    def add(self, buffer: Buffer) -> int:
        """The address of a buffer, the same one if it is added again."""
        for number, known in enumerate(self.buffers):
            if known is buffer:
                return (number + 1) << SPAN
        self.buffers.append(buffer)
        return len(self.buffers) << SPAN

    def parts(self, group: Group, address: Bits, mask: Bits | None, size: int, what: str) -> list[StoragePart]:
        """The buffers that an access goes to; OutOfBounds and Misaligned for what it must not do."""
        if mask is not None:
            if not mask.any():
                return []
            mask = None if mask.all() else mask
        some = int(address.flat[0]) if mask is None else int(group.full(address)[first(group, mask)])
        number = some >> SPAN
        if 0 < number <= len(self.buffers):
            offsets = address - np.uint64(number << SPAN)
            safe = offsets if mask is None else np.where(mask, offsets, np.uint64(0))
            if int(safe.max()) + size <= self.buffers[number - 1].data.size:
                self.check_alignment(group, safe, size, what, number)
                return [StoragePart(number, mask, safe)]
        return self.several(group, address, mask, size, what)

    def check_alignment(self, group: Group, offsets: Bits, size: int, what: str, number: int) -> None:
        """Misaligned unless all offsets are multiples of the size."""
        if int(np.bitwise_or.reduce(offsets, axis=None)) & (size - 1):
            bad = (offsets & np.uint64(size - 1)) != 0
            row, thread = first(group, bad)
            offset = int(group.full(offsets)[row, thread])
            name = self.buffers[number - 1].name
            text = f"{what} {size} bytes at byte {offset} of {name}, which is not a multiple of {size}"
            raise at_thread(Misaligned(text), group, bad)

    def several(self, group: Group, address: Bits, mask: Bits | None, size: int, what: str) -> list[StoragePart]:
        """The same for accesses that go to several buffers, or wrong."""
        address, mask = group.full(address), group.full(np.ones((1, 1), np.bool_) if mask is None else mask)
        numbers = address >> np.uint64(SPAN)
        found = []
        for number in np.unique(numbers[mask]).tolist():
            here = mask & (numbers == number)
            offsets = np.where(here, address - np.uint64(number << SPAN), np.uint64(0))
            limit = self.buffers[number - 1].data.size if 0 < number <= len(self.buffers) else -1
            bad = here & ((offsets + np.uint64(size) > np.uint64(max(0, limit))) | (limit < 0))
            if bad.any():
                raise at_thread(OutOfBounds(self.where(group, address, bad, size, what)), group, bad)
            self.check_alignment(group, offsets, size, what, number)
            found.append(StoragePart(number, here, offsets))
        return found

    def where(self, group: Group, address: Bits, bad: Bits, size: int, what: str) -> str:
        """The first bad access in words."""
        at = int(address[first(group, bad)])
        number, offset = at >> SPAN, at & ((1 << SPAN) - 1)
        if offset >= 1 << (SPAN - 1) and number < len(self.buffers):
            return f"{what} {size} bytes, {(1 << SPAN) - offset} before the start of {self.buffers[number].name}"
        if 0 < number <= len(self.buffers):
            buffer = self.buffers[number - 1]
            past = offset + size - buffer.data.size
            return f"{what} {past} bytes past the end of {buffer.name}, which has {buffer.data.size}"
        return f"{what} {size} bytes at address {at:#x}, where no buffer is"

    def shadow(self, number: int) -> Owners | None:
        """Who touched a buffer, if races are looked for."""
        if not self.check_races:
            return None
        if number not in self.owners:
            buffer = self.buffers[number - 1]
            self.shadowed += 16 * buffer.data.size // self.granule
            if self.shadowed > self.most:
                raise LimitExceeded(
                    f"shadows of {self.shadowed} bytes, to see races in buffers as large as {buffer.name}"
                )
            self.owners[number] = Owners(buffer.name, buffer.data.size, self.granule)
        return self.owners[number]

    def tell_stored(self) -> None:
        """Marks in each buffer what was stored in it; only what is shadowed is known."""
        for number, owners in self.owners.items():
            self.buffers[number - 1].stored = owners.stored()

    def load(
        self,
        group: Group,
        address: Bits,
        mask: Bits | None,
        size: int,
        count: int,
        strength: Strength | None = None,
    ) -> tuple[list[Bits], list[Bits | None]]:
        """`count` values of `size` bytes for each thread, and which of their bits are uninitialised."""
        if strength is None and (fast := accesses.load_global(self, group, address, mask, size, count)) is not None:
            return fast, [None] * count
        values: list[Bits] = []
        poison: list[Bits | None] = [None] * count
        for part in self.parts(group, address, mask, size * count, "reads"):
            found, dirty = self.load_part(group, part, size, count, strength)
            values = found if part.mask is None or not values else either(part.mask, found, values)
            poison = [merged(old, new) for old, new in zip(poison, dirty, strict=True)]
        return values or [np.zeros((1, 1), UNSIGNED[8 * size])] * count, poison

    def load_part(
        self, group: Group, part: StoragePart, size: int, count: int, strength: Strength | None
    ) -> tuple[list[Bits], list[Bits | None]]:
        """What is read from one buffer."""
        buffer = self.buffers[part.number - 1]
        if part.number not in self.read_only and (owners := self.shadow(part.number)):
            offsets = chosen(group, part.mask, part.offsets).astype(np.int64)
            if strength is None:
                check_read(group, owners, part.mask, offsets, size * count)
            else:
                nothing = np.zeros(len(offsets), np.bool_)
                self.strong(group, owners, part, offsets, size * count, strength, (nothing, nothing), reads=True)
        at = (part.offsets >> np.uint64(shift(size))).astype(np.int64)
        values = gather(view(buffer.data, size), at, count)
        if buffer.initialised is None or not self.track:
            return values, [None] * count
        marks = gather(view(buffer.initialised, size), at, count)
        return values, [self.dirty(mark, part.mask, size) for mark in marks]

    def dirty(self, marks: Bits, mask: Bits | None, size: int) -> Bits | None:
        """Bits that were never written, where a thread reads them; None if there are none."""
        written = marks * marks.dtype.type(0xFF)
        unwritten = ~written if mask is None else np.where(mask, ~written, marks.dtype.type(0))
        return unwritten if unwritten.any() else None

    def strong(
        self,
        group: Group,
        owners: Owners,
        part: StoragePart,
        offsets: Bits,
        size: int,
        strength: Strength,
        wrote: tuple[Bits, Bits],
        *,
        reads: bool,
    ) -> None:
        """Races of a strong operation, and what it orders; `wrote` where it changes a cell, and where it stores."""
        check_strong(group, owners, part.mask, offsets, size, wrote[0], reads)
        if self.order is not None:
            cells = offsets + (part.number << SPAN)
            self.order.note(group, part.mask, cells, strength, wrote[1], starts=not reads)

    def store(
        self,
        group: Group,
        address: Bits,
        mask: Bits | None,
        size: int,
        values: list[Bits],
        poison: list[Bits | None],
        strength: Strength | None = None,
    ) -> None:
        """Writes values of `size` bytes, with what is uninitialised of them."""
        if strength is None and accesses.store_global(self, group, address, mask, size, values, poison):
            return
        for part in self.parts(group, address, mask, size * len(values), "writes"):
            offsets = chosen(group, part.mask, part.offsets).astype(np.int64)
            chosen_values = [chosen(group, part.mask, value) for value in values]
            self.store_part(group, part, offsets, size, chosen_values, strength)
            self.mark(group, part, offsets, size, poison)

    def store_part(
        self, group: Group, part: StoragePart, offsets: Bits, size: int, values: list[Bits], strength: Strength | None
    ) -> None:
        """What is written to one buffer."""
        cells = view(self.buffers[part.number - 1].data, size)
        at = offsets >> shift(size)
        self.read_only.discard(part.number)
        if owners := self.shadow(part.number):
            changed = np.zeros(len(at), np.bool_)
            for element, value in enumerate(values):
                changed |= cells[at + element] != value
            if strength is None:
                check_write(group, owners, part.mask, offsets, size * len(values), changed)
                self.begin(group, owners, part, offsets)
            else:
                every = np.ones(len(at), np.bool_)
                self.strong(group, owners, part, offsets, size * len(values), strength, (every, every), reads=False)
        for element, value in enumerate(values):
            cells[at + element] = value
        if self.check_races and strength is None:
            self.check_agreement(group, part, cells, at, values)

    def refuse_torn(self, group: Group, address: Bits, mask: Bits | None, size: int, values: list[Bits]) -> None:
        """The same for a store that was done in C."""
        for part in self.parts(group, address, mask, size * len(values), "writes"):
            offsets = chosen(group, part.mask, part.offsets).astype(np.int64)
            cells, at = view(self.buffers[part.number - 1].data, size), offsets >> shift(size)
            self.check_agreement(group, part, cells, at, [chosen(group, part.mask, value) for value in values])

    def begin(self, group: Group, owners: Owners, part: StoragePart, offsets: Bits) -> None:
        """A plain store where strong operations have been: who finds it does not see the earlier ones."""
        if self.order is not None and owners.atoms is not None:
            which = owners.atoms[offsets // owners.granule] != 0
            if which.any():
                self.order.start(group, part.mask, offsets + (part.number << SPAN), which)

    def check_agreement(self, group: Group, part: StoragePart, cells: Bits, at: Bits, values: list[Bits]) -> None:
        """Race if two threads of this very instruction wrote something else to one place."""
        for element, value in enumerate(values):
            lost = cells[at + element] != value
            if lost.any():
                which = int(np.argmax(lost))
                row, thread = int(rows_of(group, part.mask)[which]), int(threads_of(group, part.mask)[which])
                line = group.step.line if group.step else Line()
                name = self.buffers[part.number - 1].name
                text = f"{line} writes different values to one place of {name} from several threads at once"
                raise GlobalRace(text, line, group.place(row), thread, line)

    def mark(self, group: Group, part: StoragePart, offsets: Bits, size: int, poison: list[Bits | None]) -> None:
        """Notes what was written."""
        marks = self.buffers[part.number - 1].initialised
        dirty = any(bits is not None for bits in poison)
        if not self.track or (marks is None and not dirty):
            return
        if marks is None:
            buffer = self.buffers[part.number - 1]
            marks = buffer.initialised = np.ones(buffer.data.size, np.uint8)
        cells, at = view(marks, size), offsets >> shift(size)
        ones = cells.dtype.type(0x0101010101010101 & ((1 << 8 * size) - 1))
        for element, bits in enumerate(poison):
            cells[at + element] = ones if bits is None else clean(chosen(group, part.mask, bits))

    def atomic(
        self, group: Group, address: Bits, mask: Bits | None, size: int, operands: list[Bits], kind: Atomic
    ) -> tuple[Bits, Bits | None]:
        """Lets the threads take turns; what each one found, and which bits of that are uninitialised."""
        result: Bits = np.zeros((1, 1), UNSIGNED[8 * size])
        poison: Bits | None = None
        for part in self.parts(group, address, mask, size, "changes"):
            buffer = self.buffers[part.number - 1]
            offsets = chosen(group, part.mask, part.offsets).astype(np.int64)
            at = offsets >> shift(size)
            if buffer.initialised is not None and self.track:
                marks = scattered(group, part.mask, view(buffer.initialised, size)[at])
                poison = merged(poison, self.dirty(marks, part.mask, size))
            given = tuple(chosen(group, part.mask, operand) for operand in operands)
            found = update(view(buffer.data, size), at, given, kind.combine)
            result = result | scattered(group, part.mask, found)
            self.read_only.discard(part.number)
            if owners := self.shadow(part.number):
                self.strong(group, owners, part, offsets, size, kind.strength, kind.wrote(found, given), reads=True)
        return result, poison
