"""cvt between all types, and cvta between address spaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx import numerics
from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.memory.windows import LOCAL_WINDOW, LOWEST_BUFFER, SHARED_WINDOW
from kbtools_plugins.ptx.native.float_rules import key
from kbtools_plugins.ptx.native.rule import COPY, resized

from . import lanewise, shadows
from .integers import is_whole
from .lanewise import Lanewise
from .options import modifiers

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.text.kernel import Instruction

WINDOWS = {"global": 0, "const": 0, "param": 0, "shared": SHARED_WINDOW, "local": LOCAL_WINDOW}


def convert(builder: Builder, instruction: Instruction) -> None:
    """cvt."""
    if "pack" in instruction.parts:
        pack(builder, instruction)
        return
    _, *options, target, source = instruction.parts
    if is_whole(target) and is_whole(source) and not options:
        function = resize(source, target)
        micro = resized(0, 0, WIDTHS[source], WIDTHS[target], source[0] == "s")
        operation = Lanewise(target, (source,), function, shadows.same(function), micro[0])
        lanewise.emit(builder, instruction.operands, operation)
        return
    asked = modifiers(builder, tuple(options))
    function = numerics.conversion(target, source, asked)
    count = len(instruction.operands) - 1
    shadow = shadows.everything
    if target.endswith("x2"):
        shadow = shadows.paired if count == 2 else shadows.unpacked if source.endswith("x2") else shadows.everything
    lanewise.emit(
        builder,
        instruction.operands,
        Lanewise(target, (source,) * count, function, shadow, key(f"cvt.{target}", source, asked)),
    )


NARROW = {f"{sign}{width}": width for sign in "us" for width in (2, 4, 8, 16)}


def pack(builder: Builder, instruction: Instruction) -> None:
    """cvt.pack: two signed numbers, each kept within a narrow type, side by side; above them the bits of a third."""
    _, *options, kind, source = instruction.parts[: 5 if instruction.parts[-1] == "b32" else None]
    third = instruction.parts[-1] == "b32"
    if options != ["pack", "sat"] or kind not in NARROW or source != "s32" or third != (NARROW[kind] < 16):
        raise builder.unsupported()
    width = NARROW[kind]
    low, high = (0, (1 << width) - 1) if kind[0] == "u" else (-(1 << width - 1), (1 << width - 1) - 1)
    mask = np.uint32((1 << width) - 1)

    def function(upper: Bits, lower: Bits, rest: Bits | None = None) -> Bits:
        kept = [np.clip(value.view(np.int32), low, high).view(np.uint32) & mask for value in (upper, lower)]
        both = kept[0] << np.uint32(width) | kept[1]
        return both if rest is None else rest << np.uint32(2 * width) | both

    lanewise.emit(builder, instruction.operands, Lanewise("b32", ("s32", "s32", "b32")[: 2 + third], function))


def resize(source: str, target: str) -> lanewise.Function:
    """Between whole numbers: cut off, or extend as the source says."""
    have, want = WIDTHS[source], WIDTHS[target]
    plain = UNSIGNED[want]
    if want > have and source[0] == "s":
        narrow, wide = SIGNED[have], SIGNED[want]
        return lambda value: value.view(narrow).astype(wide).view(plain)
    return lambda value: value.astype(plain)


def in_space(builder: Builder, instruction: Instruction) -> None:
    """isspacep: whether a generic address is one of a space."""
    _, space = instruction.parts
    shared, local, buffers = np.uint64(SHARED_WINDOW), np.uint64(LOCAL_WINDOW), np.uint64(LOWEST_BUFFER)
    tests: dict[str, lanewise.Function] = {
        "shared": lambda value: (value >= shared) & (value < local),
        "local": lambda value: (value >= local) & (value < buffers),
        "global": lambda value: (value < shared) | (value >= buffers),
    }
    lanewise.emit(builder, instruction.operands, Lanewise("pred", ("u64",), tests[space.split("::")[0]]))


def address(builder: Builder, instruction: Instruction) -> None:
    """cvta: each space has a window within generic addresses; that of global memory is all of them."""
    parts = [part for part in instruction.parts[1:] if part != "to"]
    if len(parts) != 2 or parts[0].split("::")[0] not in WINDOWS:
        raise builder.unsupported()
    space, kind = parts[0].split("::")[0], parts[1]
    window = UNSIGNED[WIDTHS[kind]](WINDOWS[space] & ((1 << WIDTHS[kind]) - 1))
    back = "to" in instruction.parts
    zero = np.zeros((1, 1), UNSIGNED[WIDTHS[kind]])

    def function(value: Bits) -> Bits:
        return value - window if back else value + window

    rule = ""
    if not WINDOWS[space]:
        function, rule = lambda value: value | zero, COPY
    lanewise.emit(
        builder, instruction.operands, Lanewise(kind, (kind,), function, shadows.same(lambda value: value), rule)
    )
