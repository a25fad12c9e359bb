"""Loops, grids, hints, tuples."""

import torch
import triton
import triton.language as tl

from tests.plugins.ptx.harness import Case

B = 256


@triton.jit
def embedding(table, index, out, width, B: tl.constexpr):
    row = tl.program_id(0)
    chosen = tl.load(index + row)
    at = tl.arange(0, B)
    tl.store(out + row * width + at, tl.load(table + chosen * width + at, at < width), at < width)


@triton.jit
def scatter(x, index, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + tl.load(index + at, at < n), tl.load(x + at, at < n), at < n)


@triton.jit
def strided(x, out, stride_m, stride_n, m, n, M: tl.constexpr, N: tl.constexpr):
    rows, columns = tl.arange(0, M)[:, None], tl.arange(0, N)[None, :]
    v = tl.load(x + rows * stride_m + columns * stride_n, (rows < m) & (columns < n), other=-1.0)
    tl.store(out + rows * N + columns, v)


@triton.jit
def cached(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + at, at < n, cache_modifier=".cg")
    v += tl.load(x + at, at < n, eviction_policy="evict_last")
    tl.store(out + at, v, at < n, cache_modifier=".cs")


@triton.jit
def unrolled(x, out, B: tl.constexpr, TIMES: tl.constexpr):
    at = tl.arange(0, B)
    total = tl.zeros((B,), tl.float32)
    for i in tl.static_range(TIMES):
        total += tl.load(x + i * B + at) * (i + 1)
    tl.store(out + at, total)


@triton.jit
def pipelined(x, out, n, B: tl.constexpr):
    at = tl.arange(0, B)
    total = tl.zeros((B,), tl.float32)
    for i in tl.range(0, n, num_stages=3):
        total += tl.load(x + i * B + at) * i
    tl.store(out + at, total)


@triton.jit
def convolve(x, w, out, n, TAPS: tl.constexpr, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    total = tl.zeros((B,), tl.float32)
    for tap in range(TAPS):
        total += tl.load(
            x + at + tap - TAPS // 2, (at + tap >= TAPS // 2) & (at + tap < n + TAPS // 2), other=0.0
        ) * tl.load(w + tap)
    tl.store(out + at, total, at < n)


@triton.jit
def grid_of_three(out, X: tl.constexpr, Y: tl.constexpr):
    x, y, z = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    tl.store(out + (z * Y + y) * X + x, x + 10 * y + 100 * z + 1000 * tl.num_programs(2))


@triton.jit
def several(pair, out, B: tl.constexpr):
    at = tl.arange(0, B)
    tl.store(out + at, tl.load(pair[0] + at) + tl.load(pair[1] + at))


CASES = [
    Case(
        "embedding",
        embedding,
        (10,),
        lambda: {
            "table": torch.randn(30, 100).bfloat16(),
            "index": torch.randint(0, 30, (10,)),
            "out": torch.zeros(10, 100).bfloat16(),
            "width": 100,
            "B": 128,
        },
        lambda a: {"out": a["table"][a["index"]]},
    ),
    Case(
        "scatter",
        scatter,
        (2,),
        lambda: {
            "x": torch.randn(300),
            "index": torch.randperm(300).int(),
            "out": torch.zeros(300),
            "n": 300,
            "B": 256,
        },
        lambda a: {"out": torch.zeros(300).index_copy(0, a["index"].long(), a["x"])},
    ),
    Case(
        "strides",
        strided,
        (1,),
        lambda: {
            "x": torch.randn(40, 60)[::2, ::3],
            "out": torch.zeros(32, 32),
            "stride_m": 120,
            "stride_n": 3,
            "m": 20,
            "n": 20,
            "M": 32,
            "N": 32,
        },
        lambda a: {"out": torch.nn.functional.pad(a["x"], (0, 12, 0, 12), value=-1.0)},
    ),
    Case(
        "cache_hints",
        cached,
        (2,),
        lambda: {"x": torch.randn(300), "out": torch.zeros(300), "n": 300, "B": 256},
        lambda a: {"out": a["x"] * 2},
    ),
    Case(
        "static_range",
        unrolled,
        (1,),
        lambda: {"x": torch.randn(5, 64), "out": torch.zeros(64), "B": 64, "TIMES": 5},
        lambda a: {"out": (a["x"].double() * torch.arange(1, 6)[:, None]).sum(0)},
        1e-6,
    ),
    Case(
        "range_in_stages",
        pipelined,
        (1,),
        lambda: {"x": torch.randn(9, 128), "out": torch.zeros(128), "n": 9, "B": 128},
        lambda a: {"out": (a["x"].double() * torch.arange(9)[:, None]).sum(0)},
        1e-6,
    ),
    Case(
        "convolution",
        convolve,
        (2,),
        lambda: {"x": torch.randn(300), "w": torch.randn(5), "out": torch.zeros(300), "n": 300, "TAPS": 5, "B": 256},
        lambda a: {
            "out": torch.nn.functional.conv1d(a["x"].double()[None, None], a["w"].double()[None, None], padding=2)[0, 0]
        },
        1e-6,
    ),
    Case(
        "grid_of_three",
        grid_of_three,
        (3, 4, 2),
        lambda: {"out": torch.zeros(2, 4, 3, dtype=torch.int32), "X": 3, "Y": 4},
        lambda a: {
            "out": 2000 + torch.arange(3) + 10 * torch.arange(4)[:, None] + 100 * torch.arange(2)[:, None, None]
        },
    ),
    Case(
        "tuple_argument",
        several,
        (1,),
        lambda: {"pair": (torch.ones(64), torch.arange(64.0)), "out": torch.zeros(64), "B": 64},
        lambda a: {"out": 1 + torch.arange(64.0)},
    ),
]
