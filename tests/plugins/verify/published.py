"""Right kernels for operators at the shapes that KernelBench asks for: which of them can be decided, and how fast.

`python tests/plugins/verify/published.py [--workers N] [--only NAME] [--json FILE]` prints a row for each: its verdict,
whether it ran at full size, and seconds of processor time. References and kernels are written for this project; the
sizes are those of the published levels 1 and 2.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from published_layers import layers

from kbtools_plugins.verify import VerifySettings
from kbtools_plugins.verify.pool import Pair, verify_all

_REFERENCE = """import torch
import torch.nn as nn
import torch.nn.functional as F

{sizes}


class Model(nn.Module):
    def __init__(self{parameters}):
        super().__init__()
        {made}

    def forward(self, {inputs}):
        return {result}


def get_inputs():
    return [{given}]


def get_init_inputs():
    return [{parameters_given}]
"""
_HEAD = """import torch
import torch.nn as nn
import triton
import triton.language as tl
from triton.language.extra import libdevice

"""
_ELEMENTWISE = """
@triton.jit
def kernel(x_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < total)
    tl.store(out_ptr + at, {expression}, mask=at < total)


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        kernel[(triton.cdiv(x.numel(), 1024),)](x, out, x.numel(), BLOCK=1024)
        return out
"""
_ROWS = """
@triton.jit
def kernel(x_ptr, out_ptr, size, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    found = tl.full((BLOCK,), {start}, tl.float32)
    for first in range(0, size, BLOCK):
        at = first + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row * size + at, mask=at < size, other={other})
        found = {step}
    whole = {together}
    {write}


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty({shape}, device=x.device)
        kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=1024)
        return out
"""
_AGAIN = """for first in range(0, size, BLOCK):
        at = first + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row * size + at, mask=at < size, other={other})
        tl.store(out_ptr + row * size + at, {value}, mask=at < size)"""
_SOFTMAX = """
@triton.jit
def kernel(x_ptr, out_ptr, size, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    top = float("-inf")
    for first in range(0, size, BLOCK):
        at = first + tl.arange(0, BLOCK)
        top = tl.maximum(top, tl.max(tl.load(x_ptr + row * size + at, mask=at < size, other=float("-inf")), 0))
    found = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, size, BLOCK):
        at = first + tl.arange(0, BLOCK)
        found += tl.exp(tl.load(x_ptr + row * size + at, mask=at < size, other=float("-inf")) - top)
    for first in range(0, size, BLOCK):
        at = first + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row * size + at, mask=at < size)
        tl.store(out_ptr + row * size + at, {value}, mask=at < size)


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=1024)
        return out
"""
_MIDDLE = """
@triton.jit
def kernel(x_ptr, out_ptr, rows, columns, BLOCK: tl.constexpr):
    batch = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    found = tl.full((BLOCK,), {start}, tl.float32)
    for row in range(rows):
        x = tl.load(x_ptr + (batch * rows + row) * columns + at, mask=at < columns, other=0.0)
        found = {step}
    tl.store(out_ptr + batch * columns + at, {value}, mask=at < columns)


class ModelNew(nn.Module):
    def forward(self, x):
        batch, rows, columns = x.shape
        out = torch.empty({shape}, device=x.device)
        kernel[(batch, triton.cdiv(columns, 256))](x, out, rows, columns, BLOCK=256)
        return out
"""
_SCAN = """
@triton.jit
def kernel(x_ptr, out_ptr, size, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    carry = {start}
    for first in range(0, size, BLOCK):
        at = first + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row * size + at, mask=at < size, other={start})
        found = {scan}
        tl.store(out_ptr + row * size + at, found, mask=at < size)
        carry = {carry}


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=512)
        return out
"""
_LOSS = """
@triton.jit
def partial_loss(x_ptr, y_ptr, part_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < total, other=0.0)
    y = tl.load(y_ptr + at, mask=at < total, other=0.0)
    tl.store(part_ptr + tl.program_id(0), tl.sum(tl.where(at < total, {expression}, 0.0), 0))


class ModelNew(nn.Module):
    def forward(self, x, y):
        count = triton.cdiv(x.numel(), 4096)
        parts = torch.empty(count, device=x.device)
        partial_loss[(count,)](x, y, parts, x.numel(), BLOCK=4096)
        return parts.sum() / x.numel()
