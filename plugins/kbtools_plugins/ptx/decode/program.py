"""What a decoded kernel is: blocks of steps, how they follow each other, and what its slots hold at the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.faults import Line
from kbtools_plugins.ptx.native.fused import FusedSteps
from kbtools_plugins.ptx.native.rule import Micro
from kbtools_plugins.ptx.text.kernel import Parameter

if TYPE_CHECKING:
    from kbtools_plugins.ptx.machine.group import Group

Run = Callable[["Group"], None]
Shadow = Callable[["Group", "ProgramStep"], None]


@dataclass(slots=True)
class ProgramStep:
    """One instruction, ready to run; slots are numbers of registers."""

    run: Run
    line: Line
    opcode: str
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    shadow: Shadow
    """Carries what is uninitialised from `reads` to `writes`; runs before the step, and only if there is any."""
    number: int = 0
    """Place in the kernel, which the shadows of memory name."""
    guard: tuple[int, bool] | None = None
    """Slot of the predicate, and whether it is negated."""
    is_adjustment: bool = False
    """Whether it only prepares an operand, or extends a result."""
    kills: tuple[int, ...] = ()
    """Registers that nobody reads any more behind this step."""
    micros: tuple[Micro, ...] = ()
    """The same in rules of the table (native/), where it can be said so."""


@dataclass(frozen=True)
class Jump:
    """The block goes on with another one."""

    target: int


@dataclass(frozen=True)
class Branch:
    """Threads whose predicate holds (or does not, if negated) go to `taken`, the others to `other`."""

    predicate: int
    negated: bool
    taken: int
    other: int
    line: Line


@dataclass(frozen=True)
class End:
    """The threads are done."""


@dataclass(frozen=True)
class Barrier:
    """All threads of a program wait for each other before the block."""

    number: int
    line: Line


@dataclass
class Block:
    """Steps that run one after another."""

    steps: list[ProgramStep] = field(default_factory=list)
    pieces: list[ProgramStep | FusedSteps] = field(default_factory=list)
    """The steps, those together that the machine in C can do at once; made once registers' ends are known."""
    after: Jump | Branch | End = field(default_factory=End)
    barrier: Barrier | None = None


@dataclass(frozen=True)
class ParameterSlot:
    """Part of a parameter that the kernel loads."""

    slot: int
    name: str
    offset: int
    width: int


@dataclass
class Program:
    """A kernel that can be run."""

    name: str
    parameters: list[Parameter]
    threads: tuple[int, int, int] | None
    blocks: list[Block]
    constants: dict[int, Bits]
    specials: dict[int, str]
    """Slots of special registers."""
    loads: list[ParameterSlot]
    symbols: dict[int, tuple[str, int]]
    """Slots that hold addresses of global variables: name and offset."""
    data: dict[str, bytes]
    widths: tuple[int, ...]
    """Bits of each slot."""
    undefined: dict[int, int]
    """Slots that may be read before they are written, with their widths."""
    static_shared: int
    """Bytes of shared memory before the part whose size the launch says."""
    local: int
    opcodes: tuple[str, ...]
    lines: tuple[Line, ...]
    granule: int
    """Bytes of the smallest access: shadows of memory are kept in this size."""
    approximate: tuple[str, ...]
    written: frozenset[str]
    """Parameters through which the kernel may write."""
    waits: bool
    """Whether a loop may wait for another program."""
    orders: bool = False
    """Whether it has operations on memory that several programs may do at once."""
    fences: bool = False
    """Whether relaxed ones of them may order others."""
    version: str = ""
    target: str = ""
