"""One element after the other: masks, types, functions, control flow."""

import torch
import triton
import triton.language as tl
from triton.language.extra import libdevice

from tests.plugins.ptx.harness import Case

N = 1000


@triton.jit
def add(x, y, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    mask = at < n
    tl.store(out + at, tl.load(x + at, mask) + tl.load(y + at, mask), mask)


@triton.jit
def silu(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + at, at < n, other=0.0).to(tl.float32)
    tl.store(out + at, (v * tl.sigmoid(v)).to(out.dtype.element_ty), at < n)


@triton.jit
def gelu(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + at, at < n, other=0.0).to(tl.float32)
    tl.store(out + at, 0.5 * v * (1 + tl.math.erf(v * 0.70710678)), at < n)


@triton.jit
def native(x, y, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    a, b = tl.load(x + at, at < n, other=1.0), tl.load(y + at, at < n, other=1.0)
    tl.store(out + at, a * b + a - b, at < n)


@triton.jit
def elementary(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.abs(tl.load(x + at, at < n, other=1.0)) + 0.5
    r = tl.exp(-v) + tl.log(v) + tl.sin(v) * tl.cos(v) + tl.sqrt(v) + tl.rsqrt(v) + tl.exp2(-v) + tl.log2(v)
    tl.store(out + at, r + tl.floor(v) - tl.ceil(v), at < n)


@triton.jit
def library(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + at, at < n, other=0.0)
    r = libdevice.tanh(v) + libdevice.atan(v) + libdevice.log1p(tl.abs(v)) + libdevice.expm1(v * 0.1)
    tl.store(out + at, r + libdevice.pow(tl.abs(v) + 1.0, 1.5) + libdevice.rint(v) + libdevice.cbrt(v), at < n)


@triton.jit
def double(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + at, at < n, other=1.0)
    tl.store(out + at, tl.exp(v) / (1.0 + v * v) + libdevice.sqrt(tl.abs(v)) + libdevice.sin(v), at < n)


def vectors(*dtypes: torch.dtype, count: int = 2, **more: object):
    """Arguments x, y and out of the given types (the last is that of out)."""

    def build():
        names = ["x", "y"][:count]
        given = {name: (3 * torch.randn(N)).to(dtypes[0]) for name in names}
        return {**given, "out": torch.zeros(N, dtype=dtypes[-1]), "n": N, "B": 256, **more}

    return build


def wide(f):
    return lambda a: {"out": f(a["x"].double())}


def floats(kernel, dtype, truth, tolerance, count=1, out=None):
    name = f"{kernel.__name__}_{str(dtype).removeprefix('torch.')}"
    return Case(name, kernel, (4,), vectors(dtype, out or dtype, count=count), truth, tolerance)


f16, bf16, f32, f64 = torch.float16, torch.bfloat16, torch.float32, torch.float64


CASES = [
    *[
        floats(add, t, lambda a: {"out": a["x"] + a["y"]}, 0, 2)
        for t in (f16, bf16, f32, f64, torch.int32, torch.int8, torch.int64)
    ],
    *[
        floats(
            native, t, lambda a: {"out": a["x"].double() * a["y"].double() + a["x"].double() - a["y"].double()}, e, 2
        )
        for t, e in ((f16, 2e-3), (bf16, 2e-2), (f32, 1e-6), (f64, 1e-15))
    ],
    *[floats(silu, t, wide(torch.nn.functional.silu), e) for t, e in ((f16, 1e-3), (bf16, 8e-3), (f32, 1e-6))],
    floats(gelu, bf16, wide(torch.nn.functional.gelu), 8e-3),
    floats(
        elementary,
        f32,
        wide(
            lambda x: (
                lambda v: (
                    torch.exp(-v)
                    + v.log()
                    + v.sin() * v.cos()
                    + v.sqrt()
                    + v.rsqrt()
                    + torch.exp2(-v)
                    + v.log2()
                    + v.floor()
                    - v.ceil()
                )
            )(x.abs() + 0.5)
        ),
        1e-6,
    ),
    floats(
        library,
        f32,
        wide(
            lambda v: (
                v.tanh()
                + v.atan()
                + v.abs().log1p()
                + (v * 0.1).expm1()
                + (v.abs() + 1) ** 1.5
                + v.round()
                + v.sign() * v.abs() ** (1 / 3)
            )
        ),
        1e-6,
    ),
    floats(double, f64, wide(lambda v: v.exp() / (1 + v * v) + v.abs().sqrt() + v.sin()), 1e-14),
]
