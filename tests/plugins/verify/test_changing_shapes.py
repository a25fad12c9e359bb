"""A reference whose inputs have other shapes with each call is judged on one of them, and then on another."""

from __future__ import annotations

import pytest
import torch

from kbtools_plugins.verify import verify
from kbtools_plugins.verify.worker.reference.shapes import SingleDraws, forms

REFERENCE = """
import random

import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        return torch.softmax(x, dim=-1)


def get_inputs():
    return [torch.randn(4, {width})]
"""
CANDIDATE = """
import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def softmax(x_ptr, out_ptr, size, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + tl.program_id(0) * size + at, mask=at < size, other=float("-inf"))
    e = tl.exp(x - tl.max(x, 0))
    tl.store(out_ptr + tl.program_id(0) * size + at, e / tl.sum(e, 0), mask=at < size)


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.zeros_like(x)
        softmax[(x.shape[0],)](x, out, x.shape[1], BLOCK={block})
        return out
"""


@pytest.mark.parametrize("width", ["random.choice((100, 300))", "100 + int(torch.randint(0, 200, (1,)))"])
def test_shapes_that_change_are_decided(width: str) -> None:
    """Whether Python or torch draws them."""
    candidate = CANDIDATE.format(block="triton.next_power_of_2(x.shape[1])")
    found = verify(REFERENCE.format(width=width), candidate, entry_point="Model")
    assert found.verdict == "pass", found.error


def test_the_number_of_rows_may_change() -> None:
    """Rows have scales of their own, and other calls other rows."""
    reference = REFERENCE.replace("torch.randn(4, {width})", "torch.randn(random.choice((3, 5)), 300)")
    found = verify(reference, CANDIDATE.format(block="512"), entry_point="Model")
    assert found.verdict == "pass", found.error


@pytest.mark.parametrize("block", ["128", "512 if x.shape[1] > 128 else 64"])
def test_a_kernel_that_is_right_for_one_of_the_shapes_alone_is_wrong(block: str) -> None:
    """Whichever is drawn first."""
    found = verify(
        REFERENCE.format(width="random.choice((100, 300))"), CANDIDATE.format(block=block), entry_point="Model"
    )
    assert found.verdict == "wrong_output", found.error


def test_single_draws_are_the_same_for_one_seed_and_values_are_not() -> None:
    """Sizes between large draws, too."""

    def drawn(values: int) -> list[torch.Tensor]:
        torch.default_generator.manual_seed(values)
        with SingleDraws(7):
            return [torch.randn(int(torch.randint(2, 90, ()))) for _ in range(3)]

    one, other = drawn(1), drawn(2)
    assert forms(one) == forms(other)
    assert len(set(forms(one))) > 1
    assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))
