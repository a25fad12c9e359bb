"""Products on tensor cores in every type pass; without the last part of the sum, or turned, they do not."""

from __future__ import annotations

import pytest

from kbtools_plugins.verify import Verification, VerifySettings
from kbtools_plugins.verify.pool import Pair, verify_all

pytestmark = [pytest.mark.verify, pytest.mark.slow]
_REFERENCE = """
import torch
import torch.nn as nn

class Model(nn.Module):
    def forward(self, x, w):
        return {forward}

def get_inputs():
    return [{made}, {made}]

def get_init_inputs():
    return []
"""
_CANDIDATE = """
import torch
import torch.nn as nn
import triton
import triton.language as tl

@triton.jit
def product(x_ptr, w_ptr, out_ptr, K, SIZE: tl.constexpr, PART: tl.constexpr):
    rows, inner = tl.arange(0, SIZE), tl.arange(0, PART)
    total = tl.zeros((SIZE, SIZE), {sum})
    for at in range(0, K, PART):
        inside = at + inner < K
        x = tl.load(x_ptr + rows[:, None] * K + (at + inner)[None, :], mask=inside[None, :], other=0.0)
        w = tl.load(w_ptr + rows[None, :] * K + (at + inner)[:, None], mask=inside[:, None], other=0.0)
        total = tl.dot(x, w, total)
    tl.store(out_ptr + rows[:, None] * SIZE + rows[None, :], total.to(out_ptr.dtype.element_ty))

class ModelNew(nn.Module):
    def forward(self, x, w):
        out = torch.empty(32, 32, device=x.device, dtype={out})
        product[(1,)](x, w, out, x.shape[1], SIZE=32, PART=32)
        return out
"""
_FLOATS = {"sum": "tl.float32", "made": "torch.randn(32, 72).to({dtype})", "out": "torch.float32"}
_TYPES = {
    "float16": _FLOATS | {"forward": "x @ w.T", "out": "torch.float16"},
    "bfloat16": _FLOATS | {"forward": "x @ w.T", "out": "torch.bfloat16"},
    "float32": _FLOATS | {"forward": "x @ w.T"},
    "float8_e4m3fn": _FLOATS | {"forward": "x.float() @ w.float().T"},
    "float8_e5m2": _FLOATS | {"forward": "x.float() @ w.float().T"},
    "int8": {
        "forward": "x.int() @ w.int().T",
        "sum": "tl.int32",
        "made": "torch.randint(-100, 100, (32, 72)).to({dtype})",
        "out": "torch.int32",
    },
}
_TWINS = {
    "right": ("range(0, K, PART)", "range(0, K, PART)"),
    "without the tail": ("range(0, K, PART)", "range(0, K // PART * PART, PART)"),
    "turned": ("rows[:, None] * SIZE + rows[None, :]", "rows[None, :] * SIZE + rows[:, None]"),
    "past the tail": ("mask=inside[:, None], other=0.0", "mask=inside[:, None] | (inner[:, None] < 9), other=0.0"),
}


def _found(dtype: str) -> dict[str, Verification]:
    """The verdicts of all twins."""
    texts = {name: text.format(dtype=f"torch.{dtype}") for name, text in _TYPES[dtype].items()}
    reference = _REFERENCE.format(**texts)
    code = _CANDIDATE.format(**texts)
    pairs = [Pair(reference, code.replace(*change)) for change in _TWINS.values()]
    return dict(zip(_TWINS, verify_all(pairs, VerifySettings(seed=1, targets=(80,)), 1), strict=True))


@pytest.mark.parametrize("dtype", _TYPES)
def test_a_product_in_a_type_is_told_from_its_twins(dtype: str) -> None:
    """What is read behind the last row is out of bounds."""
    found = _found(dtype)
    assert {name: verdict.verdict for name, verdict in found.items()} == {
        "right": "pass",
        "without the tail": "wrong_output",
        "turned": "wrong_output",
        "past the tail": "runtime_error",
    }, [verdict.error for verdict in found.values()]
