"""Kernels are taken out of a text as data: what may be in them, and what stays behind."""

from __future__ import annotations

import ast

import pytest

from kbtools_plugins.verify.candidate.kernels import KernelSource, extract

HEAD = "import triton\nimport triton.language as tl\nimport torch, os\n"


def _extract(body: str, head: str = HEAD) -> KernelSource:
    return extract(ast.parse(head + body))


def _kernel(line: str) -> str:
    return f"@triton.jit\ndef k(x_ptr, n, B: tl.constexpr):\n    at = tl.arange(0, B)\n    {line}\n"


def test_clean_module_has_kernels_and_their_constants_only() -> None:
    """Classes, wrappers, tuning and unused values stay behind."""
    body = (
        "C = tl.constexpr(4)\nUNUSED = os.getcwd()\n"
        "@triton.autotune(configs=[], key=[])\n@triton.jit\n"
        "def k(x_ptr, B: tl.constexpr):\n    tl.store(x_ptr, helper(C))\n"
        "@triton.jit\ndef helper(x):\n    return x + 1\n"
        "class Model(torch.nn.Module):\n    pass\n"
    )
    text = _extract(body).text
    assert "C = tl.constexpr(4)" in text
    assert "def helper" in text
    assert not any(word in text for word in ("autotune", "os", "class", "UNUSED"))


@pytest.mark.parametrize(
    "line",
    [
        "open('/etc/passwd')",
        "tl.core.builtins.print(1)",
        "triton.runtime.driver.active",
        "x_ptr.__class__",
        "x_ptr.handle",
        "import os",
        "torch.cuda.synchronize()",
        "getattr(tl, 'load')",
        "tl.math.__builtins__",
        "y = lambda: 1",
        "eval('1')",
        "helper = [c for c in ().__class__.__mro__]",
        "B.value = 1",
        "tl.exp = tl.log",
        "x_ptr[0] = 1",
        "at.append(1)",
    ],
)
def test_python_in_a_kernel_is_a_problem(line: str) -> None:
    """Whatever could reach beyond the kernel language is named with its line."""
    (kernel,) = _extract(_kernel(line)).kernels["k"]
    assert kernel.problems


@pytest.mark.parametrize(
    "line",
    [
        "tl.store(x_ptr + at, tl.load(x_ptr + at, mask=at < n).to(tl.float32))",
        "y = tl.math.exp(tl.load(x_ptr + at)).to(x_ptr.dtype.element_ty)",
        "for i in tl.static_range(4): at += i",
        "y = tl.zeros([B], dtype=tl.float32).sum(axis=0) * math.pi",
        "tl.atomic_add(x_ptr + at, min(n, 3), mask=at[:] < n, sem='relaxed')",
    ],
)
def test_the_kernel_language_is_no_problem(line: str) -> None:
    """Ordinary kernels are free of problems."""
    (kernel,) = _extract(_kernel(line)).kernels["k"]
    assert kernel.problems == []


def test_problems_of_called_kernels_count() -> None:
    """A kernel is as clean as what it calls."""
    source = _extract("@triton.jit\ndef inner(x):\n    return open(x)\n" + _kernel("inner(at)"))
    assert source.kernels["k"][0].problems


def test_kernels_of_one_name_are_told_apart_by_line() -> None:
    """Two definitions, two clean names."""
    source = _extract(_kernel("tl.store(x_ptr + at, 1)") + _kernel("tl.store(x_ptr + at, 2)"))
    first, second = source.kernels["k"]
    assert source.find("k", second.line) == second
    assert first.clean_name != second.clean_name


def test_copies_and_writes_are_seen() -> None:
    """Whether a kernel only copies, and through which parameter it writes."""
    copy = "@triton.jit\ndef k(a_ptr, b_ptr):\n    v = tl.load(a_ptr)\n    p = b_ptr + 1\n    tl.store(p, v)\n"
    (kernel,) = _extract(copy).kernels["k"]
    assert kernel.only_copies
    assert kernel.written == ["b_ptr"]


def test_aliases_of_jit_and_language_are_followed() -> None:
    """Kernels are found under whatever names were imported."""
    head = "from triton import jit as compiled\nimport triton.language as T\n"
    source = _extract("@compiled\ndef k(x, B: T.constexpr):\n    T.store(x, B)\n", head)
    assert "tl.store(x, B)" in source.text
