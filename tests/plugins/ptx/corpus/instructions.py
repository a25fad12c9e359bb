"""Makers of cases of one text of inline assembly each: on 32-bit numbers, to 64 bits, on floats, on memory."""

from collections.abc import Callable

import torch
import triton
import triton.language as tl

from tests.plugins.ptx.harness import Arguments, Case

N = 128
LANES = torch.arange(N) % 32
MASK = 0xFFFFFFFF


@triton.jit
def two(x, y, out, TEXT: tl.constexpr, CONSTRAINTS: tl.constexpr, B: tl.constexpr):
    at = tl.arange(0, B)
    a, b = tl.load(x + at), tl.load(y + at)
    result = tl.inline_asm_elementwise(TEXT, CONSTRAINTS, [a, b], dtype=out.dtype.element_ty, is_pure=False, pack=1)
    tl.store(out + at, result)


@triton.jit
def addressed(x, y, out, TEXT: tl.constexpr, B: tl.constexpr):
    at = tl.arange(0, B)
    result = tl.inline_asm_elementwise(
        TEXT, "=r,l,l,r", [x + at, out + at, tl.load(y + at)], dtype=tl.int32, is_pure=False, pack=1
    )
    tl.store(y + at, result)


def unsigned(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.long() & MASK


def signed(tensor: torch.Tensor) -> torch.Tensor:
    """The 32 lowest bits as a signed number."""
    low = tensor.long() & MASK
    return torch.where(low >= 2**31, low - 2**32, low).int()


def each(function: Callable[[int, int], int]) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """A function of two unsigned numbers, for each pair."""

    def of(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        pairs = zip(unsigned(a).tolist(), unsigned(b).tolist(), strict=True)
        return torch.tensor([function(one, other) for one, other in pairs])

    return of


def whole(dtype: torch.dtype = torch.int32) -> Callable[[], Arguments]:
    def made() -> Arguments:
        x, y = (torch.randint(-(2**31), 2**31, (N,)).int() for _ in range(2))
        x[:6] = torch.tensor([0, 1, -1, 2**31 - 1, -(2**31), 255])
        y[:6] = torch.tensor([0, -1, 1, -(2**31), -(2**31), 7])
        return {"x": x, "y": y, "out": torch.zeros(N, dtype=dtype), "B": N}

    return made


def bits(name: str, text: str, truth: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Case:
    """One instruction on 32-bit numbers."""
    return Case(
        f"asm_{name}",
        two,
        (1,),
        lambda: whole()() | {"TEXT": text, "CONSTRAINTS": "=r,r,r"},
        lambda a: {"out": signed(truth(a["x"], a["y"]))},
    )


def wide(name: str, text: str, truth: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Case:
    """One that makes 64 bits of 32."""
    return Case(
        f"asm_{name}",
        two,
        (1,),
        lambda: whole(torch.int64)() | {"TEXT": text, "CONSTRAINTS": "=l,r,r"},
        lambda a: {"out": truth(a["x"], a["y"])},
    )


def floats(
    name: str,
    text: str,
    truth: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    error: float = 0,
    target: int = 80,
) -> Case:
    """One on float32."""

    def made() -> Arguments:
        x, y = torch.randn(N), torch.randn(N)
        x[:4] = torch.tensor([0.0, -0.0, float("nan"), 1e-40])
        y[:4] = torch.tensor([-0.0, 0.0, 1.0, float("inf")])
        return {"x": x, "y": y, "out": torch.zeros(N), "B": N, "TEXT": text, "CONSTRAINTS": "=f,f,f"}

    return Case(f"asm_{name}", two, (1,), made, lambda a: {"out": truth(a["x"], a["y"])}, error, target)


def memory(name: str, text: str, truth: Callable[[Arguments], dict[str, torch.Tensor]]) -> Case:
    """One that gets the address of an element of x and of out, and the value of y, and gives the next value of y."""

    def made() -> Arguments:
        x, y = (torch.randint(0, 1000, (N,)).int() for _ in range(2))
        return {"x": x, "y": y, "out": torch.randint(0, 1000, (N,)).int(), "TEXT": text, "B": N}

    return Case(f"asm_{name}", addressed, (1,), made, truth)
