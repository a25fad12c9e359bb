"""Launches on the PTX machine beside Triton's interpreter, in one run: processor time of the launch alone.

    python benchmarks/ptx_machine.py [--large]

The machine runs in numpy alone and in C in turns. The interpreter has to be chosen before Triton is imported, so that
it runs in a child of this script. `--large` adds launches that the interpreter does not get.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INTERPRETED = "--interpreted" in sys.argv
if INTERPRETED:
    os.environ["TRITON_INTERPRET"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import machine
import torch
import triton
import triton.language as tl


@triton.jit
def add(x, y, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    tl.store(out + at, tl.load(x + at, mask=inside) + tl.load(y + at, mask=inside), mask=inside)


@triton.jit
def softmax(x, out, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    value = tl.load(x + row * columns + at, mask=at < columns, other=-float("inf"))
    e = tl.exp(value - tl.max(value, 0))
    tl.store(out + row * columns + at, e / tl.sum(e, 0), mask=at < columns)


@triton.jit
def matmul(a, b, c, size, BLOCK: tl.constexpr, DEPTH: tl.constexpr):
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK, BLOCK), tl.float32)
    for start in range(0, size, DEPTH):
        k = start + tl.arange(0, DEPTH)
        left = tl.load(a + rows[:, None] * size + k[None])
        total = tl.dot(left, tl.load(b + k[:, None] * size + columns[None]), total)
    tl.store(c + rows[:, None] * size + columns[None], total)


@triton.jit
def matmul_ieee(a, b, c, size, BLOCK: tl.constexpr, DEPTH: tl.constexpr):
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK, BLOCK), tl.float32)
    for start in range(0, size, DEPTH):
        k = start + tl.arange(0, DEPTH)
        left = tl.load(a + rows[:, None] * size + k[None])
        right = tl.load(b + k[:, None] * size + columns[None])
        total = tl.dot(left, right, total, input_precision="ieee")
    tl.store(c + rows[:, None] * size + columns[None], total)


@triton.jit
def running_sum(x, out, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    value = tl.cumsum(tl.load(x + row * columns + at, mask=at < columns, other=0.0), 0)
    tl.store(out + row * columns + at, value, mask=at < columns)


@triton.jit
def long_loop(x, out, columns, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), tl.float32)
    for number in range(columns * 100):
        total = total * 0.5 + tl.load(x + at) * number
    tl.store(out + at, total)


@dataclass(frozen=True)
class Launch:
    """A kernel, its grid and its arguments."""

    name: str
    kernel: Any
    grid: tuple[int, ...]
    arguments: Callable[[], dict[str, Any]]


def rows(count: int, width: int) -> Callable[[], dict[str, Any]]:
    """Arguments of a kernel that works row by row."""
    block = triton.next_power_of_2(width)
    return lambda: {
        "x": torch.randn(count, width), "out": torch.empty(count, width), "columns": width, "BLOCK": block
    }  # fmt: skip


def square(size: int, dtype: torch.dtype, block: int) -> Callable[[], dict[str, Any]]:
    """Arguments of a matmul."""

    def make() -> dict[str, Any]:
        a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
        return {"a": a, "b": b, "c": torch.empty(size, size), "size": size, "BLOCK": block, "DEPTH": 32}

    return make


def sums(count: int) -> Callable[[], dict[str, Any]]:
    """Arguments of an addition."""
    return lambda: {
        "x": torch.randn(count), "y": torch.randn(count), "out": torch.empty(count), "n": count, "BLOCK": 1024
    }  # fmt: skip


SMALL = [
    Launch("add 262144", add, (256,), sums(262144)),
    Launch("softmax 256x1000", softmax, (256,), rows(256, 1000)),
    Launch("cumsum 64x512", running_sum, (64,), rows(64, 512)),
    Launch("matmul fp32 256", matmul, (4, 4), square(256, torch.float32, 64)),
    Launch("matmul bf16 256", matmul, (4, 4), square(256, torch.bfloat16, 64)),
]
LARGE = [
    Launch("matmul ieee 512", matmul_ieee, (8, 8), square(512, torch.float32, 64)),
    Launch("add 16777216", add, (16384,), sums(1 << 24)),
    Launch("softmax 16384x1024", softmax, (16384,), rows(16384, 1024)),
    Launch("matmul bf16 1024", matmul, (8, 8), square(1024, torch.bfloat16, 128)),
]


def interpreted(launch: Launch) -> float:
    """Seconds in Triton's interpreter."""
    arguments = launch.arguments()
    start = time.process_time()
    launch.kernel[launch.grid](**arguments)
    return time.process_time() - start


def choose(machine: str) -> None:
    """The machine that runs from now on; it is loaded before anything is measured."""
    from kbtools_plugins.ptx.native import library

    os.environ.pop(library.CACHE, None)
    if machine == "numpy":
        os.environ[library.CACHE] = ""
    library.found.cache_clear()
    library.library.cache_clear()
    library.library()


def executed(launch: Launch, checks: bool, machine: str) -> float:
    """Seconds on the machine, without compiling, parsing and decoding."""
    from kbtools_plugins.ptx.compile import compile_kernel
    from kbtools_plugins.ptx.launch import Buffer, load
    from kbtools_plugins.ptx.launch import launch as run

    choose(machine)
    arguments = launch.arguments()
    compiled = compile_kernel(launch.kernel, arguments)
    load(compiled.text, compiled.name)
    given = [arguments[name] for name, kind in compiled.parameters.items() if kind != "constexpr"]
    values = [
        Buffer("tensor", value.view(torch.uint8).numpy().reshape(-1)) if isinstance(value, torch.Tensor) else value
        for value in given
    ]
    report = run(
        compiled.text,
        compiled.name,
        grid=launch.grid,
        arguments=values,
        num_warps=compiled.num_warps,
        shared_bytes=compiled.shared_bytes,
        check_races=checks,
        poison=checks,
    )
    return report.seconds


def beside() -> dict[str, float]:
    """The interpreter's seconds, from a child."""
    command = [sys.executable, __file__, "--interpreted"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main() -> None:
    """Prints a table and writes results/ptx_machine.json."""
    torch.manual_seed(0)
    if INTERPRETED:
        interpreted(SMALL[0])
        print(json.dumps({launch.name: min(interpreted(launch) for _ in range(2)) for launch in SMALL}))
        return
    other, found = beside(), []
    for launch in SMALL + (LARGE if "--large" in sys.argv else []):
        best: dict[str, float] = {}
        for _ in range(3):
            for name in ("numpy", "C"):
                for checks in (False, True):
                    key = f"{name}, checked" if checks else name
                    best[key] = min(best.get(key, float("inf")), executed(launch, checks, name))
        found.append({"launch": launch.name, **best, "interpreter": other.get(launch.name)})
        print(launch.name, *(f"{name} {1e3 * seconds:.1f} ms" for name, seconds in best.items()),
              f"interpreter {1e3 * other.get(launch.name, float('nan')):.1f} ms", sep="; ", flush=True)  # fmt: skip
    machine.write("ptx_machine", {"launches": found})


if __name__ == "__main__":
    main()
