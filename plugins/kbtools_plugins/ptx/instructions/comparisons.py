"""Comparisons (setp, set) and choices (selp, slct)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx import numerics
from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.text.operands import OperandPair

from . import lanewise, shadows
from .integers import is_whole
from .lanewise import Lanewise

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.text.kernel import Instruction

Comparison = Callable[[Bits, Bits], Bits]
ORDERED: dict[str, Comparison] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
UNSIGNED_NAMES = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
JOINED: dict[str, Callable[[Bits, Bits], Bits]] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
}


def comparison(builder: Builder, name: str, kind: str, ftz: bool) -> Comparison:
    """A comparison as PTX names it."""
    if not is_whole(kind):
        return numerics.comparison(name, kind, ftz)
    function = ORDERED.get(UNSIGNED_NAMES.get(name, name))
    if function is None or ftz:
        raise builder.unsupported()
    if kind[0] != "s":
        return function
    signed = SIGNED[WIDTHS[kind]]
    return lambda a, b: function(a.view(signed), b.view(signed))


def set_predicate(builder: Builder, instruction: Instruction) -> None:
    """setp, perhaps joined with a further predicate, perhaps with a second result."""
    _, name, *options, kind = instruction.parts
    ftz = "ftz" in options
    joined = [option for option in options if option != "ftz"]
    compare = comparison(builder, name, kind, ftz)
    if joined and (len(joined) != 1 or joined[0] not in JOINED):
        raise builder.unsupported()
    target, *sources = instruction.operands
    kinds = (kind, kind, "pred") if joined else (kind, kind)
    name = ".".join(("setp", UNSIGNED_NAMES.get(name, name), *options[: options == ["ftz"]], kind))
    if isinstance(target, OperandPair):
        opposite = joined_with(lambda a, b: ~compare(a, b), joined)
        lanewise.emit(builder, (target.second, *sources), Lanewise("pred", kinds, opposite))
        target = target.first
    rule = "" if joined else name
    lanewise.emit(builder, (target, *sources), Lanewise("pred", kinds, joined_with(compare, joined), rule=rule))


def joined_with(compare: Comparison, joined: list[str]) -> Callable[..., Bits]:
    """A comparison, and a predicate that is joined to it."""
    if not joined:
        return compare
    join = JOINED[joined[0]]
    return lambda a, b, c: join(compare(a, b), c)


PROPERTIES: dict[str, Callable[[Bits, float], Bits]] = {
    "finite": lambda value, least: np.isfinite(value),
    "infinite": lambda value, least: np.isinf(value),
    "number": lambda value, least: ~np.isnan(value),
    "notanumber": lambda value, least: np.isnan(value),
    "normal": lambda value, least: np.isfinite(value) & (np.abs(value) >= least),
    "subnormal": lambda value, least: (value != 0) & (np.abs(value) < least),
}
"""What testp asks of a number; `least` is the smallest normal one."""


def test_property(builder: Builder, instruction: Instruction) -> None:
    """testp."""
    _, name, kind = instruction.parts
    floats = np.dtype({"f32": "f4", "f64": "f8"}[kind])
    least, test = float(np.finfo(floats).tiny), PROPERTIES[name]
    lanewise.emit(builder, instruction.operands, Lanewise("pred", (kind,), lambda bits: test(bits.view(floats), least)))


def set_register(builder: Builder, instruction: Instruction) -> None:
    """set: ones or zeros (1.0 for floats) in a register; for packed types one for each half."""
    _, name, *options, result, kind = instruction.parts
    if any(option != "ftz" for option in options):
        raise builder.unsupported()
    if kind.endswith("x2"):
        function = packed(name, kind, result, "ftz" in options)
        lanewise.emit(builder, instruction.operands, Lanewise(result, (kind, kind), function, shadows.halves))
        return
    compare = comparison(builder, name, kind, "ftz" in options)
    true = {"f32": 0x3F800000, "f16": 0x3C00, "bf16": 0x3F80}.get(result, (1 << WIDTHS[result]) - 1)
    one = UNSIGNED[WIDTHS[result]](true)
    lanewise.emit(
        builder,
        instruction.operands,
        Lanewise(result, (kind, kind), lambda a, b: np.where(compare(a, b), one, one ^ one)),
    )


def packed(name: str, kind: str, result: str, ftz: bool) -> Callable[[Bits, Bits], Bits]:
    """set on two halves; a true half is 1.0 if the result is of floats, else all ones."""
    narrow = kind.removesuffix("x2")
    compare = numerics.comparison(name, narrow, ftz)
    one = np.uint32({"f16x2": 0x3C00, "bf16x2": 0x3F80}.get(result, 0xFFFF))
    half, zero = np.uint32(16), np.uint32(0)

    def function(a: Bits, b: Bits) -> Bits:
        low = compare(a.astype(np.uint16), b.astype(np.uint16))
        upper = compare((a >> half).astype(np.uint16), (b >> half).astype(np.uint16))
        return np.where(low, one, zero) | np.where(upper, one << half, zero)

    return function


def select(builder: Builder, instruction: Instruction) -> None:
    """selp: one of two registers."""
    kind = instruction.parts[-1]
    if len(instruction.parts) != 2:
        raise builder.unsupported()

    def function(yes: Bits, no: Bits, where: Bits) -> Bits:
        return np.where(where, yes, no)

    operation = Lanewise(kind, (kind, kind, "pred"), function, shadows.selected, f"selp.uint{WIDTHS[kind]}")
    lanewise.emit(builder, instruction.operands, operation)


def select_by_sign(builder: Builder, instruction: Instruction) -> None:
    """slct: the first register where the third is not negative."""
    _, *options, kind, sign = instruction.parts
    if options or sign != "s32":
        raise builder.unsupported()

    def function(yes: Bits, no: Bits, by: Bits) -> Bits:
        return np.where(by.view(np.int32) >= 0, yes, no)

    lanewise.emit(builder, instruction.operands, Lanewise(kind, (kind, kind, sign), function))
