"""What the limits of a launch on the PTX machine rest on: how fast and how large it is, by threads that run at once.

    python benchmarks/ptx_limits.py [--rounds 3]

For each launch: instructions times threads per second of the processor with all checks, steps (instructions of the
machine) per second, and the largest memory per thread that runs at once, without the launch's buffers.
"""

from __future__ import annotations

import argparse
import tracemalloc
from typing import Any

import machine
import torch
from ptx_machine import Launch, add, long_loop, matmul, rows, running_sum, softmax, square, sums

from kbtools_plugins.ptx.compile import CompiledKernel, compile_kernel
from kbtools_plugins.ptx.launch import Buffer, LaunchReport, load
from kbtools_plugins.ptx.launch import launch as run
from kbtools_plugins.ptx.machine.limits import LaunchLimits

LAUNCHES = [
    Launch("add 4194304", add, (4096,), sums(1 << 22)),
    Launch("softmax 4096x1024", softmax, (4096,), rows(4096, 1024)),
    Launch("cumsum 1024x512", running_sum, (1024,), rows(1024, 512)),
    Launch("matmul bf16 512", matmul, (8, 8), square(512, torch.bfloat16, 64)),
    Launch("loop of one program", long_loop, (1,), rows(1, 128)),
]
LANES = [1 << power for power in range(12, 19)]


def executed(launch: Launch, compiled: CompiledKernel, arguments: dict[str, Any], lanes: int) -> LaunchReport:
    """One launch with all checks."""
    given = [arguments[name] for name, kind in compiled.parameters.items() if kind != "constexpr"]
    return run(
        compiled.text,
        compiled.name,
        grid=launch.grid,
        arguments=[
            Buffer("tensor", value.view(torch.uint8).numpy().reshape(-1)) if isinstance(value, torch.Tensor) else value
            for value in given
        ],
        num_warps=compiled.num_warps,
        shared_bytes=compiled.shared_bytes,
        limits=LaunchLimits(lanes=lanes),
    )


def peak(launch: Launch, compiled: CompiledKernel, arguments: dict[str, Any], lanes: int) -> int:
    """Bytes of Python's and numpy's memory that a launch needs at once, without marks of its buffers."""
    tracemalloc.start()
    executed(launch, compiled, arguments, lanes)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def measured(launch: Launch, lanes: int, rounds: int) -> dict[str, float | str]:
    """The figures of one launch with so many threads at once."""
    torch.manual_seed(0)
    arguments = launch.arguments()
    compiled = compile_kernel(launch.kernel, arguments)
    load(compiled.text, compiled.name)
    reports = [executed(launch, compiled, arguments, lanes) for _ in range(rounds)]
    best = min(reports, key=lambda report: report.seconds)
    threads = 32 * compiled.num_warps
    count = 1
    for size in launch.grid:
        count *= size
    at_once = min(count * threads, max(threads, lanes))
    return {
        "launch": launch.name,
        "lanes": lanes,
        "seconds": best.seconds,
        "million_per_second": best.instructions / best.seconds / 1e6,
        "steps_per_second": best.instructions / at_once / best.seconds,
        "bytes_per_thread": peak(launch, compiled, arguments, lanes) / at_once,
    }


def main() -> None:
    """Print a line for each launch and number of threads, and write results/ptx_limits.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    found = []
    for launch in LAUNCHES:
        for lanes in LANES:
            figures = measured(launch, lanes, rounds)
            found.append(figures)
            print(
                f"{launch.name:20s} {lanes:7d} threads: {1e3 * float(figures['seconds']):8.1f} ms, "
                f"{figures['million_per_second']:7.1f} million a second, {figures['steps_per_second']:9.0f} steps a "
                f"second, {figures['bytes_per_thread']:7.0f} bytes a thread",
                flush=True,
            )
    machine.write("ptx_limits", {"launches": found})


if __name__ == "__main__":
    main()
