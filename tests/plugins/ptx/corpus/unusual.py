"""What Triton has beyond the usual: scans of pairs, selections, packed and scaled numbers, waiting, calls, hints."""

import torch
import triton
import triton.language as tl

from tests.plugins.ptx.harness import Arguments, Case

N = 512


@triton.jit
def segment(a, flag, b, other):
    return tl.where(other != 0, b, a + b), flag | other


@triton.jit
def segmented(x, flags, out, B: tl.constexpr):
    at = tl.arange(0, B)
    sums, _ = tl.associative_scan((tl.load(x + at), tl.load(flags + at)), 0, segment)
    tl.store(out + at, sums)


@triton.jit
def larger(a, place, b, other):
    take = (b > a) | ((b == a) & (other < place))
    return tl.where(take, b, a), tl.where(take, other, place)


@triton.jit
def best(x, out, M: tl.constexpr, B: tl.constexpr):
    rows, at = tl.arange(0, M)[:, None], tl.arange(0, B)[None, :]
    v = tl.load(x + rows * B + at)
    _, place = tl.reduce((v, tl.broadcast_to(at, (M, B))), 1, larger)
    tl.store(out + tl.arange(0, M), place)


@triton.jit
def gathered(x, index, out, M: tl.constexpr, B: tl.constexpr):
    place = tl.arange(0, M)[:, None] * B + tl.arange(0, B)[None, :]
    tl.store(out + place, tl.gather(tl.load(x + place), tl.load(index + place), 1))


@triton.jit
def counted(x, out, n, B: tl.constexpr, BINS: tl.constexpr):
    at = tl.arange(0, B)
    tl.store(out + tl.arange(0, BINS), tl.histogram(tl.load(x + at, mask=at < n, other=0), BINS, mask=at < n))


@triton.jit
def descending(x, out, M: tl.constexpr, B: tl.constexpr):
    place = tl.arange(0, M)[:, None] * B + tl.arange(0, B)[None, :]
    tl.store(out + place, tl.sort(tl.load(x + place), 1, descending=True))


@triton.jit
def largest(x, out, M: tl.constexpr, B: tl.constexpr, K: tl.constexpr):
    rows = tl.arange(0, M)[:, None]
    v = tl.load(x + rows * B + tl.arange(0, B)[None, :])
    tl.store(out + rows * K + tl.arange(0, K)[None, :], tl.topk(v, K))


