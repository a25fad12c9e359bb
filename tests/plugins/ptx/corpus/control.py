"""Control flow, calls, assembly, random numbers."""

import torch
import triton
import triton.language as tl

from tests.plugins.ptx.harness import Case

N = 1000


@triton.jit
def square_plus(v, c):
    return v * v + c


@triton.jit(noinline=True)
def called(v, c):
    return square_plus(v, c) * 2.0


@triton.jit
def functions(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + at, at < n, other=0.0)
    tl.store(out + at, square_plus(v, 3.0), at < n)


@triton.jit
def call(x, out, n):
    at = tl.program_id(0)
    tl.store(out + at, called(tl.load(x + at), 1.0))


@triton.jit
def early(x, out, flag, n, B: tl.constexpr):
    pid = tl.program_id(0)
    if tl.load(flag + pid) == 0:
        return
    at = pid * B + tl.arange(0, B)
    tl.store(out + at, tl.load(x + at, at < n) * 2, at < n)


@triton.jit
def collatz(x, out):
    pid = tl.program_id(0)
    v = tl.load(x + pid)
    steps = 0
    while v != 1:
        if v % 2 == 0:  # noqa: SIM108 - a branch of the kernel
            v = v // 2
        else:
            v = 3 * v + 1
        steps += 1
    tl.store(out + pid, steps)


@triton.jit
def branches(x, out, n, B: tl.constexpr):
    pid = tl.program_id(0)
    at = pid * B + tl.arange(0, B)
    v = tl.load(x + at, at < n, other=0.0)
    if pid % 2 == 0:
        v = v + 1
    else:
        for i in range(pid):
            v = v * 0.5 + i
    tl.store(out + at, v, at < n)


