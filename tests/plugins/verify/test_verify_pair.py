"""The verdict on one pair: each outcome from the smallest change to one right kernel."""

from __future__ import annotations

import pytest

from kbtools_plugins.verify import VerifySettings, verify
from kbtools_plugins.verify.explain import explain
from kbtools_plugins.verify.host.processes import WarmPair

REFERENCE = """
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))

    def forward(self, x):
        return torch.relu(x * self.weight)


def get_inputs():
    return [torch.randn(6, 50)]


def get_init_inputs():
    return [50]
"""
CANDIDATE = """
import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def relu_kernel(x_ptr, w_ptr, out_ptr, total, features, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    y = tl.load(x_ptr + at, mask=mask) * tl.load(w_ptr + at % features, mask=mask)
    tl.store(out_ptr + at, tl.maximum(y, 0.0), mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))

    def forward(self, x):
        assert x.is_cuda
        x = x.contiguous()
        out = torch.empty_like(x)
        relu_kernel[(triton.cdiv(x.numel(), 64),)](x, self.weight, out, x.numel(), x.shape[-1], BLOCK=64)
        return out
"""
CASES = {
    "pass": ("", ""),
    "wrong_output": ("tl.maximum(y, 0.0)", "tl.maximum(y, 0.01)"),
    "wrong_shape_or_dtype": ("return out", "return out.view(-1)"),
    "compile_error": ("tl.maximum(y, 0.0)", "tl.no_such_operation(y)"),
    "runtime_error": ("x = x.contiguous()", "raise ValueError('no')"),
    "unsupported:host_reads_data": ("return out", "if float(out.sum()) != 1e9: raise ValueError\n        return out"),
    "no_kernel": ("relu_kernel[(", "if False: relu_kernel[("),
    "fallback": ("return out", "return out + torch.relu(x)"),
    "hack:exit": ("x = x.contiguous()", "raise SystemExit(0)"),
    "hack:lower_precision": (
        "y = tl.load(x_ptr + at, mask=mask)",
        "y = tl.load(x_ptr + at, mask=mask).to(tl.bfloat16)",
    ),
    "unsupported:cuda_api": ("x = x.contiguous()", "torch.cuda.memory_stats()\n        torch._C._cuda_init()"),
}


@pytest.mark.parametrize("outcome", CASES)
def test_smallest_change_gives_the_outcome(outcome: str, processes: WarmPair) -> None:
    """Each outcome follows from one change to a right candidate."""
    old, new = CASES[outcome]
    verdict = verify(REFERENCE, CANDIDATE.replace(old, new), processes=processes)
    assert verdict.verdict == outcome, explain(verdict)


def test_syntax_error_is_a_compile_error_of_the_candidate(processes: WarmPair) -> None:
    """A text that does not parse names the line."""
    verdict = verify(REFERENCE, "def broken(:\n", processes=processes)
    assert (verdict.verdict, verdict.tier) == ("compile_error", "static")
    assert "line 1" in verdict.error


def test_unknown_launch_option_is_a_compile_error(processes: WarmPair) -> None:
    """Triton refuses a keyword that is neither a parameter nor an option; so does the check."""
    verdict = verify(REFERENCE, CANDIDATE.replace("BLOCK=64)", "BLOCK=64, num_warp=4)"), processes=processes)
    assert verdict.verdict == "compile_error"
    assert "num_warp" in verdict.error


def test_fallback_names_operator_and_line(processes: WarmPair) -> None:
    """Where to look is in the text."""
    code = CANDIDATE.replace("return out", "return out + torch.relu(x)")
    line = 1 + code.split("\n").index("        return out + torch.relu(x)")
    verdict = verify(REFERENCE, code, processes=processes)
    assert f"aten.relu.default at line {line}" in verdict.error


def test_wrong_output_names_place_and_size(processes: WarmPair) -> None:
    """Which element, what it is, what it should be."""
    verdict = verify(REFERENCE, CANDIDATE.replace("tl.maximum(y, 0.0)", "tl.maximum(y, 0.5)"), processes=processes)
    assert "worst at [" in verdict.error
    assert "0.5 instead of" in verdict.error
    assert verdict.max_error is not None
    assert verdict.max_error > 0.1


def test_parameter_without_counterpart_is_noted(processes: WarmPair) -> None:
    """A candidate that left a parameter out is told so."""
    reference = REFERENCE.replace(
        "self.weight = nn.Parameter(torch.randn(features))",
        "self.weight = nn.Parameter(torch.randn(features))\n        self.bias = nn.Parameter(torch.zeros(features))",
    ).replace("x * self.weight", "x * self.weight + self.bias")
    verdict = verify(reference, CANDIDATE, processes=processes)
    assert verdict.verdict == "wrong_output"
    assert "the candidate has no counterpart of the reference's bias" in verdict.notes


