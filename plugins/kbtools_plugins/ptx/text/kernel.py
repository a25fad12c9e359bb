"""What a parsed function is made of: parameters, registers, variables, and instructions with labels between them."""

from dataclasses import dataclass, field

from kbtools_plugins.ptx.faults import Line

from .operands import Operand, Register


@dataclass(frozen=True)
class Guard:
    """`@%p1` or `@!%p1` before an instruction."""

    predicate: Register
    negated: bool


@dataclass(frozen=True, eq=False)
class Instruction:
    """One instruction: `opcode` is all that is before its operands, `parts` the same between the dots."""

    opcode: str
    operands: tuple[Operand, ...]
    guard: Guard | None
    line: Line

    @property
    def parts(self) -> tuple[str, ...]:
        """`add.rn.f32` as ("add", "rn", "f32")."""
        return tuple(self.opcode.split("."))

    @property
    def family(self) -> str:
        """The first part of the opcode."""
        return self.opcode.partition(".")[0]


@dataclass(frozen=True)
class Call:
    """A call of a function, with the names of what is handed over (`calls.py`)."""

    name: str
    arguments: tuple[str, ...]
    results: tuple[str, ...]
    guard: Guard | None
    line: Line


@dataclass(frozen=True)
class BranchTarget:
    """A place that branches name."""

    name: str


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function: its type and how many bytes it takes."""

    name: str
    kind: str
    size: int


@dataclass(frozen=True)
class Variable:
    """A variable in global, constant, shared or local memory; `data` are its first values."""

    name: str
    space: str
    size: int
    alignment: int
    data: bytes = b""


@dataclass
class DeviceFunction:
    """An entry or a function that is called."""

    name: str
    entry: bool
    parameters: list[Parameter] = field(default_factory=list)
    results: list[Parameter] = field(default_factory=list)
    threads: tuple[int, int, int] | None = None
    registers: dict[str, str] = field(default_factory=dict)
    """Types of all registers, by unique name."""
    variables: list[Variable] = field(default_factory=list)
    code: list[Instruction | BranchTarget | Call] = field(default_factory=list)


@dataclass
class Module:
    """All of a PTX text."""

    version: str
    target: str
    functions: dict[str, DeviceFunction]
    variables: list[Variable]
    files: dict[int, str]
