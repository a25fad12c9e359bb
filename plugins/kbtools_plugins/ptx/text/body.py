"""The body of a function: scopes of braces, declarations, labels and instructions."""

import re
from dataclasses import dataclass, field, replace

from kbtools_plugins.ptx.bits import WIDTHS
from kbtools_plugins.ptx.faults import BadText, Line, Unsupported

from .kernel import BranchTarget, Call, DeviceFunction, Guard, Instruction
from .lines import LineTable
from .operands import Operand, Register, Symbol, operand, split
from .statements import Cut, statements
from .variables import variable

REGISTERS = re.compile(r"\.reg\s+\.(\w+)\s+(.+)")
FAMILY = re.compile(r"([\w$%.]+)<(\d{1,9})>")
NAME = re.compile(r"[\w$%.]+")
GUARDED = re.compile(r"@(!?)\s*([\w%$]+)\s+(.*)")
CALL = re.compile(r"(?:\(([^()]*)\)\s*,\s*)?([A-Za-z_$][\w$]*)\s*(?:,\s*\(([^()]*)\))?")
MOST_REGISTERS = 1 << 20
DEEPEST = 64
IGNORED = (".pragma", ".loc", ".file", ".callprototype", ".branchtargets", ".section", ".param")


@dataclass
class Body:
    """Reads the body of one function."""

    function: DeviceFunction
    lines: LineTable
    scopes: list[dict[str, str]] = field(default_factory=lambda: [{}])
    named: dict[str, str] = field(default_factory=dict)
    line: Line = field(default_factory=Line)
    inner: int = 0
    starts: list[int] = field(default_factory=lambda: [0])
    """Where the code of each open brace begins."""

    def read(self, text: str, start: int) -> int:
        """All pieces up to the closing brace; where the text goes on."""
        self.lines.start()
        end = start
        for kind, piece, end in statements(text, start):  # noqa: B007 - the last end is what the caller needs
            self.piece(kind, piece)
        return end

    def piece(self, kind: Cut, piece: str) -> None:
        if kind is Cut.STATEMENT:
            self.statement(piece)
        elif kind is Cut.LINE:
            self.line = self.lines.read(piece) or self.line
        elif kind is Cut.LABEL:
            self.function.code.append(BranchTarget(self.label(piece)))
        elif kind is Cut.OPEN:
            if len(self.scopes) > DEEPEST:
                raise BadText(f"more than {DEEPEST} braces within each other", self.line)
            self.inner += 1
            self.scopes.append({"": str(self.inner)})
            self.starts.append(len(self.function.code))
        else:
            self.close()

    def close(self) -> None:
        """Leave braces; branches to labels that came behind them get these labels' own names."""
        names, start = self.scopes.pop(), self.starts.pop()
        self.rename()
        for at, item in enumerate(self.function.code[start:], start):
            if isinstance(item, Instruction) and item.family == "bra":
                goal = item.operands[-1]
                if isinstance(goal, Symbol) and goal.name in names:
                    self.function.code[at] = replace(item, operands=(replace(goal, name=names[goal.name]),))

    def label(self, name: str) -> str:
        """Labels within braces are known there only; ours are unique, and braces rarely hold any."""
        if len(self.scopes) > 1:
            self.scopes[-1][name] = unique = f"{name}@{self.scopes[-1]['']}"
            self.rename()
            return unique
        return name

    def rename(self) -> None:
        """The names that the open braces give."""
        self.named = {name: unique for scope in self.scopes[1:] for name, unique in scope.items() if name}

    def statement(self, text: str) -> None:
        if text.startswith(".reg"):
            self.declare(text)
        elif text.startswith((".shared", ".local", ".global", ".const")):
            self.function.variables.append(variable(text))
        elif not text.startswith(IGNORED):
            self.instruction(text)

    def declare(self, text: str) -> None:
        """`.reg .b32 %r<12>` or `.reg .pred p, q`."""
        found = REGISTERS.fullmatch(text)
        if not found or found[1] not in WIDTHS:
            raise BadText(f"{text!r} does not declare registers", self.line)
        for name in split(found[2]):
            many = FAMILY.fullmatch(name)
            if not many and not NAME.fullmatch(name):
                raise BadText(f"{text!r} does not declare registers", self.line)
            names = [f"{many[1]}{at}" for at in range(within_limit(int(many[2])))] if many else [name]
            for each in names:
                self.function.registers[self.register(each)] = found[1]
        if len(self.function.registers) > MOST_REGISTERS:
            raise BadText(f"more than {MOST_REGISTERS} registers", self.line)

    def register(self, name: str) -> str:
        """Unique name of a register that is declared here."""
        if len(self.scopes) == 1:
            if not name.startswith("%"):
                self.named[name] = name
                self.scopes[0][name] = name
            return name
        unique = f"{name}@{self.scopes[-1]['']}"
        self.scopes[-1][name] = unique
        self.rename()
        return unique

    def instruction(self, text: str) -> None:
        guard, body = None, text
        if found := GUARDED.fullmatch(text):
            predicate = operand(found[2], self.named)
            if not isinstance(predicate, Register):
                raise BadText(f"{text!r} has a guard that is not a predicate", self.line)
            guard, body = Guard(predicate, bool(found[1])), found[3]
        opcode, _, rest = body.partition(" ")
        if opcode == "call" or opcode.startswith("call."):
            self.function.code.append(self.call(opcode, rest, guard))
            return
        self.function.code.append(Instruction(opcode, self.operands(rest), guard, self.line))

    def call(self, opcode: str, rest: str, guard: Guard | None) -> Call:
        """`call.uni (results), name, (arguments)`; a call through a register has a prototype behind it."""
        found = CALL.fullmatch(rest)
        if not found:
            raise Unsupported(f"ptx:{opcode}", self.line)
        results, arguments = (tuple(split(part or "")) for part in (found[1], found[3]))
        return Call(found[2], arguments, results, guard, self.line)

    def operands(self, rest: str) -> tuple[Operand, ...]:
        try:
            return tuple(operand(part, self.named) for part in split(rest))
        except BadText as fault:
            fault.line = self.line
            raise


def within_limit(count: int) -> int:
    """The number of registers of one declaration."""
    if count > MOST_REGISTERS:
        raise BadText(f"more than {MOST_REGISTERS} registers")
    return count
