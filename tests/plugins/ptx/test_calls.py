"""Functions that a kernel calls, and calls that are refused."""

import numpy as np
import pytest

from kbtools_plugins.ptx.faults import BadText, Unsupported
from kbtools_plugins.ptx.launch import Buffer, launch, load

HEAD = ".version 8.4\n.target sm_80\n.address_size 64\n"
KERNEL = """
.visible .entry k(.param .u64 out)
{
    .reg .b32 %r<4>;
    .reg .b64 %a<2>;
    ld.param.u64 %a0, [out];
    mov.u32 %r0, %tid.x;
    mad.wide.u32 %a0, %r0, 4, %a0;
    { .param .b32 given; .param .b32 back;
      st.param.b32 [given], %r0;
      call.uni (back), NAME, (given);
      ld.param.b32 %r1, [back]; }
    st.global.b32 [%a0], %r1;
    ret;
}
"""


def function(name: str, body: str) -> str:
    return (
        f".func (.param .b32 result) {name}(.param .b32 x)\n"
        f"{{ .reg .b32 %r<4>; .reg .pred %p<2>; ld.param.b32 %r1, [x]; {body} st.param.b32 [result], %r2; ret; }}\n"
    )


def calling(name: str) -> str:
    return (
        "{ .param .b32 g; .param .b32 b; st.param.b32 [g], %r1; "
        f"call.uni (b), {name}, (g); ld.param.b32 %r2, [b]; }} add.u32 %r2, %r2, 1;"
    )


def run(functions: str, name: str) -> list[int]:
    out = Buffer.empty("out", 128)
    launch(HEAD + functions + KERNEL.replace("NAME", name), grid=(1,), arguments=[out], num_warps=1)
    return out.data.view(np.uint32).tolist()


def test_registers_and_labels_of_a_function_are_its_own() -> None:
    odd = "mul.lo.u32 %r2, %r1, 3; and.b32 %r3, %r1, 1; setp.eq.u32 %p0, %r3, 0;"
    odd += "@%p0 bra even; add.u32 %r2, %r2, 100; even:"
    assert run(function("f", odd), "f") == [3 * x + 100 * (x % 2) for x in range(32)]
    assert run(function("f", odd) + function("g", calling("f") + calling("f")), "g") == [
        3 * x + 100 * (x % 2) + 1 for x in range(32)
    ]


def test_calls_that_never_end_or_lead_nowhere_are_refused() -> None:
    for functions, name in (
        (function("f", calling("f")), "f"),
        (function("f", calling("g")) + function("g", calling("f")), "f"),
        ("", "missing"),
        ("".join(function(f"f{n}", calling(f"f{n + 1}")) for n in range(500)) + function("f500", ""), "f0"),
    ):
        with pytest.raises(Unsupported, match="^ptx:call"):
            run(functions, name)
    with pytest.raises(BadText, match="other parameters"):
        load(HEAD + function("f", "") + KERNEL.replace("NAME", "f").replace("(given)", "(given, given)"))


@pytest.mark.slow
def test_calls_that_double_at_each_level_are_refused() -> None:
    levels = "".join(function(f"f{n}", 2 * calling(f"f{n + 1}")) for n in range(30)) + function("f30", "")
    with pytest.raises(Unsupported, match="^ptx:call"):
        run(levels, "f0")
