"""mov: copies, addresses of variables, and packing registers into wider ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbtools_plugins.ptx.bits import UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.native.rule import COPY, Micro
from kbtools_plugins.ptx.text.operands import Operand, Vector

from . import lanewise, shadows
from .lanewise import Lanewise

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.machine.group import Group
    from kbtools_plugins.ptx.text.kernel import Instruction


def move(builder: Builder, instruction: Instruction) -> None:
    """mov."""
    if len(instruction.parts) != 2 or len(instruction.operands) != 2:
        raise builder.unsupported()
    kind = instruction.parts[1]
    target, source = instruction.operands
    if isinstance(target, Vector) and isinstance(source, Vector):
        raise builder.unsupported()
    if isinstance(source, Vector):
        pack(builder, target, source, WIDTHS[kind])
    elif isinstance(target, Vector):
        unpack(builder, target, source, WIDTHS[kind])
    else:
        lanewise.emit(builder, instruction.operands, Lanewise(kind, (kind,), copy, shadows.same(copy), COPY))


def copy(value: Bits) -> Bits:
    """The same array: no instruction writes into one."""
    return value


def part_kind(builder: Builder, vector: Vector, width: int) -> str:
    """The type of each part of a register."""
    part = width // len(vector.elements)
    if part * len(vector.elements) != width or part not in UNSIGNED or width not in UNSIGNED:
        raise builder.unsupported()
    return f"b{part}"


def pack(builder: Builder, target: Operand, source: Vector, width: int) -> None:
    """`mov.b32 %r, {%low, %high}`."""
    kind = part_kind(builder, source, width)
    part, whole = WIDTHS[kind], UNSIGNED[width]

    def function(*parts: Bits) -> Bits:
        result = parts[0].astype(whole)
        for at, value in enumerate(parts[1:], 1):
            result = result | value.astype(whole) << whole(at * part)
        return result

    operation = Lanewise(
        f"b{width}",
        (kind,) * len(source.elements),
        function,
        shadows.same(function),
        f"pack.{width}" if len(source.elements) == 2 else "",
    )
    lanewise.emit(builder, (target, *source.elements), operation)


def unpack(builder: Builder, target: Vector, source: Operand, width: int) -> None:
    """`mov.b32 {%low, %high}, %r`."""
    kind = part_kind(builder, target, width)
    part, narrow, whole = WIDTHS[kind], UNSIGNED[WIDTHS[kind]], UNSIGNED[width]
    from_slot = builder.source(source, f"b{width}")
    slots = tuple(builder.result(element, kind) for element in target.elements)
    guard = builder.guard

    def function(value: Bits) -> tuple[Bits, ...]:
        return tuple((value >> whole(at * part) if at else value).astype(narrow) for at in range(len(slots)))

    def run(group: Group) -> None:
        for slot, value in zip(slots, function(group.read(from_slot)), strict=True):
            group.write(slot, value, guard)

    micros = halves(from_slot, slots, width) if len(slots) == 2 else ()
    builder.emit(run, (from_slot,), slots, shadows.same(function), micros)  # type: ignore[arg-type]


def halves(source: int, slots: tuple[int, ...], width: int) -> tuple[Micro, ...]:
    """Both halves of a register; the upper one first, since the lower one may be the register itself."""
    low, upper = slots
    return (f"upper.{width}", (source,), upper), (f"resize.u{width // 2}.u{width}", (source,), low)
