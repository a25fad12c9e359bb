"""Floats: opcodes to functions of `numerics`, and those opcodes that whole numbers share with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbtools_plugins.ptx import numerics
from kbtools_plugins.ptx.native.float_rules import key

from . import carries, integers, lanewise, shadows
from .integers import is_whole
from .lanewise import Lanewise
from .options import modifiers

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.text.kernel import Instruction

SOURCES = {"fma": 3, **dict.fromkeys(("add", "sub", "mul", "div", "min", "max", "copysign"), 2)}
HALVES = ("f16x2", "bf16x2")


def operation(builder: Builder, instruction: Instruction) -> None:
    """Arithmetic on floats."""
    *options, kind = instruction.parts[1:]
    asked = modifiers(builder, tuple(options))
    count = len(instruction.operands) - 1
    least = SOURCES.get(instruction.family, 1)
    if count != least and not (instruction.family in ("min", "max") and count == 3):
        raise builder.unsupported()
    name = "fma" if instruction.family == "mad" else instruction.family
    function = numerics.arithmetic(name, kind, asked, builder.seed)
    if asked.approximate or asked.full:
        builder.approximate.add(instruction.opcode)
    if count == 3 and name in ("min", "max"):
        two = function
        function = lambda a, b, c: two(two(a, b), c)  # noqa: E731 - short
    shadow = shadows.halves if kind in HALVES else shadows.everything
    moved = builder.seed is not None and (asked.approximate or asked.full)
    rule = "" if moved or count != least else key(name, kind, asked)
    lanewise.emit(builder, instruction.operands, Lanewise(kind, (kind,) * count, function, shadow, rule))


def sum_or_product(builder: Builder, instruction: Instruction) -> None:
    """Opcodes of both kinds of numbers."""
    kind = instruction.parts[-1]
    if carries.needs_carry(instruction):
        carries.chain(builder, instruction)
    elif not is_whole(kind):
        operation(builder, instruction)
    else:
        integers.operation(builder, instruction)


def multiply_add(builder: Builder, instruction: Instruction) -> None:
    """fma, and mad of floats, which is the same."""
    if instruction.family == "mad" and "rn" not in instruction.parts and not is_whole(instruction.parts[-1]):
        raise builder.unsupported()
    sum_or_product(builder, instruction)
