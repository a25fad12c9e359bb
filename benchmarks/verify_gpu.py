"""What a GPU machine is asked in eight minutes: golden vectors of the PTX machine, the suite, and times.

    python benchmarks/verify_gpu.py [--workers N] [--only NAME] [--seconds 480]

Needs an NVIDIA device that torch can use; where there is none it does what needs none, says so and ends with status 3.
Vectors come first, then the whole suite's verdicts, then the innocent candidates again with times. What the seconds do
not suffice for is left out and counted; the figures are written after each part.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "plugins" / "verify"))

import gpu_vectors
import verify_suite
from machine import write

from kbtools.errors import ConfigError
from kbtools_plugins.verify import Verification, VerifySettings, devices
from kbtools_plugins.verify.settings import on_gpu

_AT_A_TIME = 16
"""Candidates between two looks at the clock."""


def measure(
    only: str, workers: int, until: float, *, timed: bool
) -> tuple[list[verify_suite.Candidate], list[Verification], float]:
    """Candidates on the GPU tier, verdicts of those that there was time for, and the seconds they took."""
    candidates = [
        dataclasses.replace(found, settings=found.settings.model_copy(update={"tier": "gpu", "time": timed}))
        for found in verify_suite.load()
        if only in f"{found.group}/{found.kind}/{found.name}" and (found.group == "innocent" or not timed)
    ]
    started = time.monotonic()
    verdicts: list[Verification] = []
    while len(verdicts) < len(candidates) and time.monotonic() < until:
        verdicts += verify_suite.run(candidates[len(verdicts) :][:_AT_A_TIME], workers)
    return candidates[: len(verdicts)], verdicts, time.monotonic() - started


def _say_what_would_run(only: str) -> None:
    """Make all that needs no device, so that a machine with one finds no fault in it."""
    vectors = list(gpu_vectors.compared(gpu_vectors.on_machine))
    candidates = [found for found in verify_suite.load() if only in f"{found.group}/{found.kind}/{found.name}"]
    print(f"no device: {len(vectors)} vectors ran on the PTX machine alone, {len(candidates)} candidates were read; "
          "what a device says of them is not known")  # fmt: skip


def main() -> None:
    """Print the confusion table, the rate and the times, and write all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--only", default="", help="candidates whose group/kind/name contains this")
    parser.add_argument("--seconds", type=float, default=480.0)
    options = parser.parse_args()
    until = time.monotonic() + options.seconds
    try:
        on_gpu(VerifySettings(tier="gpu"))
    except ConfigError as error:
        _say_what_would_run(options.only)
        print(error, file=sys.stderr)
        sys.exit(3)
    present = devices.found()[0]
    rows = list(gpu_vectors.compared(gpu_vectors.on_device))
    print(*rows, sep="\n")
    write("verify_gpu", {"devices": [device.name for device in present], "vectors": rows})
    candidates, verdicts, seconds = measure(options.only, options.workers, until - options.seconds / 3, timed=False)
    print(verify_suite.table(candidates, verdicts))
    rate = 60 * len(candidates) / seconds / len(present)
    print(f"{len(candidates)} candidates in {seconds:.1f} s with {options.workers} workers on {len(present)} GPUs: "
          f"{rate:.0f} per minute per GPU")  # fmt: skip
    unexpected = [
        f"{candidate.kind}/{candidate.name}: {verdict.verdict}: {verdict.error}"
        for candidate, verdict in zip(candidates, verdicts, strict=True)
        if verdict.passed == (candidate.group == "hostile")
    ]
    print(*unexpected, sep="\n")
    timed, times, timing_seconds = measure(options.only, options.workers, until, timed=True)
    for candidate, verdict in zip(timed, times, strict=True):
        print(
            f"{candidate.name:32} {verdict.verdict:10} speedup {verdict.speedup} {verdict.kernel_ms} {verdict.ref_ms}"
        )
    result = {
        "devices": [device.name for device in present],
        "vectors": rows,
        "workers": options.workers,
        "candidates": len(candidates),
        "seconds": seconds,
        "per_minute_per_gpu": rate,
        "verdicts": collections.Counter(verdict.verdict for verdict in verdicts),
        "unexpected": unexpected,
        "timing_seconds": timing_seconds,
        "fingerprint": dict(verdicts[0].fingerprint) if verdicts else {},
        "times": {
            candidate.name: verdict.model_dump(
                mode="json", include={"verdict", "speedup", "kernel_ms", "ref_ms", "error"}
            )
            for candidate, verdict in zip(timed, times, strict=True)
        },
    }
    write("verify_gpu", result)
    sys.exit(bool(unexpected))


if __name__ == "__main__":
    main()
