"""Atomics of each kind, and programs that wait for each other."""

import torch
import triton
import triton.language as tl

from tests.plugins.ptx.harness import Case

N, BINS = 600, 16


@triton.jit
def add_at(x, index, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    tl.atomic_add(out + tl.load(index + at, at < n, other=0), tl.load(x + at, at < n), at < n)


@triton.jit
def others(x, index, largest, smallest, both, either, odd, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    where, v = tl.load(index + at, at < n, other=0), tl.load(x + at, at < n, other=0)
    tl.atomic_max(largest + where, v, at < n)
    tl.atomic_min(smallest + where, v, at < n)
    tl.atomic_and(both + where, v, at < n)
    tl.atomic_or(either + where, v, at < n)
    tl.atomic_xor(odd + where, v, at < n)


@triton.jit
def largest_float(x, index, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    tl.atomic_max(out + tl.load(index + at, at < n, other=0), tl.load(x + at, at < n), at < n)


@triton.jit
def sum_all(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    tl.atomic_add(out, tl.sum(tl.load(x + at, at < n, other=0.0)), sem="relaxed")


@triton.jit
def tickets(counter, out):
    ticket = tl.atomic_add(counter, 1)
    tl.store(out + ticket, ticket * ticket)


@triton.jit
def locked(x, total, lock, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + at, at < n, other=0.0)
    place = tl.arange(0, B)
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    tl.store(total + place, tl.load(total + place) + v)
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0)


@triton.jit
def last_sums(x, parts, counter, out, n, B: tl.constexpr, P: tl.constexpr):
    pid = tl.program_id(0)
    at = pid * B + tl.arange(0, B)
    tl.store(parts + pid, tl.sum(tl.load(x + at, at < n, other=0.0)))
    tl.debug_barrier()
    if tl.atomic_add(counter, 1) == tl.num_programs(0) - 1:
        tl.store(
            out,
            tl.sum(tl.load(parts + tl.arange(0, P), tl.arange(0, P) < tl.num_programs(0), other=0.0, volatile=True)),
        )


def data(dtype, **more):
    x = torch.randint(-100, 100, (N,)).to(dtype)
    return {"x": x, "index": torch.randint(0, BINS, (N,), dtype=torch.int32), **more, "n": N, "B": 256}


def summed(a):
    return {"out": torch.zeros(BINS, dtype=torch.float64).index_add(0, a["index"].long(), a["x"].double())}


def reduced(a, operation, start):
    out = [start] * BINS
    for where, value in zip(a["index"].tolist(), a["x"].tolist(), strict=True):
        out[where] = operation(out[where], value)
    return torch.tensor(out, dtype=torch.int32)


def zeros(dtype=torch.int32, value=0):
    return torch.full((BINS,), value, dtype=dtype)


GRID = (3,)

CASES = [
    *[
        Case(f"atomic_add_{str(t)[6:]}", add_at, GRID, lambda t=t: data(t, out=zeros(t)), summed)
        for t in (torch.float32, torch.float64, torch.int32, torch.int64)
    ],
    Case("atomic_add_float16", add_at, GRID, lambda: data(torch.float16, out=zeros(torch.float16)), summed),
    Case(
        "atomic_others",
        others,
        GRID,
        lambda: data(
            torch.int32,
            largest=zeros(value=-1000),
            smallest=zeros(value=1000),
            both=zeros(value=-1),
            either=zeros(),
            odd=zeros(),
        ),
        lambda a: {
            "largest": reduced(a, max, -1000),
            "smallest": reduced(a, min, 1000),
            "both": reduced(a, int.__and__, -1),
            "either": reduced(a, int.__or__, 0),
            "odd": reduced(a, int.__xor__, 0),
        },
    ),
    Case(
        "atomic_max_float",
        largest_float,
        GRID,
        lambda: data(torch.float32, out=zeros(torch.float32, -500)),
        lambda a: {"out": reduced(a, max, -500)},
    ),
    Case(
        "atomic_sum",
        sum_all,
        GRID,
        lambda: {"x": torch.randint(0, 9, (N,)).float(), "out": torch.zeros(1), "n": N, "B": 256},
        lambda a: {"out": a["x"].sum()[None]},
    ),
    Case(
        "tickets",
        tickets,
        (50,),
        lambda: {"counter": torch.zeros(1, dtype=torch.int32), "out": torch.zeros(50, dtype=torch.int32)},
        lambda a: {"out": torch.arange(50) ** 2, "counter": torch.tensor([50])},
    ),
    Case(
        "spin_lock",
        locked,
        GRID,
        lambda: {
            "x": torch.randint(0, 9, (N,)).float(),
            "total": torch.zeros(256),
            "lock": torch.zeros(1, dtype=torch.int32),
            "n": N,
            "B": 256,
        },
        lambda a: {"total": torch.nn.functional.pad(a["x"], (0, 768 - N)).view(3, 256).sum(0), "lock": torch.zeros(1)},
    ),
    Case(
        "last_program",
        last_sums,
        GRID,
        lambda: {
            "x": torch.randint(0, 9, (N,)).float(),
            "parts": torch.zeros(4),
            "counter": torch.zeros(1, dtype=torch.int32),
            "out": torch.zeros(1),
            "n": N,
            "B": 256,
            "P": 4,
        },
        lambda a: {"out": a["x"].sum()[None]},
    ),
]