"""
_MATMUL = """
@triton.jit
def kernel(a_ptr, b_ptr, {bias}out_ptr, M, N, K, am, ak, bk, bn, ab, bb,
           BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    batch = tl.program_id(2).to(tl.int64)
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    columns = tl.program_id(1) * BN + tl.arange(0, BN)
    acc = tl.zeros((BM, BN), tl.float32)
    for first in range(0, K, BK):
        inner = first + tl.arange(0, BK)
        a = tl.load(a_ptr + batch * ab + rows[:, None] * am + inner[None, :] * ak,
                    mask=(rows[:, None] < M) & (inner[None, :] < K), other=0.0)
        b = tl.load(b_ptr + batch * bb + inner[:, None] * bk + columns[None, :] * bn,
                    mask=(inner[:, None] < K) & (columns[None, :] < N), other=0.0)
        acc += tl.dot(a, b, input_precision="ieee")
    {finish}
    tl.store(out_ptr + batch * M * N + rows[:, None] * N + columns[None, :], acc,
             mask=(rows[:, None] < M) & (columns[None, :] < N))


def matmul(a, b, out, M, N, K, am, ak, bk, bn, ab=0, bb=0, batch=1{more}):
    kernel[(triton.cdiv(M, 64), triton.cdiv(N, 64), batch)](
        a, b, {bias_given}out, M, N, K, am, ak, bk, bn, ab, bb, BM=64, BN=64, BK=32)
    return out
"""
_POOL = """
@triton.jit
def kernel(x_ptr, out_ptr, size, made, WIDTH: tl.constexpr, STEP: tl.constexpr, PAD: tl.constexpr,
           BLOCK: tl.constexpr):
    plane = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    y, x = at // made, at % made
    found = tl.full((BLOCK,), {start}, tl.float32)
    for dy in range(WIDTH):
        for dx in range(WIDTH):
            row, column = y * STEP - PAD + dy, x * STEP - PAD + dx
            inside = (at < made * made) & (row >= 0) & (row < size) & (column >= 0) & (column < size)
            value = tl.load(x_ptr + (plane * size + row) * size + column, mask=inside, other={start})
            found = {step}
    tl.store(out_ptr + plane * made * made + at, {value}, mask=at < made * made)


class ModelNew(nn.Module):
    def forward(self, x):
        batch, channels, size, _ = x.shape
        made = (size + 2 * {pad} - {width}) // {step_size} + 1
        out = torch.empty(batch, channels, made, made, device=x.device)
        kernel[(batch * channels, triton.cdiv(made * made, 256))](
            x, out, size, made, WIDTH={width}, STEP={step_size}, PAD={pad}, BLOCK=256)
        return out
"""


@dataclass(frozen=True)
class Module:
    """One operator at its published sizes."""

    name: str
    pair: Pair


def _module(name: str, sizes: str, given: str, result: str, candidate: str, inputs: str = "x", parameters: str = "",
            made: str = "pass") -> Module:  # fmt: skip
    reference = _REFERENCE.format(
        sizes=sizes,
        parameters=f", {parameters}" if parameters else "",
        made=made,
        inputs=inputs,
        result=result,
        given=given,
        parameters_given=parameters,
    )
    return Module(name, Pair(reference, _HEAD + candidate, "Model"))


_WIDE = "batch_size = 4096\ndim = 393216"
_WIDE_GIVEN = "torch.rand(batch_size, dim) - 0.5"


def elementwise() -> Iterator[Module]:
    """Activations, on 4096 x 393216."""
    found = {
        "relu": ("torch.relu(x)", "tl.maximum(x, 0.0)"),
        "leaky_relu": ("F.leaky_relu(x, 0.01)", "tl.where(x > 0, x, 0.01 * x)"),
        "sigmoid": ("torch.sigmoid(x)", "1.0 / (1.0 + tl.exp(-x))"),
        "tanh": ("torch.tanh(x)", "2.0 / (1.0 + tl.exp(-2.0 * x)) - 1.0"),
        "swish": ("x * torch.sigmoid(x)", "x / (1.0 + tl.exp(-x))"),
        "gelu": ("F.gelu(x)", "0.5 * x * (1.0 + tl.erf(x * 0.7071067811865476))"),
        "elu": ("F.elu(x, 1.0)", "tl.where(x > 0, x, tl.exp(x) - 1.0)"),
        "selu": ("torch.selu(x)", "1.0507009873554805 * tl.where(x > 0, x, 1.6732632423543772 * (tl.exp(x) - 1.0))"),
        "hard_sigmoid": ("F.hardsigmoid(x)", "tl.minimum(tl.maximum(x / 6.0 + 0.5, 0.0), 1.0)"),
        "hard_tanh": ("F.hardtanh(x, -0.3, 0.3)", "tl.minimum(tl.maximum(x, -0.3), 0.3)"),
        "softsign": ("F.softsign(x)", "x / (1.0 + tl.abs(x))"),
        "softplus": ("F.softplus(x)", "tl.log(1.0 + tl.exp(-tl.abs(x))) + tl.maximum(x, 0.0)"),
        "scale": ("x * 3.5", "x * 3.5"),
    }
    for name, (result, expression) in found.items():
        yield _module(name, _WIDE, _WIDE_GIVEN, result, _ELEMENTWISE.format(expression=expression))


def rows() -> Iterator[Module]:
    """Norms and reductions along rows of 393216."""

    def made(start: str, other: str, step: str, together: str, value: str) -> str:
        again = _AGAIN.format(other=other, value=value)
        return _ROWS.format(start=start, other=other, step=step, together=together, write=again, shape="x.shape")

    def one(start: str, other: str, step: str, together: str) -> str:
        write = "tl.store(out_ptr + row, whole)"
        return _ROWS.format(start=start, other=other, step=step, together=together, write=write, shape="x.shape[0]")

    low = 'float("-inf")'
    sizes, given = _WIDE, _WIDE_GIVEN
    yield _module("l1_norm", sizes, given, "x / x.abs().mean(dim=1, keepdim=True)",
                  made("0.0", "0.0", "found + tl.abs(x)", "tl.sum(found, 0) / size", "x / whole"))  # fmt: skip
    yield _module("l2_norm", sizes, given, "x / torch.norm(x, dim=1, keepdim=True)",
                  made("0.0", "0.0", "found + x * x", "tl.sqrt(tl.sum(found, 0))", "x / whole"))  # fmt: skip
    rms_norm = made("0.0", "0.0", "found + x * x", "tl.sqrt(tl.sum(found, 0) / size + 1e-5)", "x / whole")
    yield _module("rms_norm_rows", sizes, given, "x / torch.sqrt((x * x).mean(dim=1, keepdim=True) + 1e-5)", rms_norm)
    yield _module("sum_of_rows", sizes, given, "x.sum(dim=1)", one("0.0", "0.0", "found + x", "tl.sum(found, 0)"))
    yield _module("max_of_rows", sizes, given, "x.max(dim=1).values",
                  one(low, low, "tl.maximum(found, x)", "tl.max(found, 0)"))  # fmt: skip
    softmax = _SOFTMAX.format(value="tl.exp(x - top) / tl.sum(found, 0)")
    yield _module("softmax", sizes, given, "torch.softmax(x, dim=1)", softmax)
    log_softmax = _SOFTMAX.format(value="x - top - tl.log(tl.sum(found, 0))")
    yield _module("log_softmax", sizes, given, "torch.log_softmax(x, dim=1)", log_softmax)


def middle() -> Iterator[Module]:
    """Reductions over the middle of 128 x 4096 x 4095."""
    sizes = "batch_size = 128\ndim1 = 4096\ndim2 = 4095"
    given = "torch.randn(batch_size, dim1, dim2)"
    found = {
        "sum_middle": ("x.sum(dim=1)", "0.0", "found + x", "found"),
        "sum_kept": ("x.sum(dim=1, keepdim=True)", "0.0", "found + x", "found"),
        "mean_middle": ("x.mean(dim=1)", "0.0", "found + x", "found / rows"),
        "max_middle": ("x.max(dim=1).values", 'float("-inf")', "tl.maximum(found, x)", "found"),
        "min_middle": ("x.min(dim=1).values", 'float("inf")', "tl.minimum(found, x)", "found"),
    }
    for name, (result, start, step, value) in found.items():
        shape = "batch, 1, columns" if name == "sum_kept" else "batch, columns"
        yield _module(name, sizes, given, result, _MIDDLE.format(start=start, step=step, value=value, shape=shape))


def scans() -> Iterator[Module]:
    """Cumulative sums and products along 32768."""
    sizes, given = "batch_size = 32768\nlength = 32768", "torch.rand(batch_size, length) * 0.02 + 0.99"
    add = _SCAN.format(start="0.0", scan="tl.cumsum(x, 0) + carry", carry="carry + tl.sum(x, 0)")
    yield _module("cumsum", sizes, given, "torch.cumsum(x, dim=1)", add)
    multiply = _SCAN.format(
        start="1.0",
        scan="tl.cumprod(x, 0) * carry",
        carry="tl.sum(tl.where(tl.arange(0, BLOCK) == BLOCK - 1, found, 0.0), 0)",
    )
    yield _module("cumprod", sizes, given, "torch.cumprod(x, dim=1)", multiply)
    exclusive = _SCAN.format(start="0.0", scan="tl.cumsum(x, 0) + carry - x", carry="carry + tl.sum(x, 0)")
    yield _module("cumsum_exclusive", sizes, given, "torch.cumsum(x, dim=1) - x", exclusive)


def losses() -> Iterator[Module]:
    """Means over 32768 x 32768."""
    sizes = "batch_size = 32768\ndim = 32768"
    given = "torch.rand(batch_size, dim), torch.rand(batch_size, dim)"
    found = {
        "mse": ("((x - y) ** 2).mean()", "(x - y) * (x - y)"),
        "l1_loss": ("F.l1_loss(x, y)", "tl.abs(x - y)"),
        "huber": ("F.smooth_l1_loss(x, y)",
                  "tl.where(tl.abs(x - y) < 1.0, 0.5 * (x - y) * (x - y), tl.abs(x - y) - 0.5)"),
        "hinge": ("torch.clamp(1 - x * y, min=0).mean()", "tl.maximum(1.0 - x * y, 0.0)"),
    }  # fmt: skip
    for name, (result, expression) in found.items():
        yield _module(name, sizes, given, result, _LOSS.format(expression=expression), inputs="x, y")


def matmuls() -> Iterator[Module]:
    """Products of matrices, transposed, batched, and as the linear layer of level 2."""

    def plain(call: str, shape: str, inputs: str = "x, y") -> str:
        body = f"""

class ModelNew(nn.Module):
    def forward(self, {inputs}):
        out = torch.empty({shape}, device=x.device)
        return matmul({call})
"""
        return _MATMUL.format(bias="", finish="pass", more="", bias_given="") + body

    ordinary = "x, y, out, x.shape[0], y.shape[1], x.shape[1], *x.stride(), *y.stride()"
    shapes = {
        "matmul_square": ("N = 2048 * 2", "torch.rand(N, N), torch.rand(N, N)"),
        "matmul_rectangular": ("M = 1024 * 2\nK = 4096 * 2\nN = 2048 * 2", "torch.rand(M, K), torch.rand(K, N)"),
        "matmul_large_k": ("M = 256\nN = 256\nK = 131072 * 4", "torch.rand(M, K) - 0.5, torch.rand(K, N) - 0.5"),
        "matmul_small_k": ("M = 16384 * 2\nN = 16384 * 2\nK = 32 * 2", "torch.rand(M, K), torch.rand(K, N)"),
        "matmul_irregular": ("M = 8205\nK = 2949\nN = 5921", "torch.rand(M, K), torch.rand(K, N)"),
        "matmul_tall": ("M = 16384 * 2\nN = 16 * 2", "torch.rand(M, N), torch.rand(N, M)"),
        "matrix_vector": ("M = 256 * 8\nK = 131072 * 8", "torch.rand(M, K) - 0.5, torch.rand(K, 1) - 0.5"),
    }
    for name, (sizes, given) in shapes.items():
        yield _module(name, sizes, given, "torch.matmul(x, y)", plain(ordinary, "x.shape[0], y.shape[1]"),
                      inputs="x, y")  # fmt: skip
    sizes, given = "M = 1024 * 2\nK = 4096 * 2\nN = 2048 * 2", "torch.rand(K, M), torch.rand(K, N)"
    turned = "x, y, out, x.shape[1], y.shape[1], x.shape[0], x.stride(1), x.stride(0), *y.stride()"
    yield _module("matmul_transposed", sizes, given, "torch.matmul(x.T, y)", plain(turned, "x.shape[1], y.shape[1]"),
                  inputs="x, y")  # fmt: skip
    batched = (
        "x, y, out, x.shape[1], y.shape[2], x.shape[2], x.stride(1), x.stride(2), y.stride(1), y.stride(2), "
        "x.stride(0), y.stride(0), x.shape[0]"
    )
    yield _module("matmul_batched", "batch_size = 128\nm = 128 * 4\nk = 256 * 4\nn = 512 * 4",
                  "torch.rand(batch_size, m, k), torch.rand(batch_size, k, n)", "torch.bmm(x, y)",
                  plain(batched, "x.shape[0], x.shape[1], y.shape[2]"), inputs="x, y")  # fmt: skip
    for name, result, finish in (
        ("linear_relu", "torch.relu(self.fc(x))", "tl.maximum(acc, 0.0)"),
        ("linear_scale", "self.fc(x) * 2.0 + 1.0", "acc * 2.0 + 1.0"),
        ("linear_sigmoid", "torch.sigmoid(self.fc(x))", "1.0 / (1.0 + tl.exp(-acc))"),
    ):
        add = "acc += tl.load(bias_ptr + columns, mask=columns < N, other=0.0)[None, :]\n    acc = " + finish
        layer = """

class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.fc = nn.Linear(in_features, out_features)

    def forward(self, x):
        weight = self.fc.weight
        out = torch.empty(x.shape[0], weight.shape[0], device=x.device)
        return matmul(x, weight, out, x.shape[0], weight.shape[0], x.shape[1], *x.stride(), weight.stride(1),
                      weight.stride(0), bias=self.fc.bias)
"""
        body = _MATMUL.format(bias="bias_ptr, ", finish=add, more=", bias=None", bias_given="bias, ") + layer
        yield _module(name, "batch_size = 1024\nin_features = 8192\nout_features = 8192",
                      "torch.rand(batch_size, in_features)", result, body, parameters="in_features, out_features",
                      made="self.fc = nn.Linear(in_features, out_features)")  # fmt: skip


def pools() -> Iterator[Module]:
    """Pooling over planes."""
    low = 'float("-inf")'
    for name, width, step, pad, size in (("max_pool", 4, 1, 1, 512), ("max_pool_halving", 3, 2, 1, 256)):
        candidate = _POOL.format(start=low, step="tl.maximum(found, value)", value="found", width=width,
                                 step_size=step, pad=pad)  # fmt: skip
        yield _module(name, f"batch_size = 32\nchannels = 64\nheight = {size}",
                      "torch.rand(batch_size, channels, height, height)",
                      f"F.max_pool2d(x, {width}, {step}, {pad})", candidate)  # fmt: skip
    for name, width, step, size in (("average_pool", 11, 11, 2048), ("average_pool_halving", 2, 2, 512)):
        candidate = _POOL.format(start="0.0", step="found + value", value=f"found / {width * width}", width=width,
                                 step_size=step, pad=0)  # fmt: skip
        yield _module(name, f"batch_size = 16\nchannels = 64\nheight = {size}",
                      "torch.rand(batch_size, channels, height, height)",
                      f"F.avg_pool2d(x, {width}, {step})", candidate)  # fmt: skip


def modules() -> Iterator[Module]:
    """All of them."""
    for family in (elementwise, rows, middle, scans, losses, matmuls, pools):
        yield from family()
    yield from (Module(layer.name, Pair(layer.reference, layer.candidate, "Model")) for layer in layers())


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = [module for module in modules() if options.only in module.name]
    verdicts = verify_all([module.pair for module in found], VerifySettings(), options.workers)
    for module, verdict in zip(found, verdicts, strict=True):
        print(f"{module.name:22} {verdict.verdict:22} {verdict.sizes:5} {verdict.processor_seconds:7.1f} s")
        if not verdict.passed:
            print(f"    {verdict.error[-300:]}")
    sizes = Counter(verdict.sizes for verdict in verdicts if verdict.passed)
    print(f"{len(found)} modules, {sum(sizes.values())} pass: {dict(sizes)}")
    if options.json:
        rows = [{"name": module.name, "verdict": verdict.verdict, "sizes": verdict.sizes,
                 "processor_seconds": verdict.processor_seconds, "notes": verdict.notes}
                for module, verdict in zip(found, verdicts, strict=True)]  # fmt: skip
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
