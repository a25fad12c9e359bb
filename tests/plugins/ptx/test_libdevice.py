"""Kernels that use NVIDIA's library give the same PTX with the common part of it as with all."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import triton
import triton.language as tl
from triton._C.libtriton import llvm
from triton.language.extra.cuda import libdevice

from kbtools_plugins.ptx.compile import compile_kernel, read_less_of_libdevice
from kbtools_plugins.ptx.libdevice import BINARY, UNARY


@triton.jit
def unary(out, n: tl.constexpr):
    x = tl.load(out + tl.arange(0, n))
    total = x
    total += libdevice.ceil(x)
    total += libdevice.cos(x)
    total += libdevice.cosh(x)
    total += libdevice.erf(x)
    total += libdevice.exp(x)
    total += libdevice.expm1(x)
    total += libdevice.abs(x)
    total += libdevice.floor(x)
    total += libdevice.sqrt_rn(x)
    total += libdevice.log10(x)
    total += libdevice.log1p(x)
    total += libdevice.log2(x)
    total += libdevice.log(x)
    total += libdevice.rint(x)
    total += libdevice.round(x)
    total += libdevice.rsqrt(x)
    total += libdevice.sin(x)
    total += libdevice.sinh(x)
    total += libdevice.sqrt(x)
    total += libdevice.tanh(x)
    total += libdevice.trunc(x)
    tl.store(out + tl.arange(0, n), total)


@triton.jit
def binary(out, n: tl.constexpr):
    x = tl.load(out + tl.arange(0, n))
    total = libdevice.atan2(x, 2.5) + libdevice.fmod(x, 0.3) + libdevice.pow(x, 1.7)
    tl.store(out + tl.arange(0, n), total)


@triton.jit
def logarithm(out, n: tl.constexpr):
    x = tl.load(out + tl.arange(0, n))
    tl.store(out + tl.arange(0, n), tl.log(tl.abs(x)) + tl.erf(x) + tl.sin(x))


@triton.jit
def rare(out, n: tl.constexpr):
    x = tl.load(out + tl.arange(0, n))
    tl.store(out + tl.arange(0, n), libdevice.lgamma(x) + libdevice.log(x))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the libraries that were read."""
    found: list[str] = []
    whole = llvm.link_extern_libs

    def link(module: Any, paths: list[str]) -> None:
        found.extend(path.rpartition("/")[2] for path in paths)
        whole(module, paths)

    monkeypatch.setattr(llvm, "link_extern_libs", link)
    return found


@pytest.mark.parametrize("target", [80, 90])
@pytest.mark.parametrize(
    ("kernel", "enough"),
    [(unary, True), (binary, True), (logarithm, True), (rare, False)],
    ids=lambda found: str(found),
)
def test_the_common_part_gives_the_ptx_of_the_whole_library(
    kernel: Any, enough: bool, target: int, read: list[str]
) -> None:
    """`rare` calls a function that is not in it, so that the whole library is read."""
    arguments = {"out": torch.empty(64), "n": 64}
    whole = compile_kernel(kernel, arguments, {}, target)
    read_less_of_libdevice()
    read.clear()
    part = compile_kernel(kernel, arguments, {}, target)
    assert read == ["common.ll" if enough else "libdevice.10.bc"]
    assert part.text == whole.text
    assert part.fused == whole.fused


def test_the_kernels_call_every_function_of_the_common_part() -> None:
    """A function that is added there is compared here, too."""
    used = [line for kernel in (unary, binary) for line in kernel.src.split("libdevice.")[1:]]
    names = {line.partition("(")[0] for line in used}
    assert len(names) == len(UNARY) + len(BINARY)
