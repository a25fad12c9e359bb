"""What Triton has beyond the usual: waiting, calls, early returns, random numbers, hints, prints and assertions."""

import torch
import triton
import triton.language as tl

from tests.plugins.ptx.corpus.arranging import N, vector
from tests.plugins.ptx.harness import Arguments, Case


@triton.jit
def printed(x, out, B: tl.constexpr):
    at = tl.arange(0, B)
    v = tl.load(x + at)
    tl.device_print("v", v)
    tl.store(out + at, v + 1)


@triton.jit
def asserted(x, out, B: tl.constexpr):
    at = tl.arange(0, B)
    v = tl.load(x + at)
    tl.device_assert(v < 1e30, "too large")
    tl.store(out + at, v + 1)


@triton.jit
def random(out, raw, seed, B: tl.constexpr):
    at = tl.arange(0, B)
    a, b, c, d = tl.randint4x(seed, at)
    tl.store(raw + at, a ^ b ^ c ^ d)
    tl.store(out + at, tl.randn(seed, at))


@triton.jit
def locked(lock, total, x, B: tl.constexpr):
    """Each program adds its part while it holds the lock."""
    at = tl.arange(0, B)
    v = tl.load(x + tl.program_id(0) * B + at)
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    tl.store(total + at, tl.load(total + at) + v)
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0)


@triton.jit
def ordered(turn, out, x, B: tl.constexpr):
    """Each program waits for the one before it, as a decoupled scan does."""
    me, at = tl.program_id(0), tl.arange(0, B)
    v = tl.load(x + me * B + at)
    while tl.atomic_add(turn, 0) != me:
        pass
    tl.store(out + at, tl.load(out + at) * 2 + v)
    tl.debug_barrier()
    tl.atomic_add(turn, 1)