@triton.jit
def logic(x, y, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    a, b = tl.load(x + at, at < n), tl.load(y + at, at < n)
    tl.store(out + at, (a & ~b) | (b ^ (a == b)), at < n)


@triton.jit
def far(x, out, stride, n, B: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, B)
    tl.store(out + row * stride + at, tl.load(x + row * stride + at, at < n) + row, at < n)


@triton.jit
def asm_scalar(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + at, at < n)
    r = tl.inline_asm_elementwise(
        "mul.hi.u32 $0, $1, 0x9E3779B9; xor.b32 $0, $0, $1;", "=&r,r", [v], tl.uint32, True, 1
    )
    tl.store(out + at, r, at < n)


@triton.jit
def asm_packed(x, y, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    a, b = tl.load(x + at, at < n), tl.load(y + at, at < n)
    r = tl.inline_asm_elementwise("fma.rn.f16x2 $0, $1, $2, $1;", "=r,r,r", [a, b], tl.float16, True, 2)
    tl.store(out + at, r, at < n)


@triton.jit
def random_numbers(out, seed, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + at, tl.randint(seed, at), at < n)


@triton.jit
def dropout(x, out, seed, p, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    keep = tl.rand(seed, at) > p
    tl.store(out + at, tl.where(keep, tl.load(x + at, at < n) / (1 - p), 0.0), at < n)


def philox(seed: int, counters: torch.Tensor) -> torch.Tensor:
    """The first word of ten rounds of Philox 4x32 (Salmon and others, 2011)."""
    words = [[int(c), 0, 0, 0] for c in counters]
    for word in words:
        k0, k1 = seed & 0xFFFFFFFF, seed >> 32
        for _ in range(10):
            a, b = 0xD2511F53 * word[0], 0xCD9E8D57 * word[2]
            word[:] = [(b >> 32) ^ word[1] ^ k0, b & 0xFFFFFFFF, (a >> 32) ^ word[3] ^ k1, a & 0xFFFFFFFF]
            k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return torch.tensor([word[0] for word in words], dtype=torch.int64)


def kept(seed: int, p: float) -> torch.Tensor:
    words = philox(seed, torch.arange(N)).to(torch.int32).long()
    words = torch.where(words < 0, -words - 1, words)
    return words.float() * 4.6566127342e-10 > p


def vectors(*dtypes: torch.dtype, count: int = 2, **more: object):
    """Arguments x, y and out of the given types (the last is that of out)."""

    def build():
        names = ["x", "y"][:count]
        given = {name: (3 * torch.randn(N)).to(dtypes[0]) for name in names}
        return {**given, "out": torch.zeros(N, dtype=dtypes[-1]), "n": N, "B": 256, **more}

    return build


def wide(f):
    return lambda a: {"out": f(a["x"].double())}


def collatz_steps(a):
    def steps(v):
        count = 0
        while v != 1:
            v, count = (v // 2 if v % 2 == 0 else 3 * v + 1), count + 1
        return count

    return {"out": torch.tensor([steps(int(v)) for v in a["x"]], dtype=torch.int32)}


def branched(a):
    out = a["x"].clone()
    for pid in range(4):
        part = out[pid * 256 : (pid + 1) * 256]
        if pid % 2 == 0:
            part += 1
        else:
            for i in range(pid):
                part.copy_(part * 0.5 + i)
    return {"out": out}


f16, bf16, f32, f64 = torch.float16, torch.bfloat16, torch.float32, torch.float64


CASES = [
    Case("functions", functions, (4,), vectors(f32, count=1), wide(lambda v: v * v + 3), 1e-6),
    Case(
        "call",
        call,
        (8,),
        lambda: {"x": torch.randn(8), "out": torch.zeros(8), "n": 8},
        wide(lambda v: (v * v + 1) * 2),
        1e-6,
    ),
    Case(
        "early_return",
        early,
        (4,),
        vectors(f32, count=1, flag=torch.tensor([1, 0, 1, 0], dtype=torch.int32)),
        lambda a: {"out": torch.where(torch.arange(N) // 256 % 2 == 0, a["x"] * 2, 0)},
    ),
    Case(
        "while_loop",
        collatz,
        (40,),
        lambda: {"x": torch.arange(1, 41, dtype=torch.int32), "out": torch.zeros(40, dtype=torch.int32)},
        collatz_steps,
    ),
    Case("branches", branches, (4,), vectors(f32, count=1), branched, 1e-6),
    Case(
        "bool",
        logic,
        (4,),
        lambda: {
            "x": torch.rand(N) > 0.5,
            "y": torch.rand(N) > 0.5,
            "out": torch.zeros(N, dtype=torch.bool),
            "n": N,
            "B": 256,
        },
        lambda a: {"out": (a["x"] & ~a["y"]) | (a["y"] ^ (a["x"] == a["y"]))},
    ),
    Case(
        "int64_offsets",
        far,
        (3,),
        lambda: {"x": torch.randn(3, 400), "out": torch.zeros(3, 400), "stride": 400, "n": 100, "B": 128},
        lambda a: {"out": torch.where(torch.arange(400) < 100, a["x"] + torch.arange(3.0)[:, None], 0)},
    ),
    Case(
        "inline_asm",
        asm_scalar,
        (4,),
        lambda: {
            "x": torch.randint(0, 2**31, (N,), dtype=torch.int32).view(torch.uint32),
            "out": torch.zeros(N, dtype=torch.int32).view(torch.uint32),
            "n": N,
            "B": 256,
        },
        lambda a: {"out": ((a["x"].long() * 0x9E3779B9) >> 32) ^ a["x"].long()},
    ),
    Case(
        "inline_asm_packed",
        asm_packed,
        (4,),
        vectors(f16),
        lambda a: {"out": a["x"].double() * a["y"].double() + a["x"].double()},
        1e-3,
    ),
    Case(
        "philox",
        random_numbers,
        (4,),
        lambda: {"out": torch.zeros(N, dtype=torch.int32), "seed": 1234, "n": N, "B": 256},
        lambda a: {"out": philox(1234, torch.arange(N)).to(torch.int32)},
    ),
    Case(
        "dropout",
        dropout,
        (4,),
        vectors(f32, count=1, seed=7, p=0.3),
        lambda a: {"out": torch.where(kept(7, 0.3), a["x"] / 0.7, 0.0)},
        1e-6,
    ),
]
