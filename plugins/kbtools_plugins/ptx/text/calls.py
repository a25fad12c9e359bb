"""Functions that a kernel calls are put where they are called: the decoder never sees a call.

What a call hands over in parameter memory becomes registers, one for each name, offset and width, so that only values
that are written and read alike can pass. Two functions come with every device: printing has no effect here, and a
failed assertion is a trap. A function that calls itself, or is called through a register, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from kbtools_plugins.ptx.bits import WIDTHS
from kbtools_plugins.ptx.faults import BadText, Unsupported

from .kernel import BranchTarget, Call, DeviceFunction, Guard, Instruction, Module
from .operands import Address, Immediate, Negated, Operand, OperandPair, Register, Symbol, Vector

MOST_INSTRUCTIONS = 1 << 17
DEEPEST = 32
PRINTS, FAILS = "vprintf", "__assertfail"
ACCESS = re.compile(r"(ld|st)\.param(?:\.v[24])?\.([bufs]\d+)")


@dataclass
class Caller:
    """A kernel while its calls are replaced."""

    module: Module
    function: DeviceFunction
    code: list[Instruction | BranchTarget] = field(default_factory=list)
    written: set[str] = field(default_factory=set)
    read: dict[str, Instruction] = field(default_factory=dict)
    count: int = 0

    def put(self, function: DeviceFunction, scope: CallScope, calling: tuple[str, ...]) -> None:
        """The code of a function, and of all that it calls."""
        if len(self.code) > MOST_INSTRUCTIONS:
            raise Unsupported("ptx:call", scope.call.line if scope.call else None)
        for item in function.code:
            if isinstance(item, Call):
                self.call(item, scope, calling)
            elif isinstance(item, BranchTarget):
                self.code.append(BranchTarget(scope.label(item.name)))
            else:
                self.code += self.instruction(item, scope)

    def call(self, call: Call, scope: CallScope, calling: tuple[str, ...]) -> None:
        """One call: the function's code with names of its own, and a label behind it."""
        callee = self.module.functions.get(call.name)
        if callee is None and call.name in (PRINTS, FAILS):
            self.system(call, scope)
            return
        if callee is None or callee.entry or call.name in calling or call.guard or len(calling) > DEEPEST:
            raise Unsupported("ptx:call", call.line)
        if len(callee.parameters) != len(call.arguments) or len(callee.results) != len(call.results):
            raise BadText(f"{call.name} is called with other parameters than it has", call.line)
        self.count += 1
        inner = CallScope(callee, call, f"#{self.count}", {})
        inner.passed = {
            **{own.name: scope.place(name) for own, name in zip(callee.parameters, call.arguments, strict=True)},
            **{own.name: scope.place(name) for own, name in zip(callee.results, call.results, strict=True)},
        }
        self.function.registers |= {name + inner.mark: kind for name, kind in callee.registers.items()}
        known = {variable.name for variable in self.function.variables}
        self.function.variables += [variable for variable in callee.variables if variable.name not in known]
        self.put(callee, inner, (*calling, call.name))
        self.code.append(BranchTarget(inner.end))

    def system(self, call: Call, scope: CallScope) -> None:
        """A function of every device: what is printed is nobody's result, and a failed assertion ends the kernel."""
        if call.name == FAILS:
            guard = call.guard and Guard(scope.register(call.guard.predicate), call.guard.negated)
            self.code.append(Instruction("trap", (), guard, call.line))
        for result in call.results:
            name = f"{scope.place(result)}+0.32"
            self.function.registers[name] = "b32"
            self.written.add(name)
            self.code.append(Instruction("mov.b32", (Register(name), Immediate(0)), None, call.line))

    def instruction(self, instruction: Instruction, scope: CallScope) -> Iterator[Instruction]:
        """An instruction with the names of its scope."""
        if instruction.family in ("ld", "st") and "param" in instruction.parts and not scope.is_kernel(instruction):
            yield from self.passing(instruction, scope)
            return
        guard = instruction.guard and Guard(scope.register(instruction.guard.predicate), instruction.guard.negated)
        if scope.call and instruction.family == "ret":
            yield Instruction("bra", (Symbol(scope.end),), guard, instruction.line)
            return
        operands = tuple(scope.operand(operand) for operand in instruction.operands)
        yield Instruction(instruction.opcode, operands, guard, instruction.line)

    def passing(self, instruction: Instruction, scope: CallScope) -> Iterator[Instruction]:
        """A value that is handed to a function or comes back, as moves between registers."""
        found = ACCESS.fullmatch(instruction.opcode)
        if not found or instruction.guard or len(instruction.operands) != 2:
            raise Unsupported(f"ptx:{instruction.opcode}", instruction.line)
        address, value = instruction.operands if found[1] == "st" else instruction.operands[::-1]
        if not isinstance(address, Address) or not isinstance(address.base, Symbol):
            raise Unsupported(f"ptx:{instruction.opcode}", instruction.line)
        kind = f"b{max(16, WIDTHS[found[2]])}"
        for at, element in enumerate(value.elements if isinstance(value, Vector) else (value,)):
            offset = address.base.offset + address.offset + at * WIDTHS[found[2]] // 8
            name = f"{scope.place(address.base.name)}+{offset}.{found[2][1:]}"
            self.function.registers[name] = kind
            if found[1] == "st":
                self.written.add(name)
                operands: tuple[Operand, ...] = (Register(name), scope.operand(element))
            else:
                self.read[name] = instruction
                operands = (scope.operand(element), Register(name))
            yield Instruction(f"mov.{kind}", operands, None, instruction.line)


