"""Pairs at sizes beyond 32 bits, which no memory holds: right ones, and their twins whose offsets overflow."""

from __future__ import annotations

from dataclasses import dataclass

from kbtools_plugins.verify.pool import Pair

_REFERENCE = """import torch
import torch.nn as nn

{sizes}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        {made}

    def forward(self, {inputs}):
        return {result}


def get_inputs():
    return [{given}]


def get_init_inputs():
    return []
"""
_CANDIDATE = """import torch
import torch.nn as nn
import triton
import triton.language as tl

{sizes}


@triton.jit
def kernel({kernel}


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        {made}

    def forward(self, {inputs}):
        {forward}
        return out
"""


@dataclass(frozen=True)
class FarPair:
    """A pair, and the change that makes it wrong at its own sizes alone."""

    name: str
    sizes: str
    given: str
    result: str
    kernel: str
    forward: str
    inputs: str = "x"
    made: str = "pass"
    wide: str = ".to(tl.int64)"
    narrow: str = ""

    @property
    def pair(self) -> Pair:
        """The right one."""
        names = vars(self)
        return Pair(_REFERENCE.format(**names), _CANDIDATE.format(**names), "Model")

    def twin(self) -> Pair:
        """The wrong one."""
        right = self.pair
        assert self.wide in right.candidate
        return Pair(right.reference, right.candidate.replace(self.wide, self.narrow), right.entry_point)


_SQUARE = "rows, columns = 65536, 65536"
_SQUARE_GIVEN = "torch.randn(rows, columns)"
_FLAT = """x_ptr, out_ptr, scale, shift, total, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < total) * scale + shift, mask=at < total)"""
_ROWS = """x_ptr, out_ptr, size, stride, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    total = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, size, BLOCK):
        at = first + tl.arange(0, BLOCK)
        total += tl.load(x_ptr + row * stride + at, mask=at < size, other=0.0)
    tl.store(out_ptr + row, tl.sum(total, 0))"""
_TILES = """x_ptr, y_ptr, out_ptr, M, N, K: tl.constexpr, BLOCK: tl.constexpr):
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inner = tl.arange(0, K)
    x = tl.load(x_ptr + rows[:, None] * K + inner[None, :])
    y = tl.load(y_ptr + inner[:, None] * N + columns[None, :])
    product = tl.dot(x, y, input_precision="ieee")
    tl.store(out_ptr + rows[:, None].to(tl.int64) * N + columns[None, :], product)"""
_TRANSPOSED = """x_ptr, out_ptr, rows, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row[:, None].to(tl.int64) * columns + column[None, :])
    tl.store(out_ptr + column[:, None].to(tl.int64) * rows + row[None, :], tl.trans(x * 2.0))"""
_WEIGHTS = """x_ptr, w_ptr, out_ptr, size, BLOCK: tl.constexpr):
    row, batch = tl.program_id(0).to(tl.int64), tl.program_id(1)
    total = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, size, BLOCK):
        at = first + tl.arange(0, BLOCK)
        total += tl.load(x_ptr + batch * size + at) * tl.load(w_ptr + row * size + at)
    tl.store(out_ptr + batch * size + row, tl.sum(total, 0))"""
_CHOSEN = """table_ptr, at_ptr, out_ptr, width, BLOCK: tl.constexpr):
    row = tl.load(at_ptr + tl.program_id(0)).to(tl.int64) - 1
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(table_ptr + row * width + at, mask=at < width)
    tl.store(out_ptr + tl.program_id(0) * width + at, x * 2.0, mask=at < width)"""

FAR = [
    FarPair(
        "flat", _SQUARE, _SQUARE_GIVEN, "x * 2.0 + 1.0", _FLAT,
        """out = torch.empty_like(x)
        kernel[(triton.cdiv(x.numel(), 4096),)](x, out, 2.0, 1.0, x.numel(), BLOCK=4096)""",
    ),
    FarPair(
        "two steps", _SQUARE, _SQUARE_GIVEN, "(x * 2.0).view(-1) + 1.0", _FLAT,
        """x = x.contiguous()
        between, out = torch.empty_like(x), torch.zeros(x.numel(), device=x.device)
        grid = (triton.cdiv(x.numel(), 2048),)
        kernel[grid](x, between, 2.0, 0.0, x.numel(), BLOCK=2048)
        kernel[grid](between.view(-1), out, 1.0, 1.0, x.numel(), BLOCK=2048)""",
    ),
    FarPair(
        "rows", _SQUARE, _SQUARE_GIVEN, "x.sum(1)", _ROWS,
        """out = torch.empty(x.shape[0], device=x.device)
        kernel[(x.shape[0],)](x, out, x.shape[1], x.stride(0), BLOCK=1024)""",
    ),
    FarPair(
        "tiles", "rows, columns, inner = 65536, 65536, 32", "torch.randn(rows, inner), torch.randn(inner, columns)",
        "x @ y", _TILES,
        """out = torch.empty(x.shape[0], y.shape[1], device=x.device)
        kernel[(x.shape[0] // 64, y.shape[1] // 64)](x, y, out, x.shape[0], y.shape[1], K=32, BLOCK=64)""",
        inputs="x, y",
    ),
    FarPair(
        "transposed", _SQUARE, _SQUARE_GIVEN, "(x * 2.0).t().contiguous()", _TRANSPOSED,
        """out = torch.empty(x.shape[1], x.shape[0], device=x.device)
        kernel[(x.shape[0] // 32, x.shape[1] // 32)](x, out, x.shape[0], x.shape[1], BLOCK=32)""",
        wide="column[:, None].to(tl.int64)", narrow="column[:, None]",
    ),
    FarPair(
        "weights", "features = 65536", "torch.randn(4, features)", "x @ self.weight.t()", _WEIGHTS,
        """out = torch.empty_like(x)
        kernel[(x.shape[1], x.shape[0])](x, self.weight, out, x.shape[1], BLOCK=256)""",
        made="self.weight = nn.Parameter(torch.randn(features, features) * 0.01)",
    ),
]  # fmt: skip
CHOSEN = FarPair(
    "chosen", "rows, columns = 65536, 65536",
    "torch.randn(rows, columns), torch.randint(1, rows + 1, (64,), dtype=torch.int32)",
    "nn.functional.embedding(at - 1, x) * 2.0", _CHOSEN,
    """out = torch.empty(at.shape[0], x.shape[1], device=x.device)
        kernel[(at.shape[0], triton.cdiv(x.shape[1], 1024))](x, at, out, x.shape[1], BLOCK=1024)""",
    inputs="x, at",
)  # fmt: skip
"""Takes rows by numbers from one on."""
