"""Packing sequences into training samples of one length by best-fit decreasing, as the packing trainers do."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from typing import TYPE_CHECKING

from kbtools.wording import counted

if TYPE_CHECKING:
    import numpy as np


def pack(lengths: np.ndarray, capacity: int) -> int:
    """Number of samples of `capacity` tokens that best-fit decreasing fills; every length is at most `capacity`.

    Each sequence, longest first, goes where it leaves the least room, or else into a new sample. Equal lengths are
    placed together, so the time grows with the number of different lengths rather than with the rows.
    """
    import numpy as np

    values, counts = np.unique(lengths[lengths > 0], return_counts=True)
    if len(values) and values[-1] > capacity:
        raise ValueError(f"a sequence of {counted(values[-1], 'token')} cannot be packed into {capacity}")
    rooms = _Rooms(capacity)
    for length, count in zip(values[::-1].tolist(), counts[::-1].tolist(), strict=True):
        while count:
            count -= rooms.place(length, count)
    return rooms.samples


class _Rooms:
    """Samples by the room that is left in them."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.samples = 0
        self._rooms: list[int] = []
        self._with_room: Counter[int] = Counter()

    def place(self, length: int, count: int) -> int:
        """Put sequences of one length where they fit tightest; returns how many found their place."""
        position = bisect_left(self._rooms, length)
        if position == len(self._rooms):
            return self._open(length, count)
        room = self._rooms[position]
        each = room // length  # what is left of this room is then the tightest, so it is filled up first
        samples = min(self._with_room[room], -(-count // each))
        self._take(room, samples)
        return self._fill(room, length, min(count, samples * each))

    def _open(self, length: int, count: int) -> int:
        self.samples += -(-count // (self.capacity // length))
        return self._fill(self.capacity, length, count)

    def _fill(self, room: int, length: int, count: int) -> int:
        """Fill as many samples with this room as the sequences need, the last one perhaps not to its end."""
        each = room // length
        self._add(room - each * length, count // each)
        if count % each:
            self._add(room - (count % each) * length, 1)
        return count

    def _add(self, room: int, samples: int) -> None:
        if room and samples:
            if not self._with_room[room]:
                insort(self._rooms, room)
            self._with_room[room] += samples

    def _take(self, room: int, samples: int) -> None:
        self._with_room[room] -= samples
        if not self._with_room[room]:
            self._rooms.pop(bisect_left(self._rooms, room))
