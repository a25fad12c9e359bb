"""Whole numbers and bits: which types an opcode reads, and the function of `numerics` that it stands for.

Shifts, permutations and tables whose amount is a constant get a shorter function: they are a tenth of all instructions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx import numerics
from kbtools_plugins.ptx.bits import WIDTHS
from kbtools_plugins.ptx.instructions import constants, lanewise, shadows
from kbtools_plugins.ptx.instructions.lanewise import Function, Lanewise
from kbtools_plugins.ptx.text.operands import Immediate

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.decode.program import Shadow
    from kbtools_plugins.ptx.text.kernel import Instruction

WHOLE = {f"{sign}{width}" for sign in "usb" for width in (8, 16, 32, 64)} | {"s16x2", "u16x2"}

FORMS = {
    **dict.fromkeys(("add", "sub", "min", "max", "div", "rem", "and", "or", "xor", "mul.lo", "mul.hi"), "k=kk"),
    **dict.fromkeys(("add.sat", "sub.sat", "mul24.lo", "mul24.hi"), "k=kk"),
    **dict.fromkeys(("mad.lo", "mad.hi", "mad.hi.sat", "mad24.lo", "mad24.hi", "sad"), "k=kkk"),
    **dict.fromkeys(("neg", "abs", "not", "cnot", "brev"), "k=k"),
    **dict.fromkeys(("popc", "clz", "bfind", "bfind.shiftamt"), "4=k"),
    "mul.wide": "w=kk",
    "mad.wide": "w=kkw",
    **dict.fromkeys(("shl", "shr", "szext.clamp", "szext.wrap"), "k=k4"),
    **dict.fromkeys((f"shf.{way}.{mode}" for way in "lr" for mode in ("wrap", "clamp")), "k=kk4"),
    "bfe": "k=k44",
    "bfi": "k=kk44",
    **dict.fromkeys(("bmsk.clamp", "bmsk.wrap"), "k=44"),
    "lop3": "k=kkkk",
    **dict.fromkeys(("prmt", *(f"prmt.{mode}" for mode in ("f4e", "b4e", "rc8", "ecl", "ecr", "rc16"))), "k=kkk"),
    **dict.fromkeys((f"dp{count}.{kind}" for count in ("4a",) for kind in ("s32", "u32")), "k=kkk"),
    **dict.fromkeys((f"dp2a.{half}.{kind}" for half in ("lo", "hi") for kind in ("s32", "u32")), "k=kkk"),
}
"""Result and sources: k is the type of the opcode, w one twice as wide, 4 is u32."""

MOVING = {"brev", "shl", "shr", "bfe"}
"""Operations that move the bits of their first source."""


def is_whole(kind: str) -> bool:
    """Whether a type is that of whole numbers (or bits)."""
    return kind in WHOLE


def operation(builder: Builder, instruction: Instruction) -> None:
    """Every opcode on whole numbers, bits and predicates."""
    name, kind = named(instruction)
    if kind == "pred":
        predicates(builder, instruction)
        return
    if name not in FORMS or not is_whole(kind):
        raise builder.unsupported()
    result, _, sources = FORMS[name].partition("=")
    function = constant(name, kind, instruction) or numerics.integer(name, kind)
    made = Lanewise(
        typed(result, kind),
        tuple(typed(each, kind) for each in sources),
        function,
        shadow(name, function),
        f"{name}.{kind}",
    )
    lanewise.emit(builder, instruction.operands, made)


def named(instruction: Instruction) -> tuple[str, str]:
    """What an opcode does, and its type, which stands before the mode of `prmt`."""
    family, *rest = instruction.parts
    if family == "prmt" and len(rest) == 2:
        return f"prmt.{rest[1]}", rest[0]
    return ".".join((family, *rest[:-1])), rest[-1] if rest else ""


def typed(letter: str, kind: str) -> str:
    """The type that a letter of a form stands for."""
    if letter == "w":
        return f"{kind[0]}{2 * WIDTHS[kind]}"
    return "u32" if letter == "4" else kind


def constant(name: str, kind: str, instruction: Instruction) -> Function | None:
    """A shorter function where the last operand is a constant that allows one."""
    last = instruction.operands[-1] if instruction.operands else None
    if not isinstance(last, Immediate):
        return None
    if name in ("shl", "shr") and 0 <= last.value < WIDTHS[kind]:
        return constants.shift(name, kind, last.value)
    if name == "prmt" and not last.value & 0x8888:
        return constants.permutation(last.value)
    if name == "lop3" and 0 <= last.value < 256:
        return constants.table(last.value)
    return None


def shadow(name: str, function: Function) -> Shadow:
    """How uninitialised bits go through an operation."""
    if name in LOGIC:
        return LOGIC[name]
    if name in MOVING:
        return shadows.shifted(function)
    if name == "prmt":
        return shadows.permuted(function)
    return shadows.everything


LOGIC: dict[str, Shadow] = {
    "and": shadows.conjunction,
    "or": shadows.disjunction,
    "xor": shadows.union,
    "not": shadows.union,
    "lop3": shadows.union,
    "add": shadows.upward,
    "sub": shadows.upward,
    "mul.lo": shadows.upward,
}

PREDICATES: dict[str, Function] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
    "not": np.logical_not,
}


def predicates(builder: Builder, instruction: Instruction) -> None:
    """Logic on predicates."""
    function, family = PREDICATES.get(instruction.family), instruction.family
    if function is None or len(instruction.parts) != 2:
        raise builder.unsupported()
    sources = ("pred",) * (1 if family == "not" else 2)
    lanewise.emit(builder, instruction.operands, Lanewise("pred", sources, function, LOGIC[family], f"{family}.pred"))
