"""Reductions: over rows, in loops, with operators of their own, online."""

import torch
import triton
import triton.language as tl

from tests.plugins.ptx.harness import Case

ROWS, COLUMNS = 6, 300


@triton.jit
def softmax(x, out, n, B: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, B)
    v = tl.load(x + row * n + at, at < n, other=-float("inf")).to(tl.float32)
    e = tl.exp(v - tl.max(v, 0))
    tl.store(out + row * n + at, (e / tl.sum(e, 0)).to(out.dtype.element_ty), at < n)


@triton.jit
def layer_norm(x, weight, bias, out, n, eps, B: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, B)
    v = tl.load(x + row * n + at, at < n, other=0.0).to(tl.float32)
    mean = tl.sum(v) / n
    centred = tl.where(at < n, v - mean, 0.0)
    scale = tl.rsqrt(tl.sum(centred * centred) / n + eps)
    w, b = tl.load(weight + at, at < n), tl.load(bias + at, at < n)
    tl.store(out + row * n + at, centred * scale * w + b, at < n)


@triton.jit
def rms_norm(x, out, n, B: tl.constexpr):
    row = tl.program_id(0)
    total = tl.zeros((B,), tl.float32)
    for start in range(0, n, B):
        at = start + tl.arange(0, B)
        v = tl.load(x + row * n + at, at < n, other=0.0).to(tl.float32)
        total += v * v
    scale = 1.0 / tl.sqrt(tl.sum(total) / n + 1e-6)
    for start in range(0, n, B):
        at = start + tl.arange(0, B)
        v = tl.load(x + row * n + at, at < n, other=0.0).to(tl.float32)
        tl.store(out + row * n + at, (v * scale).to(out.dtype.element_ty), at < n)


@triton.jit
def places(x, largest, smallest, n, B: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, B)
    v = tl.load(x + row * n + at, at < n, other=0.0)
    tl.store(largest + row, tl.argmax(tl.where(at < n, v, -float("inf")), 0))
    tl.store(smallest + row, tl.argmin(tl.where(at < n, v, float("inf")), 0))


@triton.jit
def merge(mean_a, m2_a, count_a, mean_b, m2_b, count_b):
    delta = mean_b - mean_a
    count = count_a + count_b
    share = tl.where(count == 0.0, 0.0, count_b / count)
    return mean_a + delta * share, m2_a + m2_b + delta * delta * count_a * share, count


@triton.jit
def variance(x, out, n, B: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, B)
    v = tl.load(x + row * n + at, at < n, other=0.0)
    _, m2, count = tl.reduce((v, tl.zeros_like(v), (at < n).to(tl.float32)), 0, merge)
    tl.store(out + row, m2 / count)


@triton.jit
def online_logsumexp(x, out, n, B: tl.constexpr):
    row = tl.program_id(0)
    best = -float("inf")
    total = 0.0
    for start in range(0, n, B):
        at = start + tl.arange(0, B)
        v = tl.load(x + row * n + at, at < n, other=-float("inf"))
        new = tl.maximum(best, tl.max(v))
        total = total * tl.exp(best - new) + tl.sum(tl.exp(v - new))
        best = new
    tl.store(out + row, best + tl.log(total))


@triton.jit
def cross_entropy(logits, labels, out, n, B: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, B)
    v = tl.load(logits + row * n + at, at < n, other=-float("inf")).to(tl.float32)
    top = tl.max(v)
    chosen = tl.load(logits + row * n + tl.load(labels + row)).to(tl.float32)
    tl.store(out + row, tl.log(tl.sum(tl.exp(v - top))) + top - chosen)


@triton.jit
def whole(x, total, parity, least, n, B: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, B)
    v = tl.load(x + row * n + at, at < n, other=0)
    tl.store(total + row, tl.sum(v.to(tl.int64)))
    tl.store(parity + row, tl.xor_sum(v))
    tl.store(least + row, tl.min(v))


@triton.jit
def columns(x, out, m, n, M: tl.constexpr, B: tl.constexpr):
    rows, at = tl.arange(0, M)[:, None], tl.program_id(0) * B + tl.arange(0, B)[None, :]
    v = tl.load(x + rows * n + at, (rows < m) & (at < n), other=0.0)
    tl.store(out + tl.program_id(0) * B + tl.arange(0, B), tl.sum(v, 0), tl.program_id(0) * B + tl.arange(0, B) < n)


@triton.jit
def cube(x, out, A: tl.constexpr, B: tl.constexpr, C: tl.constexpr):
    a, b, c = tl.arange(0, A)[:, None, None], tl.arange(0, B)[None, :, None], tl.arange(0, C)[None, None, :]
    v = tl.load(x + a * B * C + b * C + c)
    tl.store(out + tl.arange(0, A)[:, None] * C + tl.arange(0, C)[None, :], tl.max(v, 1))


@triton.jit
def either(a, b):
    return a | b


@triton.jit
def anything(x, out, n, B: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, B)
    v = tl.load(x + row * n + at, at < n, other=0.0) > 2.5
    tl.store(out + row, tl.reduce(v.to(tl.int32), 0, either))


def rows(dtype=torch.float32, out=None, scale=1.0, **more):
    return lambda: {
        "x": (scale * torch.randn(ROWS, COLUMNS)).to(dtype),
        "out": torch.zeros(*(out or (ROWS, COLUMNS)), dtype=dtype),
        "n": COLUMNS,
        "B": 512,
        **more,
    }


