"""Global memory as the caller sees it: bytes, and which of them were ever written."""

from dataclasses import dataclass

import numpy as np

from kbtools_plugins.ptx.bits import Bits


@dataclass(eq=False)
class Buffer:
    """Bytes that a kernel may touch. `data` is a writable uint8 array that the launch changes in place.

    `initialised` has a 1 for each byte that was written, and lives across launches; None says that all were.
    """

    name: str
    data: Bits
    initialised: Bits | None = None
    stored: Bits | None = None
    """After a launch of some programs only: 1 for each byte that one of them has stored."""

    def __post_init__(self) -> None:
        if self.data.dtype != np.uint8 or self.data.ndim != 1:
            raise TypeError(f"buffer {self.name} has to be a flat array of uint8")
        if self.initialised is not None and self.initialised.shape != self.data.shape:
            raise ValueError(f"buffer {self.name} has {self.data.size} bytes and {self.initialised.size} marks")

    @staticmethod
    def empty(name: str, size: int) -> "Buffer":
        """A buffer that nothing was written to."""
        return Buffer(name, np.zeros(size, np.uint8), np.zeros(size, np.uint8))


@dataclass(frozen=True)
class Pointer:
    """An argument that points into a buffer."""

    buffer: Buffer
    offset: int = 0


@dataclass
class StoragePart:
    """The threads of one access that go to one buffer."""

    number: int
    mask: Bits | None
    offsets: Bits
    """Broadcasts to all threads; right where the mask holds."""
