"""Elements that are scanned in pairs, selected, sorted, counted, gathered, split and joined."""

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
def parity(x, out, M: tl.constexpr, B: tl.constexpr):
    place = tl.arange(0, M)[:, None] * B + tl.arange(0, B)[None, :]
    v = tl.load(x + place)
    tl.store(out + tl.arange(0, M), tl.xor_sum(v, 1) + tl.umulhi(tl.sum(v, 1).to(tl.uint32), 1 << 31).to(tl.int32))


@triton.jit
def backwards(x, out, B: tl.constexpr):
    at = tl.arange(0, B)
    v = tl.load(x + at)
    tl.store(out + at, tl.flip(v, 0) + tl.cumsum(v, 0, reverse=True))


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
]


def _parity(values: list[int]) -> int:
    result = 0
    for value in values:
        result ^= value
    return result