def norms(dtype):
    return lambda: {
        "x": torch.randn(ROWS, COLUMNS).to(dtype),
        "weight": torch.rand(COLUMNS),
        "bias": torch.randn(COLUMNS),
        "out": torch.zeros(ROWS, COLUMNS, dtype=dtype),
        "n": COLUMNS,
        "eps": 1e-5,
        "B": 512,
    }


def normalized(a):
    return {
        "out": torch.nn.functional.layer_norm(
            a["x"].double(), (COLUMNS,), a["weight"].double(), a["bias"].double(), a["eps"]
        )
    }


def summed(a):
    parity = torch.tensor([0] * ROWS, dtype=torch.int32)
    for column in a["x"].T:
        parity ^= column
    return {"total": a["x"].long().sum(1), "parity": parity, "least": a["x"].amin(1)}


f16, bf16, f32 = torch.float16, torch.bfloat16, torch.float32
GRID = (ROWS,)

CASES = [
    *[
        Case(f"softmax_{str(t)[6:]}", softmax, GRID, rows(t), lambda a: {"out": a["x"].double().softmax(1)}, e)
        for t, e in ((f32, 1e-6), (bf16, 4e-3), (f16, 1e-3))
    ],
    Case(
        "softmax_one_warp",
        softmax,
        GRID,
        rows(f32),
        lambda a: {"out": a["x"].double().softmax(1)},
        1e-6,
        options={"num_warps": 1},
    ),
    Case(
        "softmax_eight_warps",
        softmax,
        GRID,
        rows(f32),
        lambda a: {"out": a["x"].double().softmax(1)},
        1e-6,
        options={"num_warps": 8},
    ),
    *[
        Case(f"layer_norm_{str(t)[6:]}", layer_norm, GRID, norms(t), normalized, e)
        for t, e in ((f32, 1e-6), (bf16, 4e-3))
    ],
    Case(
        "rms_norm_loop",
        rms_norm,
        GRID,
        lambda: {**rows(bf16)(), "B": 64},
        lambda a: {"out": torch.nn.functional.rms_norm(a["x"].double(), (COLUMNS,), eps=1e-6)},
        4e-3,
    ),
    Case(
        "argmax",
        places,
        GRID,
        lambda: {
            "x": torch.randint(0, 50, (ROWS, COLUMNS)).float(),
            "largest": torch.zeros(ROWS, dtype=torch.int32),
            "smallest": torch.zeros(ROWS, dtype=torch.int32),
            "n": COLUMNS,
            "B": 512,
        },
        lambda a: {
            "largest": torch.tensor([row.tolist().index(row.max()) for row in a["x"]]),
            "smallest": torch.tensor([row.tolist().index(row.min()) for row in a["x"]]),
        },
    ),
    Case("welford", variance, GRID, rows(out=(ROWS,)), lambda a: {"out": a["x"].double().var(1, unbiased=False)}, 1e-6),
    Case(
        "logsumexp_online",
        online_logsumexp,
        GRID,
        lambda: {**rows(out=(ROWS,), scale=5.0)(), "B": 64},
        lambda a: {"out": a["x"].double().logsumexp(1)},
        1e-6,
    ),
    Case(
        "cross_entropy",
        cross_entropy,
        GRID,
        lambda: {
            "logits": torch.randn(ROWS, COLUMNS).to(bf16),
            "labels": torch.randint(0, COLUMNS, (ROWS,)),
            "out": torch.zeros(ROWS),
            "n": COLUMNS,
            "B": 512,
        },
        lambda a: {"out": torch.nn.functional.cross_entropy(a["logits"].double(), a["labels"], reduction="none")},
        1e-6,
    ),
    Case(
        "whole_numbers",
        whole,
        GRID,
        lambda: {
            "x": torch.randint(-(2**31), 2**31, (ROWS, COLUMNS)).to(torch.int32),
            "total": torch.zeros(ROWS, dtype=torch.int64),
            "parity": torch.zeros(ROWS, dtype=torch.int32),
            "least": torch.zeros(ROWS, dtype=torch.int32),
            "n": COLUMNS,
            "B": 512,
        },
        lambda a: {**summed(a), "least": torch.minimum(a["x"].amin(1), torch.tensor(0, dtype=torch.int32))},
    ),
    Case(
        "columns",
        columns,
        (3,),
        lambda: {"x": torch.randn(30, 80), "out": torch.zeros(80), "m": 30, "n": 80, "M": 32, "B": 32},
        lambda a: {"out": a["x"].double().sum(0)},
        1e-6,
    ),
    Case(
        "three_dimensions",
        cube,
        (1,),
        lambda: {"x": torch.randn(4, 16, 32), "out": torch.zeros(4, 32), "A": 4, "B": 16, "C": 32},
        lambda a: {"out": a["x"].amax(1)},
    ),
    Case(
        "own_operator",
        anything,
        GRID,
        lambda: {"x": torch.randn(ROWS, COLUMNS), "out": torch.zeros(ROWS, dtype=torch.int32), "n": COLUMNS, "B": 512},
        lambda a: {"out": (a["x"] > 2.5).any(1).int()},
    ),
]
