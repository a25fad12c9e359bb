"""Rows of numbers that are found by their first one: written down quickly, sorted when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.faults import LimitExceeded

MOST_ROWS = 1 << 24


@dataclass
class Log:
    """Rows in sorted blocks, each at least twice as long as the next; the newest rows are in no block yet."""

    same: int | None = None
    """With it, of rows with one key and one second number without its lowest `same` bits, the largest is kept."""
    blocks: list[Bits] = field(default_factory=list)
    fresh: list[Bits] = field(default_factory=list)
    count: int = 0

    def add(self, *columns: Bits) -> None:
        """Writes rows down; LimitExceeded if they are too many."""
        self.fresh.append(np.stack(columns))
        self.count += len(columns[0])
        if self.count > MOST_ROWS:
            self.settle()
            self.count = sum(block.shape[1] for block in self.blocks)
            if self.count > MOST_ROWS:
                raise LimitExceeded(f"more than {MOST_ROWS} accesses whose order matters")

    def rows(self, keys: Bits) -> tuple[Bits, Bits]:
        """All rows with one of the keys: which key, by its place among `keys`, and the other numbers."""
        self.settle()
        which, found = [], []
        for block in self.blocks:
            low, high = np.searchsorted(block[0], keys, "left"), np.searchsorted(block[0], keys, "right")
            count = high - low
            first = np.repeat(low - (np.cumsum(count) - count), count)
            which.append(np.repeat(np.arange(len(keys)), count))
            found.append(block[1:, first + np.arange(len(first))])
        if not found:
            return np.zeros(0, np.int64), np.zeros((1, 0), np.int64)
        return np.concatenate(which), np.concatenate(found, axis=1)

    def of(self, key: int) -> Bits:
        """The numbers of all rows with one key, a column for each row."""
        self.settle()
        found = [block[1:, slice(*np.searchsorted(block[0], [key, key + 1]))] for block in self.blocks]
        return found[0] if len(found) == 1 else np.concatenate(found or [np.zeros((5, 0), np.int64)], axis=1)

    def settle(self) -> None:
        """Sorts what is new, and joins blocks that are about as long."""
        if self.fresh:
            self.blocks.append(self.sorted(self.fresh))
            self.fresh = []
        while len(self.blocks) > 1 and self.blocks[-2].shape[1] < 2 * self.blocks[-1].shape[1]:
            last = self.blocks.pop()
            self.blocks[-1] = self.sorted([self.blocks[-1], last])

    def sorted(self, parts: list[Bits]) -> Bits:
        """Rows by their key, then by their second number."""
        rows = np.concatenate(parts, axis=1)
        rows = rows[:, np.lexsort((rows[1], rows[0]))]
        if self.same is None or rows.shape[1] < 2:
            return rows
        differs = (rows[0, 1:] != rows[0, :-1]) | (rows[1, 1:] >> self.same != rows[1, :-1] >> self.same)
        return rows[:, np.r_[differs, True]]
