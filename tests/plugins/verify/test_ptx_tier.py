"""What the tier without a GPU sees because it runs what a device would run: lines, unwritten memory, tf32, fusion."""

from __future__ import annotations

import pytest
import torch

from kbtools_plugins.verify import Verification, VerifySettings, verify
from kbtools_plugins.verify.host.processes import WarmPair
from kbtools_plugins.verify.protocol.trace import TensorRef
from kbtools_plugins.verify.worker.ptx.marks import Unwritten, WrittenBytes, moved

pytestmark = pytest.mark.verify

_REFERENCE = """
import torch
import torch.nn as nn

class Model(nn.Module):
    def forward(self, x, y):
        return {result}

def get_inputs():
    return [torch.randn({shape}), torch.randn({shape})]

def get_init_inputs():
    return []
"""
_CANDIDATE = """
import torch
import torch.nn as nn
import triton
import triton.language as tl

@triton.jit
def kernel(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    x = tl.load(x_ptr + at, mask=inside)
    y = tl.load(y_ptr + at, mask=inside)
    {body}

class ModelNew(nn.Module):
    def forward(self, x, y):
        {before}
        out = {memory}
        kernel[(triton.cdiv(x.numel(), 128),)](x, {second}, out, x.numel(), BLOCK=128)
        return {answer}
"""
_STORE = "tl.store(out_ptr + at, x * y, mask=inside)"


def _verdict(
    processes: WarmPair,
    body: str = _STORE,
    *,
    result: str = "x * y",
    before: str = "pass",
    memory: str = "torch.empty_like(x)",
    second: str = "y",
    answer: str = "out",
    settings: VerifySettings | None = None,
) -> Verification:
    reference = _REFERENCE.format(result=result, shape="6, 50")
    candidate = _CANDIDATE.format(body=body, before=before, memory=memory, second=second, answer=answer)
    return verify(reference, candidate, settings=settings or VerifySettings(seed=1), processes=processes)


def test_a_fault_names_the_line_the_program_and_the_thread(processes: WarmPair) -> None:
    """The line is the candidate's, though what runs is a module of kernels alone."""
    found = _verdict(processes, _STORE.replace("mask=inside", "mask=at < n + 1"))
    assert found.verdict == "runtime_error"
    assert "line 13 writes 4 bytes past the end of out_ptr, which has 1200, in program 2, thread 44" in found.error


@pytest.mark.parametrize(
    ("memory", "answer", "fault"),
    [
        ("torch.empty_like(x)", "out", "output 0 depends on memory that nothing was written to"),
        ("torch.empty_like(x)", "torch.cat([out.to(torch.float64), x], 1)[:, :50].float()", "in 300 of 300 elements"),
        ("torch.zeros_like(x).fill_(-1e30)", "out", ""),
    ],
)
def test_what_depends_on_unwritten_memory_is_wrong_whatever_is_there(
    processes: WarmPair, memory: str, answer: str, fault: str
) -> None:
    """A maximum with what was never written, also when torch has moved it since."""
    body = "tl.store(out_ptr + at, tl.maximum(tl.load(out_ptr + at, mask=inside), x * y), mask=inside)"
    found = _verdict(processes, body, memory=memory, answer=answer)
    assert found.verdict == ("wrong_output" if fault else "pass"), found.error
    assert fault in found.error


def test_a_result_that_hangs_on_fusion_is_wrong(processes: WarmPair) -> None:
    """A product less the same product rounded is zero unless a compiler fuses the two operations."""
    body = "tl.store(out_ptr + at, tl.where(x * y - tl.load(z_ptr + at, mask=inside) == 0.0, x * y, 0.0), mask=inside)"
    candidate = _CANDIDATE.format(
        body=body, before="z = torch.empty_like(x)\n        kernel_z[(3,)](x, y, z, 300, BLOCK=128)",
        memory="torch.empty_like(x)", second="y, z", answer="out",
    ).replace("y_ptr, out_ptr", "y_ptr, z_ptr, out_ptr")  # fmt: skip
    product = _CANDIDATE.format(body=_STORE, before="", memory="", second="", answer="").replace("kernel(", "kernel_z(")
    code = product.partition("class")[0] + candidate.partition("import triton.language as tl")[2]
    found = verify(_REFERENCE.format(result="x * y", shape="6, 50"), code, processes=processes)
    assert found.verdict == "wrong_output", found.error
    assert "depends on whether a compiler fuses" in found.error


@pytest.mark.parametrize(
    ("tangent", "verdict"),
    [
        ('tl.inline_asm_elementwise("tanh.approx.f32 $0, $1;", "=f,f", [x * y], tl.float32, True, 1)', "pass"),
        ("x * y * (27 + x * y * x * y) / (27 + 9 * x * y * x * y)", "wrong_output"),
    ],
)
def test_an_approximate_instruction_is_right_and_a_cruder_formula_is_not(
    processes: WarmPair, tangent: str, verdict: str
) -> None:
    """Here `.approx` is rounded correctly, so that nothing has to be allowed for it."""
    body = f"tl.store(out_ptr + at, {tangent}, mask=inside)"
    assert _verdict(processes, body, result="torch.tanh(x * y)").verdict == verdict


