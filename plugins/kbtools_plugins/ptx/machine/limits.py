"""How much a launch may take, and what it has taken so far."""

import time
from dataclasses import dataclass, field

from kbtools_plugins.ptx.faults import LimitExceeded


@dataclass(frozen=True)
class LaunchLimits:
    """Bounds of one launch."""

    instructions: int = 20_000_000_000
    """Instructions times threads."""
    steps: int = 20_000_000
    """Instructions of the machine itself, each of which works on many threads."""
    seconds: float = 120.0
    """Processor time of this process."""
    memory: int = 4 << 30
    """Bytes of registers, shared memory and shadows."""
    lanes: int = 1 << 15
    """Threads that run at once."""


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