def test_memory_that_a_kernel_filled_earlier_is_said_to_be_that(processes: WarmPair) -> None:
    """A weight that a kernel packs in the first call is honest, but a replay of a later call alone cannot follow."""
    pack = """if not hasattr(self, "kept"):
            self.kept = torch.empty_like(self.weight)
            relu_kernel[(1,)](torch.ones_like(self.weight), self.weight, self.kept, 50, 50, LOW=-1e30, BLOCK=64)
        x = x.contiguous()"""
    code = CANDIDATE.replace("BLOCK: tl", "LOW: tl.constexpr, BLOCK: tl").replace("y, 0.0", "y, LOW")
    code = code.replace("(x, self.weight", "(x, self.kept").replace("BLOCK=64)", "LOW=0.0, BLOCK=64)")
    verdict = verify(REFERENCE, code.replace("x = x.contiguous()", pack), processes=processes)
    assert verdict.verdict == "unsupported:kept_result", explain(verdict)


def test_timeout_ends_the_process(processes: WarmPair) -> None:
    """A candidate that never returns is a timeout."""
    endless = CANDIDATE.replace("x = x.contiguous()", "while True: pass")
    assert verify(REFERENCE, endless, settings=VerifySettings(timeout=1), processes=processes).verdict == "timeout"


def test_pass_carries_its_evidence(processes: WarmPair) -> None:
    """A pass says what was launched, what it needs, and on what it was not tried to fail."""
    verdict = verify(REFERENCE, CANDIDATE, processes=processes)
    assert verdict.kernels == {"relu_kernel": 1}
    assert {found.target for found in verdict.resources} == {80, 90}
    assert all(found.registers for found in verdict.resources)
    assert (verdict.shape_general, verdict.layout_general, verdict.reward) == (True, True, 1.0)
    assert "reward: 1" in explain(verdict)


def test_hard_coded_length_is_a_label(processes: WarmPair) -> None:
    """A kernel that is right for the given shape only passes without being general."""
    fixed = CANDIDATE.replace("x.numel(), x.shape[-1], BLOCK", "300, x.shape[-1], BLOCK")
    verdict = verify(REFERENCE, fixed, processes=processes)
    assert (verdict.verdict, verdict.shape_general) == ("pass", False)


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        ("torch.relu(x * self.weight)", "torch.zeros_like(x)", "reference_unfit:near_zero"),
        ("torch.relu(x * self.weight)", "torch.ones_like(x)", "reference_unfit:ignores_inputs"),
        ("torch.relu(x * self.weight)", "torch.log(-torch.exp(x))", "reference_unfit:not_finite"),
        ("torch.relu(x * self.weight)", "x * torch.rand_like(x)", "reference_unfit:random"),
        ("torch.relu(x * self.weight)", "torch.no_such_function(x)", "reference_error"),
        (
            "return torch.relu(x * self.weight)",
            "self.calls = getattr(self, 'calls', 0) + 1\n        return torch.relu(x * self.weight) * self.calls",
            "reference_unfit:stateful",
        ),
        ("return [50]", "return [49]", "reference_error"),
    ],
)
def test_faults_of_the_reference_are_its_own(old: str, new: str, outcome: str, processes: WarmPair) -> None:
    """No candidate is judged by a reference that cannot tell."""
    assert verify(REFERENCE.replace(old, new), CANDIDATE, processes=processes).verdict == outcome


def test_a_result_that_is_a_number_here_and_there_can_be_compared(processes: WarmPair) -> None:
    """About half of four roots are NaN: these in the same places, the others of the right value."""
    reference = REFERENCE.replace("torch.relu(x * self.weight)", "torch.sqrt(x * self.weight)")
    reference = reference.replace("torch.randn(6, 50)", "torch.randn(1, 4)").replace("return [50]", "return [4]")
    roots = CANDIDATE.replace("tl.maximum(y, 0.0)", "tl.sqrt(y)")
    absolute = CANDIDATE.replace("tl.maximum(y, 0.0)", "tl.sqrt(tl.abs(y))")
    found = [
        verify(reference, candidate, settings=VerifySettings(seed=seed), processes=processes).verdict
        for candidate in (roots, absolute)
        for seed in range(3)
    ]
    assert found == ["pass"] * 3 + ["wrong_output"] * 3


@pytest.mark.parametrize(("usual", "constant"), [("torch.ones_like(x)", "1.0"), ("x * -0.0", "0.0")])
def test_a_result_that_few_inputs_change_is_no_reason_to_refuse_the_reference(
    usual: str, constant: str, processes: WarmPair
) -> None:
    """Where the secret inputs give equal results by chance, zeros too, others are drawn until a result differs."""
    rarely = f"return torch.relu(x * self.weight) if x[0, 0] > 0.9 else {usual}"
    reference = REFERENCE.replace("return torch.relu(x * self.weight)", rarely)
    candidate = CANDIDATE.replace("tl.maximum(y, 0.0)", f"tl.maximum(y * 0.0, {constant})")
    verdicts = {
        verify(reference, candidate, settings=VerifySettings(seed=seed), processes=processes).verdict
        for seed in range(4)
    }
    assert verdicts == {"wrong_output"}


