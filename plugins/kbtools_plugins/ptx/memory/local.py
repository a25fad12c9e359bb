"""Local memory: an array of bytes for each thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.faults import LimitExceeded, Misaligned, OutOfBounds

from .cells import at_thread, chosen, scattered, view

if TYPE_CHECKING:
    from kbtools_plugins.ptx.machine.group import Group


@dataclass
class LocalMemory:
    """`size` bytes for each of `threads` threads, made when they are first used."""

    threads: int
    size: int
    most: int
    data: Bits | None = field(default=None)

    def cells(self, size: int) -> Bits:
        """All bytes of all threads as cells."""
        if self.data is None:
            if self.threads * self.size > self.most:
                raise LimitExceeded(f"local memory of {self.threads * self.size} bytes")
            self.data = np.zeros(self.threads * self.size, np.uint8)
        return view(self.data, size)

    def places(self, group: Group, address: Bits, mask: Bits | None, size: int, total: int) -> Bits:
        """Indices of cells for the threads that act."""
        outside = address > np.uint64(max(0, self.size - total))
        bad = outside | ((address & np.uint64(total - 1)) != 0)
        bad = bad if mask is None else bad & mask
        if self.size < total or bad.any():
            text = (
                f"{total} bytes at {int(group.full(address)[tuple(np.argwhere(group.full(bad))[0])])} of local memory"
            )
            fault = OutOfBounds(text) if outside.any() else Misaligned(text)
            raise at_thread(fault, group, bad)
        offset = np.arange(group.count * group.threads).reshape(group.shape) * self.size
        return chosen(group, mask, offset + address.astype(np.int64)) // size

    def load(self, group: Group, address: Bits, mask: Bits | None, size: int, count: int) -> list[Bits]:
        """`count` values of `size` bytes for each thread."""
        at = self.places(group, address, mask, size, size * count)
        cells = self.cells(size)
        return [scattered(group, mask, cells[at + element]) for element in range(count)]

    def store(self, group: Group, address: Bits, mask: Bits | None, size: int, values: list[Bits]) -> None:
        """Writes values of `size` bytes."""
        at = self.places(group, address, mask, size, size * len(values))
        cells = self.cells(size)
        for element, value in enumerate(values):
            cells[at + element] = chosen(group, mask, value)
