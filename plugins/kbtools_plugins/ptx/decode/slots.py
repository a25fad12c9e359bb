"""Registers, constants, special registers and parameters as numbered slots, with the width of each."""

import struct
from collections.abc import Callable

import numpy as np

from kbtools_plugins.ptx.bits import WIDTHS, Bits, constant
from kbtools_plugins.ptx.faults import BadText, Unsupported
from kbtools_plugins.ptx.text.kernel import DeviceFunction, Module, Variable
from kbtools_plugins.ptx.text.operands import Float, Immediate, Operand, Register, Symbol

from .program import ParameterSlot

CARRY = "%cc"
CLOCKS = ("%clock", "%clock_hi", "%clock64", "%globaltimer", "%globaltimer_lo", "%globaltimer_hi")
WIDE = ("%clock64", "%globaltimer", "%gridid64")


class Slots:
    """Gives out slots."""

    def __init__(self, function: DeviceFunction, module: Module) -> None:
        self.widths: list[int] = []
        self.registers: dict[str, int] = {}
        self.constants: dict[int, Bits] = {}
        self.specials: dict[int, str] = {}
        self.loads: list[ParameterSlot] = []
        self.symbols: dict[int, tuple[str, int]] = {}
        self.data: dict[str, bytes] = {}
        self.parameters = {parameter.name: parameter for parameter in function.parameters}
        self._known: dict[tuple[object, ...], int] = {}
        for name, kind in function.registers.items():
            self.registers[name] = self.new(WIDTHS[kind])
        self.registers[CARRY] = self.new(1)
        self.variables = {variable.name: variable for variable in (*module.variables, *function.variables)}
        self.shared, self.static_shared = self.layout("shared", function, module)
        self.local, self.local_size = self.layout("local", function, module)

    def layout(self, space: str, function: DeviceFunction, module: Module) -> tuple[dict[str, int], int]:
        """Places of the variables of a space one behind another; arrays of unknown length are all at the end."""
        places, end = {}, 0
        found = [variable for variable in (*module.variables, *function.variables) if variable.space == space]
        for variable in sorted(found, key=lambda variable: variable.size == 0):
            places[variable.name] = end = aligned(end, variable)
            end += variable.size
        return places, end

    def new(self, width: int) -> int:
        """A further slot."""
        if width not in (1, 8, 16, 32, 64):
            raise Unsupported(f"ptx:.b{width} registers")
        self.widths.append(width)
        return len(self.widths) - 1

    def constant(self, value: int, width: int) -> int:
        """A slot that holds a number."""
        return self._shared(
            ("constant", value & ((1 << width) - 1), width), width, lambda slot: self._hold(slot, value)
        )

    def _hold(self, slot: int, value: int) -> None:
        self.constants[slot] = constant(value, self.widths[slot])

    def _shared(self, key: tuple[object, ...], width: int, make: Callable[[int], None]) -> int:
        if key not in self._known:
            self._known[key] = slot = self.new(width)
            make(slot)
        return self._known[key]

    def special(self, name: str) -> int:
        """A slot that holds a special register."""
        width = 64 if name in WIDE else 32
        return self._shared(("special", name), width, lambda slot: self.specials.__setitem__(slot, name))

    def parameter(self, name: str, offset: int, width: int) -> int:
        """A slot that holds part of a parameter."""
        if name not in self.parameters:
            raise BadText(f"there is no parameter {name}")
        if not 0 <= offset <= self.parameters[name].size - width // 8:
            raise BadText(f"{width // 8} bytes at {offset} of parameter {name}, which has {self.parameters[name].size}")
        return self._shared(
            ("parameter", name, offset, width),
            width,
            lambda slot: self.loads.append(ParameterSlot(slot, name, offset, width)),
        )

    def symbol(self, name: str, offset: int, width: int) -> int:
        """A slot that holds the address of a variable."""
        if name in self.shared:
            return self.constant(self.shared[name] + offset, width)
        if name in self.local:
            return self.constant(self.local[name] + offset, width)
        if name not in self.variables:
            raise BadText(f"there is no variable {name}")
        variable = self.variables[name]
        self.data[name] = variable.data.ljust(variable.size, b"\0")
        slot = self._shared(("symbol", name, offset), 64, lambda slot: self.symbols.__setitem__(slot, (name, offset)))
        if width != 64:
            raise BadText(f"the address of {name} has 64 bits, not {width}")
        return slot

    def value(self, operand: Operand, kind: str) -> int:
        """The slot of an operand that is read as a type; registers keep their own width."""
        if isinstance(operand, Register):
            return self.register(operand)
        if isinstance(operand, Immediate):
            return self.constant(number(operand.value, kind), WIDTHS[kind])
        if isinstance(operand, Float):
            return self.constant(float_bits(operand, kind), WIDTHS[kind])
        if isinstance(operand, Symbol):
            return self.symbol(operand.name, operand.offset, WIDTHS[kind])
        raise BadText(f"{operand} is not a value")

    def register(self, register: Register) -> int:
        """The slot of a register that is read or written."""
        if register.name in self.registers:
            return self.registers[register.name]
        if register.name.startswith("%"):
            return self.special(register.name)
        raise BadText(f"there is no register {register.name}")


def aligned(end: int, variable: Variable) -> int:
    """Where a variable begins; all variables of unknown length begin at multiples of 16."""
    step = max(variable.alignment, 16 if not variable.size else 1)
    return -(-end // step) * step


def number(value: int, kind: str) -> int:
    """Bits of a whole number as a type; floats take it by value, as PTX's `mov.f32 %f, 1` does not exist."""
    if kind in ("f16", "bf16", "f32", "f64") and value:
        raise BadText(f"{value} is not a float")
    return value


def float_bits(operand: Float, kind: str) -> int:
    """Bits of a float in the width of a type."""
    width = WIDTHS[kind]
    if operand.width == width:
        return operand.value
    if (operand.width, width) == (64, 32):
        value = struct.unpack("<d", operand.value.to_bytes(8, "little"))[0]
        with np.errstate(over="ignore"):
            return int(np.float32(value).view(np.uint32))
    if (operand.width, width) == (32, 64):
        value = struct.unpack("<f", operand.value.to_bytes(4, "little"))[0]
        return int(np.float64(value).view(np.uint64))
    raise BadText(f"a float of {operand.width} bits as .{kind}")
