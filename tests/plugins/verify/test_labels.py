"""What an honest candidate may leave to torch or leave alone: a label and a pass, or by strict rules what it was."""

from __future__ import annotations

import pytest

from kbtools_plugins.verify import VerifySettings, verify

HEAD = """
import torch
import torch.nn as nn
import triton
import triton.language as tl
"""
MEAN = """
import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        return x.mean()


def get_inputs():
    return [torch.randn(64, 64)]


def get_init_inputs():
    return []
"""
PARTIAL_SUMS = f"""{HEAD}

@triton.jit
def partial_sum(x_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + tl.program_id(0), tl.sum(tl.load(x_ptr + at, mask=at < total, other=0.0), 0))


class ModelNew(nn.Module):
    def forward(self, x):
        blocks = triton.cdiv(x.numel(), 512)
        out = torch.empty(blocks, device=x.device)
        partial_sum[(blocks,)](x, out, x.numel(), BLOCK=512)
        return out.sum() / x.numel()
"""
IN_PLACE = MEAN.replace("return x.mean()", "return torch.relu_(x)")
RELU = f"""{HEAD}

@triton.jit
def relu(x_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.maximum(tl.load(x_ptr + at, mask=at < total), 0.0), mask=at < total)


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        relu[(triton.cdiv(x.numel(), 512),)](x, out, x.numel(), BLOCK=512)
        return out
"""
MOMENTUM = MEAN.replace(
    "def forward(self, x):\n        return x.mean()",
    "def forward(self, x, m):\n        m.mul_(0.9).add_(x)\n        return x - m",
).replace("[torch.randn(64, 64)]", "[torch.randn(64, 64), torch.randn(64, 64)]")
WITHOUT_MOMENTUM = RELU.replace("x_ptr, out_ptr", "x_ptr, m_ptr, out_ptr").replace(
    "tl.maximum(tl.load(x_ptr + at, mask=at < total), 0.0)",
    "-0.9 * tl.load(m_ptr + at, mask=at < total)",
).replace("self, x)", "self, x, m)").replace("(x, out,", "(x, m, out,")  # fmt: skip


def test_partial_sums_may_be_put_together_by_torch() -> None:
    """A pass with the share that torch finishes; a fallback by the strict rule."""
    found = verify(MEAN, PARTIAL_SUMS)
    assert (found.verdict, found.torch_share) == ("pass", 8 / 4096), found.error
    assert verify(MEAN, PARTIAL_SUMS, settings=VerifySettings(strict_fallback=True)).verdict == "fallback"


@pytest.mark.parametrize("unused", ["", "torch.relu(x); "])
def test_what_torch_may_finish_is_not_blamed_for_a_wrong_kernel(unused: str) -> None:
    """The last sum is allowed, and what nothing comes of is no work: the kernel alone makes it wrong."""
    wrong = PARTIAL_SUMS.replace("return out", f"{unused}return out").replace("other=0.0), 0)", "other=0.0), 0) + 1.0")
    assert verify(MEAN, wrong).verdict == "wrong_output"


def test_work_of_torch_that_goes_on_in_python_is_a_fallback() -> None:
    """A largest element read into Python is that of the decoys: torch found it, whatever the kernel does with it."""
    candidate = PARTIAL_SUMS.replace("return out.sum()", "return out.sum() * x.max().item()")
    assert verify(MEAN.replace("x.mean()", "x.mean() * x.max()"), candidate).verdict == "fallback"


@pytest.mark.parametrize(
    ("candidate", "verdict", "in_place"),
    [(RELU, "pass", False), (RELU.replace("empty_like(x)", "empty_like(x)\n        out = x"), "pass", True)],
)
def test_an_input_that_only_the_reference_updates_may_stay(candidate: str, verdict: str, in_place: bool) -> None:
    """Where the new values are what is returned; the strict rule holds the candidate to the update."""
    found = verify(IN_PLACE, candidate)
    assert (found.verdict, found.in_place) == (verdict, in_place), found.error
    strict = verify(IN_PLACE, candidate, settings=VerifySettings(strict_mutation=True))
    assert strict.passed == in_place


def test_an_update_that_nobody_returns_has_to_happen() -> None:
    """Momentum that the reference moves and the candidate does not is a wrong result, whatever is returned."""
    found = verify(MOMENTUM, WITHOUT_MOMENTUM)
    assert found.verdict == "wrong_output"
    assert "input 1" in found.error


POSITIVE = MEAN.replace("return x.mean()", "return torch.relu(torch.abs(x)) * 2.0 + torch.zeros_like(x).sin()")


def test_an_operator_that_no_input_needs_is_named() -> None:
    """A maximum with zero of what is not negative, and the sine of zeros: two of five operators."""
    doubled = RELU.replace(
        "tl.maximum(tl.load(x_ptr + at, mask=at < total), 0.0)", "2.0 * tl.abs(tl.load(x_ptr + at, mask=at < total))"
    )
    found = verify(POSITIVE, doubled)
    assert (found.verdict, found.untested_share) == ("pass", 3 / 5), found.error
    assert any(note.startswith("untested operators: relu, sin, add") for note in found.notes), found.notes


def test_all_operators_of_a_plain_reference_are_tested() -> None:
    """Each changes the output somewhere."""
    found = verify(MEAN, PARTIAL_SUMS)
    assert (found.verdict, found.untested_share) == ("pass", 0.0), found.error
    assert not any(note.startswith("untested") for note in found.notes)


DESCRIBED = f"""{HEAD}

@triton.jit
def relu(x_ptr, out_ptr, rows, columns, step, BLOCK: tl.constexpr):
    x = tl.make_tensor_descriptor(x_ptr, shape=[rows, columns], strides=[step, 1], block_shape=[BLOCK, BLOCK])
    out = tl.make_tensor_descriptor(out_ptr, shape=[rows, columns], strides=[columns, 1], block_shape=[BLOCK, BLOCK])
    at = [tl.program_id(0) * BLOCK, tl.program_id(1) * BLOCK]
    out.store(at, tl.maximum(x.load(at), 0.0))


class ModelNew(nn.Module):
    def forward(self, x):
        triton.set_allocator(lambda size, alignment, stream: torch.empty(size, device="cuda", dtype=torch.int8))
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        relu[(2, 2)](x, out, x.shape[0], x.shape[1], x.stride(0), BLOCK=32)
        return out
"""


def test_a_layout_that_a_kernel_does_not_compile_for_is_a_label() -> None:
    """A descriptor takes no rows that are one element apart; nobody asked for such an input."""
    found = verify(MEAN.replace("return x.mean()", "return torch.relu(x)"), DESCRIBED, entry_point="Model")
    assert (found.verdict, found.layout_general) == ("pass", False), found.error
