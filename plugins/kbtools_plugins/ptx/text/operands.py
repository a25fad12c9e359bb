"""Operands of an instruction, as their spelling tells them apart. What width they are read with is the decoder's."""

import re
import struct
from dataclasses import dataclass

from kbtools_plugins.ptx.faults import BadText


@dataclass(frozen=True)
class Register:
    """A register, a predicate or a special register: `%r1`, `%tid.x`."""

    name: str


@dataclass(frozen=True)
class Negated:
    """`!%p1`, or `-%r1` in inline assembly."""

    register: Register


@dataclass(frozen=True)
class Immediate:
    """A whole number."""

    value: int


@dataclass(frozen=True)
class Float:
    """`0f3F800000` or `0d3FF0000000000000`: bits of a float of 32 or 64 bits, or a decimal number (64 bits)."""

    value: int
    width: int


@dataclass(frozen=True)
class Symbol:
    """A variable, a parameter or a label."""

    name: str
    offset: int = 0


@dataclass(frozen=True)
class Address:
    """`[base+offset]`."""

    base: "Register | Symbol | Immediate"
    offset: int


@dataclass(frozen=True)
class Vector:
    """`{a, b}`."""

    elements: "tuple[Operand, ...]"


@dataclass(frozen=True)
class OperandPair:
    """`%r1|%p1`: a result and a predicate, or two predicates."""

    first: Register
    second: Register


@dataclass(frozen=True)
class Sink:
    """`_`: a result that is thrown away."""


Operand = Register | Negated | Immediate | Float | Symbol | Address | Vector | OperandPair | Sink

NAME = r"[A-Za-z_$%][\w$.]*"
INTEGER = r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)U?"
WHOLE = re.compile(INTEGER)
BITS = re.compile(r"0[fF]([0-9a-fA-F]{8})|0[dD]([0-9a-fA-F]{16})")
DECIMAL = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][-+]?\d+)?")
REGISTER = re.compile(r"%[\w$.]+")
SYMBOL = re.compile(rf"({NAME})(?:\s*\+\s*({INTEGER}))?")
INSIDE = re.compile(rf"({NAME}|{INTEGER})\s*(?:([-+])\s*({INTEGER}))?")


def split(text: str) -> list[str]:
    """Operands between commas that are in no bracket."""
    found, depth, start = [], 0, 0
    for at, sign in enumerate(text):
        if sign in "{[(":
            depth += 1
        elif sign in "}])":
            depth -= 1
        elif sign == "," and not depth:
            found.append(text[start:at].strip())
            start = at + 1
    rest = text[start:].strip()
    return [*found, rest] if rest or found else []


def whole(text: str) -> int:
    """A number as PTX writes it: decimal, hexadecimal, binary or octal, perhaps with U behind it."""
    digits = text.removesuffix("U").lstrip("+-")
    base = 8 if len(digits) > 1 and digits.isdigit() and digits[0] == "0" else 0
    try:
        value = int(digits, base)
    except ValueError:
        raise BadText(f"{text!r} is not a number") from None
    return -value if text.startswith("-") else value


def operand(text: str, named: dict[str, str]) -> Operand:
    """One operand; `named` maps registers of enclosing braces to their unique names."""
    if text in named:
        return Register(named[text])
    if REGISTER.fullmatch(text):
        return Register(text)
    if text.startswith(("{", "[")):
        return bracketed(text, named)
    if WHOLE.fullmatch(text):
        return Immediate(whole(text))
    return rarer(text, named)


def bracketed(text: str, named: dict[str, str]) -> Operand:
    """An address or a vector."""
    if text[0] == "[" and text[-1] == "]":
        return address(text[1:-1].strip(), named)
    if text[0] == "{" and text[-1] == "}":
        return Vector(tuple(operand(part, named) for part in split(text[1:-1])))
    raise BadText(f"{text!r} is not an operand")


def address(text: str, named: dict[str, str]) -> Address:
    """What is between the brackets of an address."""
    found = INSIDE.fullmatch(text)
    if not found:
        raise BadText(f"[{text}] is not an address")
    base = operand(found[1], named)
    if not isinstance(base, Register | Symbol | Immediate):
        raise BadText(f"[{text}] is not an address")
    offset = whole(found[3]) if found[3] else 0
    return Address(base, -offset if found[2] == "-" else offset)


def rarer(text: str, named: dict[str, str]) -> Operand:
    """Floats, pairs, negated predicates, sinks, and names of variables and labels."""
    if found := BITS.fullmatch(text):
        return Float(int(found[1] or found[2], 16), 32 if found[1] else 64)
    if DECIMAL.fullmatch(text):
        return Float(int.from_bytes(struct.pack("<d", float(text)), "little"), 64)
    if "|" in text:
        return pair(text, named)
    if text.startswith(("!", "-")):
        name = text[1:].strip()
        if name in named or REGISTER.fullmatch(name):
            return Negated(Register(named.get(name, name)))
    if text == "_":
        return Sink()
    if found := SYMBOL.fullmatch(text):
        return Symbol(found[1], whole(found[2]) if found[2] else 0)
    raise BadText(f"{text!r} is not an operand")


def pair(text: str, named: dict[str, str]) -> OperandPair:
    """`%r1|%p1`."""
    parts = [operand(part.strip(), named) for part in text.split("|")]
    first, second = parts if len(parts) == 2 else (parts[0], Sink())
    if isinstance(first, Sink):
        first = Register("_")
    if isinstance(second, Sink):
        second = Register("_")
    if not isinstance(first, Register) or not isinstance(second, Register):
        raise BadText(f"{text!r} is not a pair of registers")
    return OperandPair(first, second)


def registers(value: Operand) -> tuple[Register, ...]:
    """All registers that are named in an operand."""
    if isinstance(value, Register):
        return () if value.name == "_" else (value,)
    if isinstance(value, Negated):
        return (value.register,)
    if isinstance(value, OperandPair):
        return registers(value.first) + registers(value.second)
    if isinstance(value, Address):
        return registers(value.base)
    if isinstance(value, Vector):
        return tuple(register for element in value.elements for register in registers(element))
    return ()