@pytest.mark.parametrize("register", ["%smid", "%clock"])
def test_what_depends_on_where_or_when_a_kernel_runs_is_wrong(processes: WarmPair, register: str) -> None:
    """Right on the first multiprocessor alone, or before a clock has ticked."""
    asm = f'tl.inline_asm_elementwise("mov.u32 $0, {register};", "=r,r", [at], dtype=tl.int32, is_pure=False, pack=1)'
    body = f"x = tl.where({asm} > 99, 0.0, x)\n    {_STORE}"
    found = _verdict(processes, body)
    assert (found.verdict, "the number of a multiprocessor" in found.error) == ("wrong_output", True), found.error


def test_an_instruction_that_is_not_emulated_is_named(processes: WarmPair) -> None:
    """Nothing is guessed: the verdict ends with the opcode."""
    asm = 'tl.inline_asm_elementwise("vabsdiff.u32.u32.u32 $0, $1, $1;", "=r,r", [at], '
    body = f"x += {asm}dtype=tl.int32, is_pure=True, pack=1)\n    {_STORE}"
    assert _verdict(processes, body).verdict == "unsupported:ptx:vabsdiff.u32.u32.u32"


def test_targets_of_amd_are_compiled_for_once_the_kernel_is_right(processes: WarmPair) -> None:
    """For a wrong kernel no binary is made at all."""
    settings = VerifySettings(targets=(80, "gfx942", "gfx1100"), seed=1)
    right, wrong = (_verdict(processes, _STORE.replace("x * y", what), settings=settings) for what in ("x * y", "x"))
    assert right.verdict == "pass", right.error
    assert [found.target for found in right.resources] == [80, "gfx942", "gfx1100"]
    assert all(found.registers for found in right.resources)
    assert (wrong.verdict, [found.target for found in wrong.resources]) == ("wrong_output", [])


_PRODUCT = """
import torch
import torch.nn as nn
import triton
import triton.language as tl

@triton.jit
def product(x_ptr, y_ptr, out_ptr, SIZE: tl.constexpr):
    rows, columns = tl.arange(0, SIZE)[:, None], tl.arange(0, SIZE)[None, :]
    x, y = tl.load(x_ptr + rows * SIZE + columns), tl.load(y_ptr + rows * SIZE + columns)
    tl.store(out_ptr + rows * SIZE + columns, tl.dot(x, y))

class ModelNew(nn.Module):
    def forward(self, x, y):
        out = torch.empty_like(x)
        product[(1,)](x, y, out, SIZE=32)
        return out
"""


@pytest.mark.parametrize(
    ("change", "strict", "verdict", "noted"),
    [
        (("", ""), False, "pass", True),
        (("", ""), True, "wrong_output", False),
        (("dot(x, y)", 'dot(x, y, input_precision="ieee")'), True, "pass", False),
        (("dot(x, y)", "dot(x.to(tl.bfloat16), y.to(tl.bfloat16))"), False, "hack:lower_precision", False),
        (("dot(x, y)", "dot(x, y) * 0.99"), False, "wrong_output", True),
    ],
)
def test_products_of_float32_are_tf32_unless_that_is_refused(
    processes: WarmPair, change: tuple[str, str], strict: bool, verdict: str, noted: bool
) -> None:
    """Triton's default for `tl.dot`; lower precision than that is still one, and so is a wrong factor."""
    reference = _REFERENCE.format(result="x @ y", shape="32, 32")
    settings = VerifySettings(strict_fp32=strict, seed=1)
    found = verify(reference, _PRODUCT.replace(*change), settings=settings, processes=processes)
    assert found.verdict == verdict, found.error
    if verdict == "pass":
        assert any(note.startswith("tf32") for note in found.notes) == noted


def test_a_kernel_that_does_not_end_names_the_line_it_was_at(processes: WarmPair) -> None:
    """The time of a launch is a share of the process's."""
    body = f"while tl.atomic_add(out_ptr, 0.0) < 1e30:\n        tl.debug_barrier()\n    {_STORE}"
    found = _verdict(processes, body, memory="torch.zeros_like(x)", settings=VerifySettings(timeout=2.0, seed=1))
    assert found.verdict == "timeout"


def test_marks_go_where_torch_moves_what_they_mark() -> None:
    """Elements that were never written stay marked when they are copied, cast or laid out otherwise."""
    marks = WrittenBytes()
    marks.begin(0, 24, written=False)
    whole = TensorRef(storage=0, dtype="float32", offset=0, shape=[2, 3], stride=[3, 1])
    row = TensorRef(storage=0, dtype="float32", offset=3, shape=[3], stride=[1])
    marks.write(row)
    assert marks.unwritten(row) is None
    assert marks.unwritten(whole).tolist() == [[True] * 3, [False] * 3]
    with pytest.raises(Unwritten, match=r"the result depends on .* in 3 of 6 elements, first at \[0, 0\]"):
        marks.require(whole, "the result")

    def arguments(mark: bool) -> tuple[tuple[list[torch.Tensor], int], dict[str, object]]:
        return ([(marks.unwritten(whole) & mark).half(), torch.zeros(2, 1).half()], 1), {}

    assert moved(torch.ops.aten.cat.default, arguments).tolist() == [[True] * 3 + [False], [False] * 4]
    marks.write(whole, torch.tensor([[False, True, True], [True, False, False]]))
    assert marks.unwritten(whole).tolist() == [[False, True, True], [True, False, False]]
