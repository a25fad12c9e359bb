"""Whole numbers of all widths, and conversions between types, eight bits among them."""

import torch
import triton
import triton.language as tl

from tests.plugins.ptx.harness import Case

N = 1024


@triton.jit
def cast(x, out, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + at, tl.load(x + at).to(out.dtype.element_ty))


@triton.jit
def toward_zero(x, out, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + at, tl.load(x + at).to(tl.bfloat16, fp_downcast_rounding="rtz"))


@triton.jit
def scaled(x, scale, out, B: tl.constexpr):
    row = tl.program_id(0)
    at = row * B + tl.arange(0, B)
    tl.store(out + at, (tl.load(x + at).to(tl.float32) * tl.load(scale + row)).to(tl.bfloat16))


@triton.jit
def quantize(x, out, scale, B: tl.constexpr):
    row = tl.program_id(0)
    at = row * B + tl.arange(0, B)
    v = tl.load(x + at)
    s = tl.max(tl.abs(v)) / 127.0
    q = tl.floor(v / s + 0.5)
    tl.store(scale + row, s)
    tl.store(out + at, tl.clamp(q, -128.0, 127.0).to(tl.int8))


@triton.jit
def quotients(x, y, out, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    a, b = tl.load(x + at), tl.load(y + at)
    tl.store(out + at, a // b + (a % b) * 3)


@triton.jit
def bits(x, out, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + at)
    r = (v << 3) ^ (v >> 5)
    tl.store(out + at, (r | (v & 0x55)) + tl.umulhi(v.to(tl.uint32), 0xDEADBEEF).to(tl.int32))


@triton.jit
def unpack_int4(x, out, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + at)
    low = ((v & 0xF) ^ 8).to(tl.int8) - 8
    high = v.to(tl.int8) >> 4
    tl.store(out + 2 * at, low)
    tl.store(out + 2 * at + 1, high)


@triton.jit
def extremes(x, y, out, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    a, b = tl.load(x + at), tl.load(y + at)
    keep: tl.constexpr = tl.PropagateNan.ALL
    tl.store(out + at, tl.maximum(a, b, propagate_nan=keep) - tl.minimum(a, b))


@triton.jit
def compare(x, y, out, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    a, b = tl.load(x + at), tl.load(y + at)
    r = (a < b).to(tl.int32) + 2 * (a == b) + 4 * (a >= b) + 8 * (a != b)
    tl.store(out + at, tl.where(a > b, r + 16, r))


def values(source, target, count=N):
    def build():
        if source.is_floating_point:
            x = (20 * torch.randn(count)).to(source)
        else:
            info = torch.iinfo(source)
            x = torch.randint(max(info.min, -(2**40)), min(info.max, 2**40), (count,)).to(source)
        return {"x": x, "out": torch.zeros(count, dtype=target), "B": 256}

    return build


def casts(source, target, target_sm=80):
    name = f"cast_{source}_{target}".replace("torch.", "")
    return Case(
        name, cast, (4,), values(source, target), lambda a: {"out": converted(a["x"], target)}, target=target_sm
    )


def converted(x, target):
    if target.itemsize == 1 and target.is_floating_point:
        largest = torch.finfo(target).max
        return x.float().clamp(-largest, largest).to(target)
    return x.to(target)


def quantized(a):
    rows = a["x"].view(-1, 256)
    scale = rows.abs().amax(1) / 127.0
    return {"out": torch.floor(rows / scale[:, None] + 0.5).clamp(-128, 127).to(torch.int8).flatten(), "scale": scale}


def divided(a):
    x, y = a["x"].long(), a["y"].long()
    q = torch.div(x, y, rounding_mode="trunc")
    return {"out": (q + (x - q * y) * 3).to(a["x"].dtype)}


def mixed(a):
    v = a["x"]
    high = ((v.long() & 0xFFFFFFFF) * 0xDEADBEEF >> 32).to(torch.int32)
    return {"out": ((v << 3) ^ (v >> 5) | (v & 0x55)) + high}


def with_nan():
    x, y = torch.randn(N), torch.randn(N)
    x[::7] = float("nan")
    x[3], y[3] = 0.0, -0.0
    return {"x": x, "y": y, "out": torch.zeros(N), "B": 256}


def compared(a):
    x, y = a["x"], a["y"]
    r = (x < y).int() + 2 * (x == y).int() + 4 * (x >= y).int() + 8 * (x != y).int()
    return {"out": torch.where(x > y, r + 16, r)}


def pairs(dtype, low, high):
    return lambda: {
        "x": torch.randint(low, high, (N,), dtype=dtype),
        "y": torch.randint(1, 90, (N,), dtype=dtype),
        "out": torch.zeros(N, dtype=dtype),
        "B": 256,
    }


f16, bf16, f32, f64, e4, e5 = (
    getattr(torch, n) for n in ("float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2")
)

CASES = [
    *[
        casts(s, t)
        for s, t in (
            (f32, f16),
            (f32, bf16),
            (f16, f32),
            (bf16, f16),
            (f64, f32),
            (f32, f64),
            (torch.int8, f16),
            (torch.int32, bf16),
            (torch.int64, f32),
            (torch.uint8, f32),
        )
    ],
    *[
        casts(s, t)
        for s, t in (
            (f32, torch.int32),
            (f32, torch.int64),
            (bf16, torch.int8),
            (f16, torch.int16),
            (torch.int64, torch.int32),
            (torch.int8, torch.int64),
        )
    ],
    *[casts(s, t, 89) for s, t in ((f32, e4), (f32, e5), (bf16, e4), (f16, e5), (e4, f32), (e5, bf16), (e4, f16))],
    casts(e5, f16),
    Case(
        "cast_toward_zero",
        toward_zero,
        (4,),
        values(f32, bf16),
        lambda a: {"out": (a["x"].view(torch.int32) >> 16).to(torch.int16).view(bf16)},
    ),
    Case(
        "dequantize_fp8",
        scaled,
        (4,),
        lambda: {"x": torch.randn(N).to(e4), "scale": torch.rand(4), "out": torch.zeros(N, dtype=bf16), "B": 256},
        lambda a: {"out": (a["x"].float().view(4, 256) * a["scale"][:, None]).to(bf16).flatten()},
        target=89,
    ),
    Case(
        "quantize_int8",
        quantize,
        (4,),
        lambda: {"x": torch.randn(N), "out": torch.zeros(N, dtype=torch.int8), "scale": torch.zeros(4), "B": 256},
        quantized,
        1e-2,
    ),
    *[
        Case(
            f"quotients_{str(t)[6:]}",
            quotients,
            (4,),
            pairs(t, -1000 if t.is_signed else 0, 1000 if t.itemsize > 1 else 200),
            divided,
        )
        for t in (torch.int32, torch.int64, torch.uint8, torch.int16)
    ],
    Case("bit_operations", bits, (4,), values(torch.int32, torch.int32), mixed),
    Case(
        "unpack_int4",
        unpack_int4,
        (4,),
        lambda: {
            "x": torch.randint(0, 256, (N,), dtype=torch.uint8),
            "out": torch.zeros(2 * N, dtype=torch.int8),
            "B": 256,
        },
        lambda a: {
            "out": torch.stack([((a["x"].int() & 15) ^ 8) - 8, (((a["x"].int() >> 4) & 15) ^ 8) - 8], 1)
            .to(torch.int8)
            .flatten()
        },
    ),
    Case(
        "extremes_with_nan",
        extremes,
        (4,),
        with_nan,
        lambda a: {"out": torch.maximum(a["x"], a["y"]) - torch.fmin(a["x"], a["y"])},
    ),
    Case(
        "comparisons_with_nan",
        compare,
        (4,),
        lambda: {**with_nan(), "out": torch.zeros(N, dtype=torch.int32)},
        compared,
    ),
    Case(
        "comparisons_bf16",
        compare,
        (4,),
        lambda: {
            "x": torch.randn(N).to(bf16),
            "y": torch.randn(N).to(bf16),
            "out": torch.zeros(N, dtype=torch.int32),
            "B": 256,
        },
        compared,
    ),
]
