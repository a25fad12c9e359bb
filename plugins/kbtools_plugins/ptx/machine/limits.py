"""How much a launch may take, and what it has taken so far."""

import time
from dataclasses import dataclass, field

from kbtools_plugins.ptx.faults import LimitExceeded


@dataclass(frozen=True)
class LaunchLimits:
    """Bounds of one launch; what is said to be measured is by `benchmarks/ptx_limits.py`, with all checks."""

    instructions: int = 150_000_000_000
    """Instructions times threads. At the 314 million a second that were measured at most this takes eight minutes: time
    ends a launch first, unless it was given more than that."""
    steps: int = 25_000_000
    """Instructions of the machine itself, each of which works on many threads; eight minutes at the 49,000 a second
    that were measured for one narrow program."""
    seconds: float = 120.0
    """Processor time of this process."""
    memory: int = 4 << 30
    """Bytes of registers, shared memory and shadows. A thread took 0.2 to 1.2 kB of all memory, 2.8 kB in a matmul of
    tiles of 64 x 64: a thirtieth of this for `lanes` of them."""
    lanes: int = 1 << 15
    """Threads that run at once. Of 2^12 to 2^18 this was within 6 % of the best for rows and sums (2^12 took up to 2.3
    times as long, 2^18 up to 1.8 times) and needs half the memory of twice as many."""


@dataclass
class Meter:
    """What a launch has taken so far."""

    limits: LaunchLimits
    instructions: int = 0
    steps: int = 0
    start: float = field(default_factory=time.process_time)

    @property
    def seconds(self) -> float:
        """Processor time since the launch began."""
        return time.process_time() - self.start

    def count(self, steps: int, threads: int) -> None:
        """A block was run; LimitExceeded if that was too much."""
        self.steps += steps
        self.instructions += steps * threads
        if self.instructions > self.limits.instructions:
            raise LimitExceeded(f"more than {self.limits.instructions} instructions")
        if self.steps > self.limits.steps:
            raise LimitExceeded(f"more than {self.limits.steps} steps")
        if self.seconds > self.limits.seconds:
            raise LimitExceeded(f"more than {self.limits.seconds:g} seconds of processor time")
