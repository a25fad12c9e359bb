"""Rows for the benchmark of the report, made of text that compresses as real rows do.

PyTorch code is functions and classes from the sources of installed packages; Triton code is written in the form of
Inductor's output, with its long equal heads, and with names, sizes and operations that differ; reasoning is paragraphs
of docstrings between lines of the row's own code. Functions and paragraphs are dealt like cards: none comes again
before all have come, which is farther apart than the packing looks back.
"""

from __future__ import annotations

import ast
import random
import re
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PACKAGES = ("torch/nn", "torch/distributed", "torch/distributions", "sklearn", "scipy", "matplotlib", "pandas", "numpy")
_HEAD = """import torch
from torch._inductor.select_algorithm import extern_kernels
import triton
import triton.language as tl
from torch._inductor.runtime.triton_heuristics import grid
from torch._C import _cuda_getCurrentRawStream as get_raw_stream
from torch._inductor.runtime.triton_helpers import libdevice
import torch.nn as nn
assert_size_stride = torch._C._dynamo.guards.assert_size_stride
empty_strided_cuda = torch._C._dynamo.guards._empty_strided_cuda
"""
_CALL = """

def call(args):
    {names}, = args
    args.clear()
    {checks}
    with torch.cuda._DeviceGuard(0):
        torch.cuda.set_device(0)
        buf0 = empty_strided_cuda(({shape}), ({stride}), torch.float32)
        stream0 = get_raw_stream(0)
{calls}
    return buf0,


class {module}New(nn.Module):

    def forward(self, {inputs}):
        output = call([{inputs}])
        return output[0]
"""
_STEPS = (
    "tmp{a} + tmp{b}", "tmp{a} * tmp{b}", "tmp{a} - tmp{b}", "tl.where(tmp{a} > {c}, tmp{a}, tmp{b})",
    "libdevice.tanh(tmp{a})", "libdevice.rsqrt(tmp{a} + {c})", "tl.sigmoid(tmp{a})", "tmp{a} * {c}",
)  # fmt: skip
_WORDS = ("add", "mul", "relu", "convolution", "mean", "sub", "exp", "tanh", "sigmoid", "div", "clamp", "native_layer")
_SHORTEST, _LONGEST = 400, 3_500


class Deck:
    """Texts in random order, each again only after all others."""

    def __init__(self, texts: Sequence[str], chance: random.Random) -> None:
        self._texts = chance.sample(list(texts), len(texts))
        self._place = -1

    def draw(self) -> str:
        """The next one."""
        self._place = (self._place + 1) % len(self._texts)
        return self._texts[self._place]


def pieces() -> tuple[list[str], list[str]]:
    """Functions and classes of some length without their docstrings, and the docstrings' paragraphs."""
    codes: dict[str, None] = {}
    paragraphs: dict[str, None] = {}
    for text in _sources():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree, lines = ast.parse(text), text.splitlines()
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                prose = ast.get_docstring(node) or ""
                paragraphs.update(dict.fromkeys(part for part in prose.split("\n\n") if len(part) > 80))
                code = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                code = code.replace(ast.get_docstring(node, clean=False) or "\0", "")
                codes.update({code: None} if _SHORTEST < len(code) < _LONGEST else {})
    return list(codes), list(paragraphs)


def _sources() -> Iterator[str]:
    for package in PACKAGES:
        for file in sorted(Path(sysconfig.get_paths()["purelib"], package).rglob("*.py")):
            yield file.read_text(encoding="utf-8", errors="replace")


def rows(count: int, reasoning: int) -> Iterator[dict[str, Any]]:
    """Rows in the layout of evals; `reasoning` is the median of its characters, 0 for none."""
    chance = random.Random(0)
    codes, paragraphs = (Deck(texts, chance) for texts in pieces())
    for n in range(count):
        code = codes.draw()
        found = re.search(r"(?:class|def) (\w+)", code)
        module = f"{found[1] if found else 'Module'}{n % 997}"
        triton = _triton(module, chance)
        thought = _reasoning(code, paragraphs, int(reasoning * chance.lognormvariate(0, 0.5)), chance)
        yield _row(n, {"module_name": module, "python_code": code, "triton_code": triton}, thought, paragraphs, chance)


