"""Products of packed, scaled and small numbers, and of blocks that are loaded ahead."""

import torch
import triton
import triton.language as tl

from tests.plugins.ptx.harness import Arguments, Case


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
def product(a, b, out, K, M: tl.constexpr, B: tl.constexpr, STAGES: tl.constexpr, SPECIAL: tl.constexpr):
    i, k = tl.arange(0, M), tl.arange(0, B)
    acc = tl.zeros((M, M), tl.float32)
    for at in tl.range(0, K, B, num_stages=STAGES, warp_specialize=SPECIAL):
        x = tl.load(a + i[:, None] * K + (at + k)[None, :], mask=(at + k)[None, :] < K, other=0.0)
        y = tl.load(b + (at + k)[:, None] * M + i[None, :], mask=(at + k)[:, None] < K, other=0.0)
        acc = tl.dot(x, y, acc)
    tl.store(out + i[:, None] * M + i[None, :], acc)


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
    *[_product(f"stages_{stages}", torch.float16, 1e-6, stages) for stages in (1, 2, 4, 5)],
    _product("warps_8", torch.bfloat16, 1e-6, num_warps=8),
    _product("specialized", torch.float16, 1e-6, special=True),
    _product("tf32", torch.float32, 2e-3),
]