@triton.jit
def collatz(x, out):
    me = tl.program_id(0)
    n, steps = tl.load(x + me), 0
    while n > 1:
        n = tl.where(n % 2 == 0, n // 2, 3 * n + 1)
        steps += 1
    tl.store(out + me, steps)


@triton.jit
def early(x, out, n, B: tl.constexpr):
    me = tl.program_id(0)
    if me * B >= n:
        return
    at = me * B + tl.arange(0, B)
    if me == 1:
        tl.store(out + at, -tl.load(x + at, mask=at < n), mask=at < n)
        return
    tl.store(out + at, tl.load(x + at, mask=at < n), mask=at < n)


@triton.jit(noinline=True)
def apart(v, w):
    return v * v + w, v - w


@triton.jit
def calls(x, y, out):
    at = tl.program_id(0)
    a, b = apart(tl.load(x + at), tl.load(y + at))
    c, d = apart(a, b)
    tl.store(out + at, c + d)


@triton.jit
def nested(x, out, R: tl.constexpr, C, B: tl.constexpr):
    at = tl.arange(0, B)
    total = tl.zeros((B,), tl.float32)
    for row in tl.range(R, flatten=True):
        for first in tl.range(0, C, B, loop_unroll_factor=2):
            total += tl.load(x + row * C + first + at, mask=first + at < C, other=0.0)
    tl.store(out, tl.sum(total))


@triton.jit
def hinted(x, y, out, B: tl.constexpr):
    at = tl.max_contiguous(tl.multiple_of(tl.arange(0, B), B), B)
    u = tl.load(x + at, cache_modifier=".cg")
    v = tl.load(x + at, eviction_policy="evict_last")
    w = tl.load(y + at, volatile=True)
    tl.assume(B > 1)
    tl.store(out + at, tl.where(u == v, v, 0) + w, cache_modifier=".cs")


@triton.jit
def swizzled(out, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    i, j = tl.swizzle2d(tl.program_id(0), tl.program_id(1), ROWS, COLUMNS, 2)
    tl.store(out + tl.program_id(0) * COLUMNS + tl.program_id(1), i * COLUMNS + j)


@triton.jit
def two_results(x, out, B: tl.constexpr):
    at = tl.arange(0, B)
    low, high = tl.inline_asm_elementwise(
        "{ mul.lo.u32 $0, $2, 77777; mul.hi.u32 $1, $2, 77777; }",
        "=r,=r,r",
        [tl.load(x + at)],
        dtype=(tl.int32, tl.int32),
        is_pure=True,
        pack=1,
    )
    tl.store(out + at, low ^ high)


def _apart(a: Arguments) -> dict[str, torch.Tensor]:
    v, w = a["x"].double(), a["y"].double()
    v, w = v * v + w, v - w
    return {"out": v * v + w + (v - w)}


def _steps(n: int) -> int:
    return 0 if n <= 1 else 1 + _steps(n // 2 if n % 2 == 0 else 3 * n + 1)


CASES = [
    Case("device_print", printed, (1,), vector, lambda a: {"out": a["x"] + 1}),
    Case("device_assert", asserted, (1,), vector, lambda a: {"out": a["x"] + 1}),
    Case("device_assert_on", asserted, (1,), vector, lambda a: {"out": a["x"] + 1}, options={"debug": True}),
    Case(
        "lock",
        locked,
        (8,),
        lambda: {"lock": torch.zeros(1).int(), "total": torch.zeros(64), "x": torch.ones(8, 64).cumsum(0), "B": 64},
        lambda a: {"total": a["x"].sum(0), "lock": a["lock"]},
    ),
    Case(
        "in_turn",
        ordered,
        (6,),
        lambda: {"turn": torch.zeros(1).int(), "out": torch.zeros(64), "x": torch.ones(6, 64).cumsum(0), "B": 64},
        lambda a: {"out": (a["x"] * torch.exp2(torch.arange(5, -1, -1))[:, None]).sum(0)},
    ),
    Case(
        "philox_4x",
        random,
        (1,),
        lambda: {"out": torch.zeros(N), "raw": torch.zeros(N).int(), "seed": 7, "B": N},
        lambda a: {"raw": torch.tensor([_philox(7, at) for at in range(N)]).int()},
    ),
    Case(
        "collatz",
        collatz,
        (40,),
        lambda: {"x": torch.arange(1, 41).int(), "out": torch.zeros(40).int()},
        lambda a: {"out": torch.tensor([_steps(n) for n in a["x"].tolist()])},
    ),
    Case(
        "early_returns",
        early,
        (4,),
        lambda: {"x": torch.randn(300), "out": torch.zeros(300), "n": 300, "B": 128},
        lambda a: {"out": torch.where((torch.arange(300) // 128) == 1, -a["x"], a["x"])},
    ),
    Case(
        "noinline_twice",
        calls,
        (16,),
        lambda: {name: torch.randn(16) for name in ("x", "y", "out")},
        _apart,
        1e-6,
    ),
    Case(
        "flattened",
        nested,
        (1,),
        lambda: {"x": torch.randn(5, 150), "out": torch.zeros(1), "R": 5, "C": 150, "B": 64},
        lambda a: {"out": a["x"].double().sum()[None]},
        1e-6,
    ),
    Case("cache_policies", hinted, (1,), lambda: vector("y"), lambda a: {"out": a["x"] + a["y"]}),
    Case(
        "swizzle",
        swizzled,
        (4, 6),
        lambda: {"out": torch.zeros(24).int(), "ROWS": 4, "COLUMNS": 6},
        lambda a: {"out": torch.tensor([_swizzled(i, j) for i in range(4) for j in range(6)])},
    ),
    Case(
        "asm_two_results",
        two_results,
        (1,),
        lambda: vector() | {"x": torch.randint(0, 2**31, (N,)).int(), "out": torch.zeros(N).int()},
        lambda a: {"out": ((a["x"].long() * 77777 & 0xFFFFFFFF) ^ (a["x"].long() * 77777 >> 32)).int()},
    ),
]


def _swizzled(i: int, j: int, rows: int = 4, columns: int = 6, size: int = 2) -> int:
    """Columns of two rows at a time, as Triton's documentation draws it."""
    flat, group = i * columns + j, size * columns
    first = flat // group * size
    height = min(rows - first, size)
    inner = flat % group
    return (first + inner % height) * columns + inner // height


def _philox(seed: int, counter: int) -> int:
    """Ten rounds of Philox 4x32 (Salmon et al., 2011), its four numbers as one by exclusive or, signed."""
    mask = 0xFFFFFFFF
    words, key = [counter, 0, 0, 0], [seed & mask, seed >> 32]
    for _ in range(10):
        first, second = words[0] * 0xD2511F53, words[2] * 0xCD9E8D57
        words = [
            (second >> 32) ^ words[1] ^ key[0],
            second & mask,
            (first >> 32) ^ words[3] ^ key[1],
            first & mask,
        ]
        key = [(key[0] + 0x9E3779B9) & mask, (key[1] + 0xBB67AE85) & mask]
    result = words[0] ^ words[1] ^ words[2] ^ words[3]
    return result - 2**32 if result >> 31 else result
