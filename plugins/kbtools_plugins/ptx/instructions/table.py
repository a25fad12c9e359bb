"""The one table of instructions: each family, and the function that builds its steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kbtools_plugins.ptx.faults import BadText, Unsupported

from . import (
    atomics,
    comparisons,
    control,
    conversions,
    copies,
    floats,
    integers,
    matrices,
    memory,
    moves,
    warps,
)

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.text.kernel import Instruction

Make = Callable[["Builder", "Instruction"], None]

FAMILIES: dict[str, Make] = {
    **dict.fromkeys(("add", "sub", "mul", "min", "max", "neg", "abs", "div"), floats.sum_or_product),
    **dict.fromkeys(("addc", "subc", "madc"), floats.sum_or_product),
    **dict.fromkeys(("fma", "mad"), floats.multiply_add),
    **dict.fromkeys(("sqrt", "rsqrt", "rcp", "ex2", "lg2", "sin", "cos", "tanh", "copysign"), floats.operation),
    **dict.fromkeys(("rem", "sad", "dp4a", "dp2a", "mul24", "mad24"), integers.operation),
    **dict.fromkeys(("and", "or", "xor", "not", "cnot", "shl", "shr", "shf", "lop3", "prmt"), integers.operation),
    **dict.fromkeys(("bfe", "bfi", "bmsk", "szext", "brev", "popc", "clz", "bfind"), integers.operation),
    "setp": comparisons.set_predicate,
    "set": comparisons.set_register,
    "testp": comparisons.test_property,
    "selp": comparisons.select,
    "slct": comparisons.select_by_sign,
    "cvt": conversions.convert,
    "cvta": conversions.address,
    "isspacep": conversions.in_space,
    "mov": moves.move,
    **dict.fromkeys(("ld", "ldu"), memory.load),
    "st": memory.store,
    **dict.fromkeys(("atom", "red"), atomics.update),
    "cp": copies.copy_async,
    "ldmatrix": copies.load_matrix,
    "stmatrix": copies.store_matrix,
    "mma": matrices.product,
    "shfl": warps.shuffle,
    "vote": warps.vote,
    "activemask": warps.active_mask,
    "redux": warps.reduce,
    "match": warps.match,
    "elect": warps.elect,
    **dict.fromkeys(("bar", "barrier"), control.barrier),
    "trap": control.trap,
    **dict.fromkeys(("fence", "membar"), control.fence),
    **dict.fromkeys(("prefetch", "prefetchu", "discard", "applypriority"), control.nothing),
    **dict.fromkeys(("nanosleep", "pmevent", "griddepcontrol", "createpolicy"), control.nothing),
}
"""Branches and ends are not here: they are between blocks (decode/blocks.py)."""


def build(builder: Builder, instruction: Instruction) -> None:
    """Adds the steps of an instruction; Unsupported for one that is not in the table, or not in this form."""
    make = FAMILIES.get(instruction.family)
    if make is None:
        raise Unsupported(f"ptx:{instruction.opcode}", instruction.line)
    try:
        builder.build(instruction, make)
    except Unsupported as error:
        raise Unsupported(f"ptx:{instruction.opcode}", instruction.line) from error
    except BadText as error:
        error.line = instruction.line
        raise
    except (KeyError, IndexError, ValueError) as error:
        raise Unsupported(f"ptx:{instruction.opcode}", instruction.line) from error


def barrier_number(instruction: Instruction) -> int:
    """Which of a program's barriers an instruction waits at."""
    return control.number(instruction)
