"""Scans, sorting, the largest k, histograms."""

import torch
import triton
import triton.language as tl

from tests.plugins.ptx.harness import Case

ROWS, B = 3, 256


@triton.jit
def sums(x, out, B: tl.constexpr, reverse: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + at, tl.cumsum(tl.load(x + at), 0, reverse=reverse))


@triton.jit
def products(x, out, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + at, tl.cumprod(tl.load(x + at), 0))


@triton.jit
def step(decay_a, value_a, decay_b, value_b):
    return decay_a * decay_b, value_a * decay_b + value_b


@triton.jit
def recurrence(decay, x, out, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    _, state = tl.associative_scan((tl.load(decay + at), tl.load(x + at)), 0, step)
    tl.store(out + at, state)


@triton.jit
def down_columns(x, out, M: tl.constexpr, N: tl.constexpr):
    at = tl.arange(0, M)[:, None] * N + tl.arange(0, N)[None, :]
    tl.store(out + at, tl.cumsum(tl.load(x + at), 0))


@triton.jit
def carried(x, out, n, B: tl.constexpr):
    row = tl.program_id(0)
    before = 0.0
    for start in range(0, n, B):
        at = start + tl.arange(0, B)
        v = tl.load(x + row * n + at, at < n, other=0.0)
        tl.store(out + row * n + at, before + tl.cumsum(v, 0), at < n)
        before += tl.sum(v)


@triton.jit
def order(x, out, B: tl.constexpr, descending: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + at, tl.sort(tl.load(x + at), descending=descending))


@triton.jit
def order_rows(x, out, M: tl.constexpr, N: tl.constexpr):
    at = tl.arange(0, M)[:, None] * N + tl.arange(0, N)[None, :]
    tl.store(out + at, tl.sort(tl.load(x + at), 1))


@triton.jit
def largest(x, out, B: tl.constexpr, K: tl.constexpr):
    row = tl.program_id(0)
    tl.store(out + row * K + tl.arange(0, K), tl.topk(tl.load(x + row * B + tl.arange(0, B)), K))


@triton.jit
def counts(x, out, B: tl.constexpr, BINS: tl.constexpr):
    row = tl.program_id(0)
    tl.store(out + row * BINS + tl.arange(0, BINS), tl.histogram(tl.load(x + row * B + tl.arange(0, B)), BINS))


@triton.jit
def reversed_row(x, out, B: tl.constexpr):
    row = tl.program_id(0)
    tl.store(out + row * B + tl.arange(0, B), tl.flip(tl.load(x + row * B + tl.arange(0, B)), 0))


def data(dtype=torch.float32, **more):
    return lambda: {
        "x": (10 * torch.randn(ROWS, B)).to(dtype),
        "out": torch.zeros(ROWS, B, dtype=dtype),
        "B": B,
        **more,
    }


def states(a):
    out, state = torch.zeros(ROWS, B, dtype=torch.float64), torch.zeros(ROWS, dtype=torch.float64)
    for i in range(B):
        state = state * a["decay"][:, i] + a["x"][:, i]
        out[:, i] = state
    return {"out": out}


GRID = (ROWS,)

CASES = [
    Case("cumsum", sums, GRID, data(reverse=False), lambda a: {"out": a["x"].double().cumsum(1)}, 1e-6),
    Case(
        "cumsum_reverse",
        sums,
        GRID,
        data(reverse=True),
        lambda a: {"out": a["x"].double().flip(1).cumsum(1).flip(1)},
        1e-6,
    ),
    Case("cumsum_int32", sums, GRID, data(torch.int32, reverse=False), lambda a: {"out": a["x"].cumsum(1)}),
    Case(
        "cumsum_bf16",
        sums,
        GRID,
        data(torch.bfloat16, reverse=False),
        lambda a: {"out": a["x"].double().cumsum(1)},
        2e-2,
    ),
    Case(
        "cumprod",
        products,
        GRID,
        lambda: {"x": 1 + 0.1 * torch.randn(ROWS, B), "out": torch.zeros(ROWS, B), "B": B},
        lambda a: {"out": a["x"].double().cumprod(1)},
        1e-5,
    ),
    Case("linear_recurrence", recurrence, GRID, lambda: {"decay": torch.rand(ROWS, B), **data()()}, states, 1e-6),
    Case(
        "cumsum_columns",
        down_columns,
        (1,),
        lambda: {"x": torch.randn(32, 16), "out": torch.zeros(32, 16), "M": 32, "N": 16},
        lambda a: {"out": a["x"].double().cumsum(0)},
        1e-6,
    ),
    Case(
        "cumsum_carried",
        carried,
        GRID,
        lambda: {"x": torch.randn(ROWS, 300), "out": torch.zeros(ROWS, 300), "n": 300, "B": 64},
        lambda a: {"out": a["x"].double().cumsum(1)},
        1e-6,
    ),
    *[
        Case(f"sort_{str(t)[6:]}", order, GRID, data(t, descending=False), lambda a: {"out": a["x"].sort(1).values})
        for t in (torch.float32, torch.int32, torch.float16, torch.int64)
    ],
    Case(
        "sort_descending", order, GRID, data(descending=True), lambda a: {"out": a["x"].sort(1, descending=True).values}
    ),
    Case(
        "sort_rows",
        order_rows,
        (1,),
        lambda: {"x": torch.randn(16, 32), "out": torch.zeros(16, 32), "M": 16, "N": 32},
        lambda a: {"out": a["x"].sort(1).values},
    ),
    Case(
        "topk",
        largest,
        GRID,
        lambda: {"x": torch.randn(ROWS, B), "out": torch.zeros(ROWS, 8), "B": B, "K": 8},
        lambda a: {"out": a["x"].topk(8, 1).values},
    ),
    Case(
        "histogram",
        counts,
        GRID,
        lambda: {
            "x": torch.randint(0, 32, (ROWS, B), dtype=torch.int32),
            "out": torch.zeros(ROWS, 32, dtype=torch.int32),
            "B": B,
            "BINS": 32,
        },
        lambda a: {"out": torch.stack([torch.bincount(row, minlength=32) for row in a["x"].long()])},
    ),
    Case("flip", reversed_row, GRID, data(), lambda a: {"out": a["x"].flip(1)}),
]