@dataclass
class CallScope:
    """Names within one call (or within the kernel, where they stay)."""

    function: DeviceFunction
    call: Call | None = None
    mark: str = ""
    passed: dict[str, str] = field(default_factory=dict)

    @cached_property
    def labels(self) -> set[str]:
        """Labels of the function."""
        return {item.name for item in self.function.code if isinstance(item, BranchTarget)}

    @property
    def end(self) -> str:
        """The label behind the code of a call."""
        return f"end{self.mark}"

    def label(self, name: str) -> str:
        """A label of this call."""
        return name + self.mark

    def place(self, name: str) -> str:
        """The name of parameter memory: the caller's, where it was handed over."""
        return self.passed.get(name, f"%param {name}{self.mark}")

    def is_kernel(self, instruction: Instruction) -> bool:
        """Whether a load is from the parameters of the launch."""
        names = {parameter.name for parameter in self.function.parameters}
        bases = [operand.base for operand in instruction.operands if isinstance(operand, Address)]
        return self.call is None and any(isinstance(base, Symbol) and base.name in names for base in bases)

    def register(self, register: Register) -> Register:
        """A register of this call; special ones are everybody's."""
        own = register.name in self.function.registers
        return Register(register.name + self.mark) if own else register

    def operand(self, operand: Operand) -> Operand:
        """An operand with the names of this call."""
        if not self.mark:
            return operand
        if isinstance(operand, Register):
            return self.register(operand)
        if isinstance(operand, Negated):
            return Negated(self.register(operand.register))
        if isinstance(operand, OperandPair):
            return OperandPair(self.register(operand.first), self.register(operand.second))
        if isinstance(operand, Vector):
            return Vector(tuple(self.operand(element) for element in operand.elements))
        if isinstance(operand, Address) and isinstance(operand.base, Register):
            return Address(self.register(operand.base), operand.offset)
        if isinstance(operand, Symbol) and operand.name in self.labels:
            return Symbol(self.label(operand.name), operand.offset)
        return operand


def with_calls(function: DeviceFunction, module: Module) -> DeviceFunction:
    """The same kernel without calls; itself where it has none."""
    if not any(isinstance(item, Call) for item in function.code):
        return function
    whole = DeviceFunction(
        function.name,
        function.entry,
        function.parameters,
        function.results,
        function.threads,
        dict(function.registers),
        list(function.variables),
    )
    caller = Caller(module, whole)
    caller.put(function, CallScope(function), (function.name,))
    for name, instruction in caller.read.items():
        if name not in caller.written:
            raise Unsupported(f"ptx:{instruction.opcode}", instruction.line)
    whole.code = list(caller.code)
    return whole