def test_outputs_may_hold_what_is_no_tensor(processes: WarmPair) -> None:
    """A function of torch among the outputs is not a fault of the reference."""
    reference = REFERENCE.replace(
        "return torch.relu(x * self.weight)", "return torch.relu(x * self.weight), torch.tril"
    )
    assert verify(reference, CANDIDATE, processes=processes).verdict == "wrong_shape_or_dtype"


def test_equal_seeds_give_equal_verdicts(processes: WarmPair) -> None:
    """With a seed a check can be repeated to the last digit, but for what it took."""
    settings = VerifySettings(seed=7)
    one, other = (verify(REFERENCE, CANDIDATE, settings=settings, processes=processes) for _ in range(2))
    took = {"seconds", "processor_seconds"}
    assert one.model_dump(exclude=took) == other.model_dump(exclude=took)


def test_seed_stays_out_of_the_fingerprint(processes: WarmPair) -> None:
    """A verdict does not give the secret away."""
    verdict = verify(REFERENCE, CANDIDATE, settings=VerifySettings(seed=987654), processes=processes)
    assert "987654" not in verdict.model_dump_json()


def test_allowed_operator_is_no_fallback(processes: WarmPair) -> None:
    """`allow` moves an operator from work to bookkeeping."""
    doubled = CANDIDATE.replace("return out", "return out * 1.0")
    allowed = VerifySettings(allow=("aten.mul",))
    assert verify(REFERENCE, doubled, processes=processes).verdict == "fallback"
    assert verify(REFERENCE, doubled, settings=allowed, processes=processes).verdict == "pass"


@pytest.mark.slow
def test_large_shapes_are_cut_down_on_both_sides(processes: WarmPair) -> None:
    """Constants of the module shrink until the machine can do it; literal shapes cannot."""
    large = "ROWS = 4096\nCOLUMNS = 4096\n" + REFERENCE.replace("(6, 50)", "(ROWS, COLUMNS)").replace(
        "[50]", "[COLUMNS]"
    )
    verdict = verify(large, CANDIDATE, processes=processes)
    assert verdict.verdict == "pass", explain(verdict)
    assert verdict.sizes == "cut"
    assert any("sizes were cut" in note and " from 4096 to" in note for note in verdict.notes)
    literal = REFERENCE.replace("(6, 50)", "(4096, 4096)").replace("[50]", "[4096]")
    assert verify(literal, CANDIDATE, processes=processes).verdict == "unsupported:too_large"


BF16_REFERENCE = """
import torch
import torch.nn as nn

class Twice(nn.Module):
    def forward(self, x):
        return x * 2 + 1

def get_inputs():
    return [torch.randn(300).to(torch.bfloat16)]

def get_init_inputs():
    return [[], {}]
"""
BF16_CANDIDATE = """
import torch
import torch.nn as nn
import triton
import triton.language as tl

@triton.jit
def twice(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n)
    tl.store(out_ptr + at, x * 2 + 1, mask=at < n)

class TwiceNew(nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        twice[(triton.cdiv(x.numel(), 128),)](x, out, x.numel(), BLOCK=128)
        return out
"""


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ((), "pass"),
        (("x * 2 + 1, mask", "x * 2, mask"), "wrong_output"),
        (("mask=at < n)\n\nclass", "mask=at < n + 9)\n\nclass"), "runtime_error"),
    ],
)
def test_the_ptx_tier_decides_what_the_interpreter_cannot(changes, outcome):
    """bf16 runs as a device would run it; an access past the end names its line and its thread."""
    candidate = BF16_CANDIDATE.replace(*changes) if changes else BF16_CANDIDATE
    settings = VerifySettings(tier="ptx", seed=1)
    found = verify(BF16_REFERENCE, candidate, settings=settings)
    assert (found.verdict, found.tier) == (outcome, "ptx"), found.error
    if outcome == "runtime_error":
        assert "line" in found.error
        assert "thread" in found.error
    interpreted = verify(BF16_REFERENCE, BF16_CANDIDATE, settings=VerifySettings(tier="interpreter", seed=1))
    assert interpreted.verdict == "unsupported:bfloat16"


FP8_REFERENCE = BF16_REFERENCE.replace("x * 2 + 1", "(x.float() * 2).clamp(-448, 448).to(torch.float8_e4m3fn)")
FP8_CANDIDATE = BF16_CANDIDATE.replace("empty_like(x)", "empty_like(x, dtype=torch.float8_e4m3fn)").replace(
    "x * 2 + 1, mask", "tl.clamp(x.to(tl.float32) * 2, -448.0, 448.0).to(tl.float8e4nv), mask"
)


@pytest.mark.parametrize(("bound", "outcome"), [("448.0", "pass"), ("1.0", "wrong_output")])
def test_fp8_is_decided_and_compiled_where_it_exists(bound, outcome):
    """Such a reference is one like any other; targets before sm_89 are not held against a kernel that is right."""
    candidate = FP8_CANDIDATE.replace("448.0", bound)
    found = verify(FP8_REFERENCE, candidate, settings=VerifySettings(tier="ptx", seed=1))
    assert found.verdict == outcome, found.error
    assert {resources.target for resources in found.resources} == ({90} if outcome == "pass" else set())