@triton.jit
def pairs(x, out, B: tl.constexpr):
    at = tl.arange(0, B)
    even, odd = tl.split(tl.reshape(tl.load(x + at), (B // 2, 2)))
    half = tl.arange(0, B // 2)
    tl.store(out + at, tl.interleave(odd, even))
    tl.store(out + B + half[:, None] * 2 + tl.arange(0, 2)[None, :], tl.join(even + odd, even - odd))


@triton.jit
def joined(x, y, out, B: tl.constexpr):
    at = tl.arange(0, B)
    v = tl.cat(tl.load(x + at), tl.load(y + at), can_reorder=True)
    tl.store(out, tl.sum(v * v))


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
def unpacked(x, packed, scale, out, M: tl.constexpr, K: tl.constexpr, P: tl.constexpr):
    """Weights of four bits, two in a byte, with a scale for each row."""
    rows, inner, columns = tl.arange(0, M)[:, None], tl.arange(0, K), tl.arange(0, P)
    byte = tl.load(packed + columns[None, :] * (K // 2) + (inner // 2)[:, None])
    four = (byte >> ((inner % 2) * 4)[:, None]) & 15
    weight = (four.to(tl.int8) - 8).to(tl.float16) * tl.load(scale + columns)[None, :]
    v = tl.load(x + rows * K + inner[None, :])
    tl.store(out + rows * P + columns[None, :], tl.dot(v, weight))


@triton.jit
def scaled(a, sa, b, sb, out, M: tl.constexpr, K: tl.constexpr, KIND: tl.constexpr):
    i, k = tl.arange(0, M), tl.arange(0, K)
    s = tl.arange(0, K // 32)
    x = tl.load(a + i[:, None] * K + k[None, :])
    y = tl.load(b + k[:, None] * M + i[None, :])
    left, right = tl.load(sa + i[:, None] * (K // 32) + s[None, :]), tl.load(sb + i[:, None] * (K // 32) + s[None, :])
    tl.store(out + i[:, None] * M + i[None, :], tl.dot_scaled(x, left, KIND, y, right, KIND))


@triton.jit
def small_floats(x, y, out, M: tl.constexpr):
    i = tl.arange(0, M)
    place = i[:, None] * M + i[None, :]
    tl.store(out + place, tl.dot(tl.load(x + place), tl.load(y + place)))


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
def product(a, b, out, K, M: tl.constexpr, B: tl.constexpr, STAGES: tl.constexpr, SPECIAL: tl.constexpr):
    i, k = tl.arange(0, M), tl.arange(0, B)
    acc = tl.zeros((M, M), tl.float32)
    for at in tl.range(0, K, B, num_stages=STAGES, warp_specialize=SPECIAL):
        x = tl.load(a + i[:, None] * K + (at + k)[None, :], mask=(at + k)[None, :] < K, other=0.0)
        y = tl.load(b + (at + k)[:, None] * M + i[None, :], mask=(at + k)[:, None] < K, other=0.0)
        acc = tl.dot(x, y, acc)
    tl.store(out + i[:, None] * M + i[None, :], acc)


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
    v = tl.load(x + at, cache_modifier=".cg", eviction_policy="evict_last")
    w = tl.load(y + at, volatile=True, eviction_policy="evict_first")
    tl.assume(B > 1)
    tl.store(out + at, v + w, cache_modifier=".cs")


@triton.jit
def parity(x, out, M: tl.constexpr, B: tl.constexpr):
    place = tl.arange(0, M)[:, None] * B + tl.arange(0, B)[None, :]
    v = tl.load(x + place)
    tl.store(out + tl.arange(0, M), tl.xor_sum(v, 1) + tl.umulhi(tl.sum(v, 1).to(tl.uint32), 1 << 31).to(tl.int32))


@triton.jit
def backwards(x, out, B: tl.constexpr):
    at = tl.arange(0, B)
    v = tl.load(x + at)
    tl.store(out + at, tl.flip(v, 0) + tl.cumsum(v, 0, reverse=True))


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


def vector(*more: str, n: int = N, dtype: torch.dtype = torch.float32) -> Arguments:
    given: Arguments = {name: torch.randn(n).to(dtype) for name in ("x", *more)}
    return given | {"out": torch.zeros(n, dtype=dtype), "B": n}


def matrix(m: int = 8, n: int = 64) -> Arguments:
    return {"x": torch.randn(m, n), "out": torch.zeros(m, n), "M": m, "B": n}


def _segments(a: Arguments) -> dict[str, torch.Tensor]:
    total, out = 0.0, []
    for value, flag in zip(a["x"].tolist(), a["flags"].tolist(), strict=True):
        total = value if flag else total + value
        out.append(total)
    return {"out": torch.tensor(out)}


def _apart(a: Arguments) -> dict[str, torch.Tensor]:
    v, w = a["x"].double(), a["y"].double()
    v, w = v * v + w, v - w
    return {"out": v * v + w + (v - w)}


def _steps(n: int) -> int:
    return 0 if n <= 1 else 1 + _steps(n // 2 if n % 2 == 0 else 3 * n + 1)


def _four(a: Arguments) -> torch.Tensor:
    """Weights by row and column."""
    both = torch.stack([a["packed"] & 15, a["packed"] >> 4], 2).flatten(1).to(torch.int8) - 8
    return (both.half() * a["scale"][:, None]).T


def _mx(kind: str, dtype: torch.dtype) -> Case:
    def made() -> Arguments:
        a, b = torch.randn(32, 64).to(dtype), torch.randn(64, 32).to(dtype)
        sa, sb = (torch.randint(120, 132, (32, 2), dtype=torch.uint8) for _ in range(2))
        given = {"a": a, "b": b, "sa": sa, "sb": sb, "out": torch.zeros(32, 32)}
        return given | {"M": 32, "K": 64, "KIND": kind}

    def truth(a: Arguments) -> dict[str, torch.Tensor]:
        left = a["a"].double() * torch.exp2(a["sa"].double() - 127).repeat_interleave(32, 1)
        right = a["b"].double() * torch.exp2(a["sb"].double() - 127).repeat_interleave(32, 1).T
        return {"out": left @ right}

    return Case(f"dot_scaled_{kind}", scaled, (1,), made, truth, 1e-2, target=89)


def _fp8(dtype: torch.dtype) -> Case:
    name = str(dtype).removeprefix("torch.float8_")
    return Case(
        f"dot_small_{name}",
        small_floats,
        (1,),
        lambda: {
            "x": torch.randn(32, 32).to(dtype),
            "y": torch.randn(32, 32).to(dtype),
            "out": torch.zeros(32, 32),
            "M": 32,
        },
        lambda a: {"out": a["x"].double() @ a["y"].double()},
        1e-6,
        target=89,
    )


def _product(
    name: str, dtype: torch.dtype, error: float, stages: int = 3, *, special: bool = False, **options: int
) -> Case:
    return Case(
        f"product_{name}",
        product,
        (1,),
        lambda: {
            "a": torch.randn(32, 100).to(dtype),
            "b": torch.randn(100, 32).to(dtype),
            "out": torch.zeros(32, 32),
            "K": 100,
            "M": 32,
            "B": 32,
            "STAGES": stages,
            "SPECIAL": special,
        },
        lambda a: {"out": a["a"].double() @ a["b"].double()},
        error,
        options=options,
    )


CASES = [
    Case(
        "segmented_scan",
        segmented,
        (1,),
        lambda: vector() | {"flags": (torch.rand(N) < 0.1).int()},
        _segments,
        1e-6,
    ),
    Case(
        "reduce_pairs",
        best,
        (1,),
        lambda: matrix() | {"x": torch.randint(0, 9, (8, 64)).float(), "out": torch.zeros(8, dtype=torch.int32)},
        lambda a: {"out": torch.tensor([row.tolist().index(row.max()) for row in a["x"]])},
    ),
    Case(
        "gather_rows",
        gathered,
        (1,),
        lambda: matrix() | {"index": torch.randint(0, 64, (8, 64)).int()},
        lambda a: {"out": a["x"].gather(1, a["index"].long())},
    ),
    Case(
        "histogram_masked",
        counted,
        (1,),
        lambda: {"x": torch.randint(0, 16, (N,)).int(), "out": torch.zeros(16).int(), "n": 300, "B": N, "BINS": 16},
        lambda a: {"out": torch.bincount(a["x"][:300], minlength=16)},
    ),
    Case("sort_each_row_down", descending, (1,), matrix, lambda a: {"out": a["x"].sort(1, descending=True).values}),
    Case(
        "topk_rows",
        largest,
        (1,),
        lambda: matrix() | {"out": torch.zeros(8, 4), "K": 4},
        lambda a: {"out": a["x"].topk(4).values},
    ),
    Case(
        "split_and_join",
        pairs,
        (1,),
        lambda: vector() | {"out": torch.zeros(2 * N)},
        lambda a: {
            "out": torch.cat(
                [
                    a["x"].view(-1, 2).flip(1).flatten(),
                    torch.stack([a["x"][0::2] + a["x"][1::2], a["x"][0::2] - a["x"][1::2]], 1).flatten(),
                ]
            )
        },
    ),
    Case(
        "cat_sum",
        joined,
        (1,),
        lambda: vector("y") | {"out": torch.zeros(1)},
        lambda a: {"out": (a["x"].double().square().sum() + a["y"].double().square().sum())[None]},
        1e-6,
    ),
    Case("device_print", printed, (1,), vector, lambda a: {"out": a["x"] + 1}),
    Case("device_assert", asserted, (1,), vector, lambda a: {"out": a["x"] + 1}),
    Case("device_assert_on", asserted, (1,), vector, lambda a: {"out": a["x"] + 1}, options={"debug": True}),
    Case(
        "dot_int4",
        unpacked,
        (1,),
        lambda: {
            "x": torch.randn(16, 64).half(),
            "packed": torch.randint(0, 256, (32, 32), dtype=torch.uint8),
            "scale": torch.rand(32).half(),
            "out": torch.zeros(16, 32),
            "M": 16,
            "K": 64,
            "P": 32,
        },
        lambda a: {"out": a["x"].double() @ _four(a).double()},
        1e-6,
    ),
    _mx("e4m3", torch.float8_e4m3fn),
    _mx("e5m2", torch.float8_e5m2),
    _fp8(torch.float8_e4m3fn),
    _fp8(torch.float8_e5m2),
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
    *[_product(f"stages_{stages}", torch.float16, 1e-6, stages) for stages in (1, 2, 4, 5)],
    _product("warps_8", torch.bfloat16, 1e-6, num_warps=8),
    _product("specialized", torch.float16, 1e-6, special=True),
    _product("tf32", torch.float32, 2e-3),
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
        "xor_and_high_product",
        parity,
        (1,),
        lambda: {
            "x": torch.randint(0, 1 << 20, (8, 64)).int(),
            "out": torch.zeros(8, dtype=torch.int32),
            "M": 8,
            "B": 64,
        },
        lambda a: {
            "out": torch.tensor([_parity(row) + sum(row) // 2 for row in a["x"].tolist()]),
        },
    ),
    Case(
        "flip_and_reverse_scan",
        backwards,
        (1,),
        vector,
        lambda a: {"out": a["x"].double().flip(0) + a["x"].double().flip(0).cumsum(0).flip(0)},
        1e-6,
    ),
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


def _parity(values: list[int]) -> int:
    result = 0
    for value in values:
        result ^= value
    return result


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
