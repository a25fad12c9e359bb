"""One instruction over many operands: a kernel written around it, launched on the machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, Bits
from kbtools_plugins.ptx.launch import Buffer, launch

THREADS = 256

KERNEL = """
.version 8.7
.target sm_89
.address_size 64

.visible .entry one({parameters})
{{
    .reg .b32 %t<4>;
    .reg .b64 %at<{count}>;
{registers}
    mov.u32 %t0, %ctaid.x;
    mov.u32 %t1, %tid.x;
    mad.lo.u32 %t2, %t0, {threads}, %t1;
{loads}
    {instruction}
{stores}
    ret;
}}
"""


def run(opcode: str, operands: Sequence[Bits], result: int, *constants: str) -> Bits:
    """Raw bits that an instruction gives for arrays of operands; a predicate (width 1) comes as 0 or 1.

    The number of operands has to be a multiple of `THREADS`. Constants come after the operands.
    """
    count = operands[0].size
    widths = [result, *(8 * bits.itemsize for bits in operands)]
    buffers = [Buffer("result", np.zeros(count * max(result, 8) // 8, np.uint8))]
    buffers += [Buffer(f"operand{at}", bits.ravel().view(np.uint8).copy()) for at, bits in enumerate(operands)]
    launch(
        kernel(opcode, widths, constants),
        grid=(count // THREADS,),
        arguments=buffers,
        num_warps=THREADS // 32,
        check_races=False,
    )
    return buffers[0].data.view(UNSIGNED[max(result, 8)])


def kernel(opcode: str, widths: Sequence[int], constants: Sequence[str] = ()) -> str:
    """PTX of a kernel that applies an opcode to one element per thread; the first width is that of the result."""
    names = [f"%v{at}" for at in range(len(widths))]
    operands = ", ".join([*names, *constants])
    stored = names[0]
    stores = []
    if widths[0] == 1:
        stores, stored = [f"    selp.u16 %p, 1, 0, {names[0]};"], "%p"
    size = max(widths[0], 8)
    stores.append(f"    st.global.b{size} [%at0], {stored};")
    return KERNEL.format(
        parameters=", ".join(f".param .u64 p{at}" for at in range(len(widths))),
        count=len(widths),
        threads=THREADS,
        registers="\n".join(
            ["    .reg .b16 %p;"]
            + [
                f"    .reg .{'pred' if width == 1 else f'b{max(width, 16)}'} {name};"
                for name, width in zip(names, widths, strict=True)
            ]
        ),
        loads="\n".join(line for at, width in enumerate(widths) for line in _load(at, names[at], width)),
        instruction=f"{opcode} {operands};",
        stores="\n".join(stores),
    )


def _load(at: int, name: str, width: int) -> list[str]:
    size = max(width, 8) // 8
    address = [f"    ld.param.u64 %at{at}, [p{at}];", f"    mad.wide.u32 %at{at}, %t2, {size}, %at{at};"]
    return [*address, *([f"    ld.global.b{8 * size} {name}, [%at{at}];"] if at else [])]


def chunks(bits: Bits) -> Bits:
    """Cut to a number of elements that `run` takes."""
    return bits.ravel()[: bits.size // THREADS * THREADS]
