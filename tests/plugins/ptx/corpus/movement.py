"""Moving elements: reshaping, transposing, joining, gathering, descriptors, strides."""

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from tests.plugins.ptx.harness import Case

B = 256


@triton.jit
def transpose(x, out, m, n, M: tl.constexpr, N: tl.constexpr):
    rows, columns = tl.program_id(0) * M + tl.arange(0, M), tl.program_id(1) * N + tl.arange(0, N)
    v = tl.load(x + rows[:, None] * n + columns[None, :], (rows[:, None] < m) & (columns[None, :] < n))
    tl.store(out + columns[:, None] * m + rows[None, :], tl.trans(v), (columns[:, None] < n) & (rows[None, :] < m))


@triton.jit
def permute(x, out, A: tl.constexpr, C: tl.constexpr, D: tl.constexpr):
    a, c, d = tl.arange(0, A), tl.arange(0, C), tl.arange(0, D)
    v = tl.load(x + a[:, None, None] * C * D + c[None, :, None] * D + d[None, None, :])
    tl.store(out + d[:, None, None] * A * C + a[None, :, None] * C + c[None, None, :], tl.permute(v, (2, 0, 1)))


@triton.jit
def reshape(x, out, B: tl.constexpr):
    v = tl.reshape(tl.load(x + tl.arange(0, B)), (B // 16, 16))
    tl.store(out + tl.arange(0, B // 16), tl.sum(v, 1))


@triton.jit
def interleave(x, y, out, B: tl.constexpr):
    at = tl.arange(0, B)
    tl.store(out + tl.arange(0, 2 * B), tl.interleave(tl.load(x + at), tl.load(y + at)))


@triton.jit
def rotate_pairs(x, cos, sin, out, B: tl.constexpr):
    at = tl.arange(0, B)
    row = tl.program_id(0)
    even, odd = tl.split(tl.reshape(tl.load(x + row * 2 * B + tl.arange(0, 2 * B)), (B, 2)))
    c, s = tl.load(cos + at), tl.load(sin + at)
    turned = tl.join(even * c - odd * s, even * s + odd * c)
    tl.store(out + row * 2 * B + tl.arange(0, 2 * B), tl.reshape(turned, (2 * B,)))


@triton.jit
def concatenate(x, y, out, B: tl.constexpr):
    at = tl.arange(0, B)
    tl.store(out + tl.arange(0, 2 * B), tl.sort(tl.cat(tl.load(x + at), tl.load(y + at), can_reorder=True)))


@triton.jit
def gather(x, index, out, B: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, B)
    v = tl.load(x + row * B + at)
    tl.store(out + row * B + at, tl.gather(v, tl.load(index + row * B + at), 0))


@triton.jit
def broadcast(x, y, out, M: tl.constexpr, N: tl.constexpr):
    rows, columns = tl.arange(0, M), tl.arange(0, N)
    v = tl.broadcast_to(tl.load(x + rows)[:, None], (M, N)) - tl.expand_dims(tl.load(y + columns), 0)
    tl.store(out + rows[:, None] * N + columns[None, :], v)


@triton.jit
def descriptor(source, goal, M: tl.constexpr, N: tl.constexpr):
    row, column = tl.program_id(0) * M, tl.program_id(1) * N
    goal.store([row, column], source.load([row, column]) * 2)


@triton.jit
def made_descriptor(x, out, m, n, M: tl.constexpr, N: tl.constexpr):
    source = tl.make_tensor_descriptor(x, shape=[m, n], strides=[n, 1], block_shape=[M, N])
    goal = tl.make_tensor_descriptor(out, shape=[m, n], strides=[n, 1], block_shape=[M, N])
    row, column = tl.program_id(0) * M, tl.program_id(1) * N
    goal.store([row, column], source.load([row, column]) + 1)


def two(shape=(40, 50)):
    return {
        "x": torch.randn(*shape),
        "out": torch.zeros(shape[1], shape[0]),
        "m": shape[0],
        "n": shape[1],
        "M": 32,
        "N": 32,
    }


def described():
    x, out = torch.randn(64, 48), torch.zeros(64, 48)
    return {
        "source": TensorDescriptor(x, [64, 48], [48, 1], [32, 16]),
        "goal": TensorDescriptor(out, [64, 48], [48, 1], [32, 16]),
        "M": 32,
        "N": 16,
    }


def turned(a):
    even, odd = a["x"][:, 0::2].double(), a["x"][:, 1::2].double()
    c, s = a["cos"].double(), a["sin"].double()
    return {"out": torch.stack([even * c - odd * s, even * s + odd * c], 2).flatten(1)}


def vectors():
    return {"x": torch.randn(B), "y": torch.randn(B), "out": torch.zeros(2 * B), "B": B}


CASES = [
    Case("transpose", transpose, (2, 2), two, lambda a: {"out": a["x"].T}),
    Case(
        "transpose_int8",
        transpose,
        (2, 2),
        lambda: {
            **two(),
            "x": torch.randint(-9, 9, (40, 50), dtype=torch.int8),
            "out": torch.zeros(50, 40, dtype=torch.int8),
        },
        lambda a: {"out": a["x"].T},
    ),
    Case(
        "permute",
        permute,
        (1,),
        lambda: {"x": torch.randn(8, 16, 4).half(), "out": torch.zeros(4, 8, 16).half(), "A": 8, "C": 16, "D": 4},
        lambda a: {"out": a["x"].permute(2, 0, 1)},
    ),
    Case(
        "reshape",
        reshape,
        (1,),
        lambda: {"x": torch.randint(0, 9, (B,)).float(), "out": torch.zeros(B // 16), "B": B},
        lambda a: {"out": a["x"].view(-1, 16).sum(1)},
    ),
    Case("interleave", interleave, (1,), vectors, lambda a: {"out": torch.stack([a["x"], a["y"]], 1).flatten()}),
    Case(
        "rotary",
        rotate_pairs,
        (3,),
        lambda: {
            "x": torch.randn(3, 64),
            "cos": torch.rand(32),
            "sin": torch.rand(32),
            "out": torch.zeros(3, 64),
            "B": 32,
        },
        turned,
        1e-6,
    ),
    Case("concatenate", concatenate, (1,), vectors, lambda a: {"out": torch.cat([a["x"], a["y"]]).sort().values}),
    Case(
        "gather",
        gather,
        (3,),
        lambda: {
            "x": torch.randn(3, 128),
            "index": torch.randint(0, 128, (3, 128), dtype=torch.int32),
            "out": torch.zeros(3, 128),
            "B": 128,
        },
        lambda a: {"out": a["x"].gather(1, a["index"].long())},
    ),
    Case(
        "broadcast",
        broadcast,
        (1,),
        lambda: {"x": torch.randn(16), "y": torch.randn(64), "out": torch.zeros(16, 64), "M": 16, "N": 64},
        lambda a: {"out": a["x"][:, None] - a["y"]},
    ),
    Case(
        "descriptor_made",
        made_descriptor,
        (2, 4),
        lambda: {"x": torch.randn(40, 52), "out": torch.zeros(40, 52), "m": 40, "n": 52, "M": 32, "N": 16},
        lambda a: {"out": a["x"] + 1},
    ),
]
