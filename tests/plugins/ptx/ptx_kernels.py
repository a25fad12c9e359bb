"""Small kernels in PTX for the tests: a body with registers, run on buffers of 32-bit numbers."""

import numpy as np

from kbtools_plugins.ptx.launch import LaunchReport, launch
from kbtools_plugins.ptx.memory.buffer import Buffer

REGISTERS = """
    .reg .pred %p<16>;
    .reg .b16 %h<16>;
    .reg .b32 %r<64>;
    .reg .b64 %d<32>;
"""


def kernel(body: str, parameters: int = 2, threads: int = 32, variables: str = "") -> str:
    """A kernel `k` with pointers `k_param_0`, ...; each line of the body is a line of its source."""
    names = ",\n".join(f"    .param .u64 k_param_{number}" for number in range(parameters))
    lines = "\n".join(
        f"    .loc 1 {number} 1\n    {line.strip()}" for number, line in enumerate(body.strip().splitlines(), 1)
    )
    return f"""
.version 8.8
.target sm_80
.address_size 64
{variables}
.visible .entry k(
{names}
)
.reqntid {threads}
{{{REGISTERS}
{lines}
    ret;
}}
"""


def buffer(values: object, name: str = "x", kind: type = np.uint32) -> Buffer:
    """A buffer that holds these numbers, all written."""
    return Buffer(name, np.ascontiguousarray(values, kind).view(np.uint8).reshape(-1).copy())


def empty(count: int, name: str = "out") -> Buffer:
    """A buffer of 32-bit numbers that nothing was written to."""
    return Buffer.empty(name, 4 * count)


def numbers(given: Buffer, kind: type = np.uint32) -> list[int]:
    """What a buffer holds."""
    return given.data.view(kind).tolist()


def run(text: str, *arguments: Buffer, grid: tuple[int, ...] = (1,), **options: object) -> LaunchReport:
    """Runs a kernel."""
    return launch(text, grid=grid, arguments=arguments, **options)


AT = """
mov.u32 %r0, %tid.x;
mov.u32 %r1, %ctaid.x;
mov.u32 %r2, %ntid.x;
mad.lo.s32 %r3, %r1, %r2, %r0;
ld.param.u64 %d0, [k_param_0];
ld.param.u64 %d1, [k_param_1];
mul.wide.s32 %d2, %r3, 4;
add.s64 %d3, %d0, %d2;
add.s64 %d4, %d1, %d2;
"""
"""Thread in %r0, program in %r1, place in %r3; addresses of the place in both buffers in %d3 and %d4. Nine lines."""
