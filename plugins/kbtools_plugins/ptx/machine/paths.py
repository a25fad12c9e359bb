"""Where the threads of a group are: one path for each block that some of them have reached.

Threads that reach the same block go on together. The first block in order runs first, so that those who left a loop
wait for the others behind it; a path that has waited for long gets its turn, so that locks end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.decode.program import Barrier, Program
from kbtools_plugins.ptx.faults import Deadlock, Divergence
from kbtools_plugins.ptx.memory.cells import at_thread

from .group import Group

PATIENCE = 64
"""Blocks that run before a path that waits gets its turn."""

Key = tuple[int, bool]
"""A block, and whether the barrier before it is passed."""


@dataclass
class Paths:
    """The paths of one group."""

    group: Group
    program: Program
    masks: dict[Key, Bits | None] = field(default_factory=lambda: {(0, False): None})
    """Threads of each path; None stands for all that are alive, and then there is one path only."""
    alive: Bits | None = None
    """Threads that have not ended, None for all."""
    last: dict[Key, int] = field(default_factory=dict)
    time: int = 0

    def threads(self, mask: Bits | None) -> Bits:
        """The threads of a path, as a mask."""
        if mask is not None:
            return mask
        return np.ones((1, 1), np.bool_) if self.alive is None else self.alive

    def take(self) -> tuple[int, Bits | None]:
        """The path that runs next; Deadlock if all wait."""
        self.time += 1
        if len(self.masks) == 1 and self.alone():
            ((key, mask),) = self.masks.items()
        else:
            key = self.next()
            mask = self.masks[key]
        del self.masks[key]
        self.last[key] = self.time
        return key[0], mask

    def alone(self) -> bool:
        """Whether the only path can run, and with it its barrier is passed."""
        ((key, mask),) = self.masks.items()
        barrier = self.program.blocks[key[0]].barrier
        if barrier is None or key[1]:
            return True
        if mask is not None:
            return False
        self.pass_barrier(np.ones((1, 1), np.bool_))
        return True

    def next(self) -> Key:
        """The first block in order, or the one that has waited for too long."""
        ready = sorted(key for key in self.masks if self.may_run(key))
        if not ready or self.time % PATIENCE == 0:
            self.release()
            ready = sorted(key for key in self.masks if self.may_run(key))
        if not ready:
            raise self.deadlock()
        oldest = min(ready, key=lambda key: self.last.get(key, 0))
        return oldest if self.time - self.last.get(oldest, 0) > PATIENCE * len(self.masks) else ready[0]

    def may_run(self, key: Key) -> bool:
        """Whether no barrier is before a block."""
        return key[1] or self.program.blocks[key[0]].barrier is None

    def waiting(self) -> dict[int, list[tuple[Key, Barrier]]]:
        """Paths that wait, by the number of their barrier."""
        found: dict[int, list[tuple[Key, Barrier]]] = {}
        for key in self.masks:
            barrier = self.program.blocks[key[0]].barrier
            if barrier is not None and not key[1]:
                found.setdefault(barrier.number, []).append((key, barrier))
        return found

    def release(self) -> None:
        """Lets the programs on whose threads nobody waits any more pass their barriers."""
        for paths in self.waiting().values():
            masks = [self.group.full(self.threads(self.masks[key])) for key, _ in paths]
            here = masks[0]
            for more in masks[1:]:
                here = here | more
            missing = self.group.full(self.threads(None)) & ~here
            ready = np.asarray(here.any(axis=1) & ~missing.any(axis=1))[:, None]
            if ready.any():
                self.check_together(masks, ready)
                self.pass_barrier(ready)
                for (key, _), mask in zip(paths, masks, strict=True):
                    self.split(key, mask, ready)

    def check_together(self, masks: list[Bits], ready: Bits) -> None:
        """Divergence if threads of one warp pass at different instructions."""
        if len(masks) == 1:
            return
        warp = np.arange(self.group.threads) // 32
        seen = np.zeros((self.group.count, self.group.warps), np.int64)
        for mask in masks:
            rows, threads = np.nonzero(mask & ready)
            here = np.zeros_like(seen)
            here[rows, warp[threads]] = 1
            seen += here
        if (seen > 1).any():
            text = "threads of one warp wait at different barriers"
            raise at_thread(Divergence(text), self.group, np.repeat(seen > 1, 32, axis=1)[:, : self.group.threads])

    def split(self, key: Key, mask: Bits, ready: Bits) -> None:
        """Moves the threads of some programs behind their barrier."""
        go, stay = mask & ready, mask & ~ready
        del self.masks[key]
        if stay.any():
            self.masks[key] = stay
        if go.any():
            passed = (key[0], True)
            before = self.masks.get(passed)
            self.masks[passed] = go if before is None else before | go

    def pass_barrier(self, rows: Bits) -> None:
        """What happened before the barrier is ordered before all that comes, in these programs."""
        self.group.pass_barrier(rows)
        self.group.shared.barrier(rows)

    def deadlock(self) -> Deadlock:
        """All paths wait at barriers that will never be complete."""
        lines = sorted({str(barrier.line) for paths in self.waiting().values() for _, barrier in paths})
        mask = next(iter(self.masks.values()))
        text = f"threads wait at the barriers of {' and '.join(lines)} for others that never come"
        return at_thread(Deadlock(text), self.group, self.threads(mask))

    def add(self, block: int, mask: Bits | None) -> None:
        """Threads reach a block."""
        key = (block, False)
        if key in self.masks and mask is not None:
            before = self.masks[key]
            mask = None if before is None else before | mask
        self.masks[key] = mask
        if len(self.masks) == 1:
            self.masks[key] = None

    def add_both(self, one: int, yes: Bits, other: int, no: Bits) -> None:
        """Threads part."""
        for block, mask in ((one, yes), (other, no)):
            key = (block, False)
            before = self.masks.get(key)
            self.masks[key] = mask if before is None else before | mask
        if len(self.masks) == 1:
            self.masks = dict.fromkeys(self.masks)

    def end(self, mask: Bits | None) -> None:
        """Threads are done."""
        if mask is None or not self.masks:
            return
        self.alive = self.group.full(self.threads(None)) & ~mask
        if len(self.masks) == 1:
            self.masks = dict.fromkeys(self.masks)