def _row(n: int, info: dict[str, str], thought: str, paragraphs: Deck, chance: random.Random) -> dict[str, Any]:
    content = f"<answer>\n{_triton(info['module_name'], chance) if thought else info['triton_code']}\n</answer>"
    return {
        "example_id": n,
        "prompt": [{"role": "user", "content": f"Rewrite this module in Triton.\n\n{info['python_code']}"}],
        "completion": [{"role": "assistant", "content": content, "reasoning": thought or None}],
        "task": "kernelbook",
        "reward": chance.lognormvariate(0, 0.4) if chance.random() < 0.6 else 0.0,
        "info": info,
        "difficulty": chance.choice(("low", "medium", "high")),
        "style": round(chance.uniform(2, 9), 1),
        "evaluation_raw": paragraphs.draw(),
    }


def _reasoning(code: str, paragraphs: Deck, size: int, chance: random.Random) -> str:
    lines = [line for line in code.splitlines() if line.strip()]
    parts: list[str] = []
    while sum(map(len, parts)) < size:
        at = chance.randrange(len(lines))
        parts += [paragraphs.draw(), *lines[at : at + chance.randrange(4)]]
    return "\n\n".join(parts)


def _triton(module: str, chance: random.Random) -> str:
    kernels = range(chance.randrange(1, 4))
    inputs = [f"input_{place}" for place in range(chance.randrange(1, 4))]
    sizes = [2 ** chance.randrange(1, 8) for _ in range(4)]
    shape = ", ".join(map(str, sizes))
    stride = f"{sizes[1] * sizes[2] * sizes[3]}, {sizes[2] * sizes[3]}, {sizes[3]}, 1"
    checks = [f"assert_size_stride({name}, ({shape}), ({stride}))" for name in inputs]
    calls = [
        f"        triton_{k}[grid({2 ** chance.randrange(4, 20)})](buf0, XBLOCK={2 ** chance.randrange(5, 10)})"
        for k in kernels
    ]
    names = ", ".join(inputs)
    call = _CALL.format(
        names=names,
        checks="\n    ".join(checks),
        shape=shape,
        stride=stride,
        calls="\n".join(calls),
        module=module,
        inputs=names,
    )
    return _HEAD + "".join(_kernel(k, chance) for k in kernels) + call


def _kernel(number: int, chance: random.Random) -> str:
    inputs = chance.randrange(1, 5)
    pointers = ", ".join(f"in_ptr{place}" for place in range(inputs))
    name = "_".join(chance.sample(_WORDS, chance.randrange(1, 4)))
    lines = [
        f"\n\n@triton.jit\ndef triton_poi_fused_{name}_{number}({pointers}, out_ptr0, xnumel, XBLOCK: tl.constexpr):",
        f"    xnumel = {2 ** chance.randrange(4, 20)}",
        "    xoffset = tl.program_id(0) * XBLOCK",
        "    xindex = xoffset + tl.arange(0, XBLOCK)[:]",
        "    xmask = xindex < xnumel",
        f"    x0 = xindex % {2 ** chance.randrange(2, 9)}",
        f"    x1 = xindex // {2 ** chance.randrange(2, 9)}",
    ]
    for place in range(inputs):
        where = chance.choice(("x0", "x1", f"x0 + {2 ** chance.randrange(2, 9)} * x1"))
        lines.append(f"    tmp{place} = tl.load(in_ptr{place} + ({where}), xmask)")
    for place in range(inputs, inputs + chance.randrange(2, 10)):
        a, b = chance.randrange(place), chance.randrange(place)
        lines.append(f"    tmp{place} = {chance.choice(_STEPS).format(a=a, b=b, c=round(chance.random(), 3))}")
    return "\n".join([*lines, f"    tl.store(out_ptr0 + x0, tmp{inputs}, xmask)"])
