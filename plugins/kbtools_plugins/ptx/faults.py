"""What can go wrong in a launch: typed, with the kernel's source line, the program and the thread."""

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True)
class Line:
    """A place in the kernel's source, as `.loc` names it; `file` as PTX spells it."""

    file: str = ""
    number: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"line {self.number}" if self.number else "a line that the PTX does not name"


@dataclass(eq=False)
class Fault(Exception):
    """Base of all that ends a launch."""

    kind: ClassVar[str] = "fault"
    message: str
    line: Line = field(default_factory=Line)
    program: tuple[int, int, int] | None = None
    thread: int | None = None
    other: Line | None = None

    def __str__(self) -> str:
        """The whole sentence: "line 14 reads 4 bytes past the end of x, which has 400, in program 3, thread 17"."""
        text = self.message
        if self.line.number and not text.startswith("line "):
            text = f"{self.line} {text}" if text.startswith(VERBS) else f"{self.line}: {text}"
        if self.program is not None:
            x, y, z = self.program
            text += f", in program {(x, y, z) if y or z else x}"
        return text if self.thread is None else f"{text}, thread {self.thread}"


VERBS = ("reads ", "writes ", "changes ")
"""Messages that go on from the line that does it."""


class OutOfBounds(Fault):
    """An access outside every buffer, or past the end of shared memory."""

    kind = "out_of_bounds"


class Misaligned(Fault):
    """An address that is not a multiple of the access's size."""

    kind = "misaligned"


UNKNOWN = "memory that nothing was written to (or on a clock or the number of a multiprocessor)"
"""What no result may depend on: all of it is open until a device runs the kernel."""


class Uninitialised(Fault):
    """An address, a branch or a size that depends on memory nothing was written to."""

    kind = "uninitialised"


class SharedRace(Fault):
    """Two threads of one program touch a byte of shared memory with nothing that orders them."""

    kind = "shared_race"


class GlobalRace(Fault):
    """Two programs touch a byte of global memory, and one writes it, with nothing that orders them."""

    kind = "global_race"


class Divergence(Fault):
    """Threads of one warp are at different places where the instruction needs them together."""

    kind = "divergence"


class Deadlock(Fault):
    """All threads that are left wait for others."""

    kind = "deadlock"


class Trap(Fault):
    """The kernel asked to be ended."""

    kind = "trap"


class LimitExceeded(Fault):
    """Instructions, memory or processor time of the launch are used up."""

    kind = "limit"


class BadText(Fault):
    """The PTX is not what the grammar says."""

    kind = "bad_text"


class Unsupported(Exception):
    """What the machine does not execute: never guessed. `reason` starts with `ptx:`."""

    def __init__(self, reason: str, line: Line | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line or Line()
