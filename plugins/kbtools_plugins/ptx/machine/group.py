"""Programs that run together: their registers, which of their threads are active, and what is uninitialised."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.decode.program import Program, ProgramStep

if TYPE_CHECKING:
    from kbtools_plugins.ptx.memory.global_memory import GlobalMemory
    from kbtools_plugins.ptx.memory.local import LocalMemory
    from kbtools_plugins.ptx.memory.shared import SharedMemory

Register = Bits | None
WARP = 32


@dataclass
class Group:
    """`count` programs of `threads` threads; arrays of registers broadcast to (count, threads)."""

    program: Program
    numbers: Bits
    """Numbers of the programs within the grid, shape (count, 1)."""
    threads: int
    grid: tuple[int, int, int]
    registers: list[Register]
    memory: GlobalMemory
    shared: SharedMemory
    local: LocalMemory
    poison: dict[int, Bits] = field(default_factory=dict)
    """Bits of registers that nothing was written to; registers without any are not in it."""
    mask: Bits | None = None
    """Threads that are active, None for all."""
    merge: Bits | None = None
    """Threads whose registers may change: as `mask`, but None where all others have ended."""
    epoch: Bits = field(init=False)
    """Barriers that each program has passed, shape (count, 1)."""
    releases: Bits | None = None
    """Operations of each program that released what came before, shape (count, 1); made at the first."""
    since: Bits = field(init=False)
    """The clock of each program at its last barrier."""
    fence: tuple[Bits, Bits] | None = None
    """Clock and last barrier of each program at its last fence, -1 before that."""
    step: ProgramStep | None = None
    ticks: int = 0

    def __post_init__(self) -> None:
        self.epoch = np.zeros((self.count, 1), np.int64)
        self.since = self.epoch
        self.shape = (self.count, self.threads)
        self.warp = (np.arange(self.threads) // WARP)[None]
        self.warps = -(-self.threads // WARP)

    @property
    def count(self) -> int:
        """How many programs."""
        return len(self.numbers)

    @property
    def clock(self) -> Bits:
        """Barriers and releases of each program."""
        return self.epoch if self.releases is None else self.epoch + self.releases

    def pass_barrier(self, rows: Bits) -> None:
        """Some programs have passed a barrier."""
        self.epoch = self.epoch + rows
        self.since = np.where(rows, self.clock, self.since)

    def release(self, rows: Bits) -> None:
        """In some programs, by their row, what comes now is behind a release."""
        acted = np.zeros((self.count, 1), np.int64)
        acted[rows] = 1
        self.releases = acted if self.releases is None else self.releases + acted

    def pass_fence(self, rows: Bits) -> None:
        """The same behind a fence."""
        clock, barrier = self.fence or (np.full((self.count, 1), -1), np.full((self.count, 1), -1))
        acted = np.zeros((self.count, 1), np.bool_)
        acted[rows] = True
        self.fence = np.where(acted, self.clock, clock), np.where(acted, self.since, barrier)
        self.release(rows)

    def read(self, slot: int) -> Bits:
        """A register's bits."""
        value = self.registers[slot]
        if value is None:
            raise AssertionError(f"slot {slot} is read before it is written")
        return value

    def full(self, value: Bits) -> Bits:
        """A register for each thread of each program."""
        return value if value.shape == self.shape else np.broadcast_to(value, self.shape)

    def guarded(self, guard: tuple[int, bool] | None) -> Bits | None:
        """Threads for which an instruction acts: the active ones whose guard holds; None for all."""
        if guard is None:
            return self.mask
        holds = self.holds(guard)
        return holds if self.mask is None else holds & self.mask

    def holds(self, guard: tuple[int, bool]) -> Bits:
        """Where a guard holds."""
        value = self.read(guard[0])
        return ~value if guard[1] else value

    def write(self, slot: int, value: Bits, guard: tuple[int, bool] | None) -> None:
        """A register gets a value in those threads for which the instruction acts."""
        old = self.registers[slot]
        if old is not None and (guard is not None or self.merge is not None):
            value = np.where(self.changing(guard), value, old)
        self.registers[slot] = value

    def changing(self, guard: tuple[int, bool] | None) -> Bits:
        """Threads whose registers an instruction changes."""
        holds = np.ones((1, 1), np.bool_) if guard is None else self.holds(guard)
        return holds if self.merge is None else holds & self.merge

    def place(self, row: int) -> tuple[int, int, int]:
        """A program of the group as `tl.program_id` counts."""
        number, (x, y, _) = int(self.numbers[row, 0]), self.grid
        return number % x, number // x % y, number // (x * y)
