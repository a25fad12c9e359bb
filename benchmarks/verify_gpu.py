"""What a GPU machine is asked in eight minutes: golden vectors of the PTX machine, the suite, and times.

    python benchmarks/verify_gpu.py [--workers N] [--only NAME] [--seconds 480] [--parts vectors,suite,times]

Needs an NVIDIA device that torch can use; where there is none it does what needs none, says so and ends with status 3.
Vectors come first, then the whole suite's verdicts, then some innocent candidates again with times. What the seconds do
not suffice for is left out and counted; figures of parts that were not asked for are kept.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import multiprocessing
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "plugins" / "verify"))

import gpu_vectors
import verify_suite
from gpu_driver import launch_on_device
from machine import RESULTS, write

from kbtools.errors import ConfigError
from kbtools_plugins.verify import Verification, VerifySettings, devices
from kbtools_plugins.verify.settings import on_gpu

_TIMED = ("softmax", "matmul", "linear", "layer_norm", "gelu", "attention", "conv", "reduction", "persistent_programs")
"""Innocent candidates whose names begin so are timed first."""
Verdicts = list[tuple[verify_suite.Candidate, Verification]]


def vectors(which: str, workers: int, *, on_device: bool) -> list[gpu_vectors.Difference]:
    """Vectors on the machine and on the device (without one, on the machine twice)."""
    run = launch_on_device if on_device else gpu_vectors.on_machine
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn) as pool:
        asked = [pool.submit(gpu_vectors.compared, name, run) for name in gpu_vectors.names() if re.search(which, name)]
        return [found.result() for found in asked]


def in_turn(candidates: Sequence[verify_suite.Candidate], workers: int, until: float) -> Iterator[Verdicts]:
    """Verdicts as they come, of those that were begun in time."""
    with verify_suite.checking(workers) as check, ThreadPoolExecutor(workers) as threads:

        def checked(candidate: verify_suite.Candidate) -> Verdicts:
            return [(candidate, check(candidate))] if time.monotonic() < until else []

        for done in as_completed([threads.submit(checked, candidate) for candidate in candidates]):
            yield done.result()


def chosen(only: str, *, timed: bool) -> list[verify_suite.Candidate]:
    """Candidates on the GPU tier; of those that are timed the well-known ones come first."""
    found = [
        dataclasses.replace(candidate, settings=candidate.settings.model_copy(update={"tier": "gpu", "time": timed}))
        for candidate in verify_suite.load()
        if only in f"{candidate.group}/{candidate.kind}/{candidate.name}"
    ]
    if not timed:
        return found
    return sorted((one for one in found if one.group == "innocent"), key=lambda one: not one.name.startswith(_TIMED))


def vector_part(which: str, workers: int) -> dict[str, Any]:
    """Vectors that differ, and how many there are."""
    started = time.monotonic()
    rows = vectors(which, workers, on_device=True)
    for row in rows:
        if row.differ or row.error:
            print(row)
    same = sum(not row.differ and not row.error for row in rows)
    print(f"{len(rows)} vectors, {same} equal to the bit, {sum(bool(row.error) for row in rows)} did not run")
    return {"seconds": time.monotonic() - started, "equal": same, "rows": [dataclasses.asdict(row) for row in rows]}


def suite_part(only: str, workers: int, until: float) -> dict[str, Any]:
    """The confusion table and the rate."""
    started = time.monotonic()
    asked = chosen(only, timed=False)
    found: Verdicts = [pair for some in in_turn(asked, workers, until) for pair in some]
    seconds = time.monotonic() - started
    candidates, verdicts = [pair[0] for pair in found], [pair[1] for pair in found]
    print(verify_suite.table(candidates, verdicts))
    unexpected = [
        f"{candidate.group}/{candidate.kind}/{candidate.name}: {verdict.verdict}, expected "
        f"{' or '.join(candidate.expected)}: {verdict.error[-900:]}"
        for candidate, verdict in found
        if verdict.verdict not in candidate.expected
    ]
    print(*unexpected, sep="\n")
    rate = 60 * len(found) / seconds / len(devices.found()[0])
    print(f"{len(found)} of {len(asked)} candidates in {seconds:.1f} s with {workers} workers: {rate:.0f} per minute")
    stages: collections.Counter[str] = collections.Counter()
    for verdict in verdicts:
        stages.update(verdict.seconds)
    print("seconds by step, of all workers:", {name: round(total, 1) for name, total in stages.most_common()})
    passed = [sum(verdict.passed for one, verdict in found if one.group == group) for group in ("hostile", "innocent")]
    return {
        "candidates": len(found),
        "asked": len(asked),
        "seconds": seconds,
        "per_minute": rate,
        "hostile_passed": passed[0],
        "innocent_passed": passed[1],
        "verdicts": collections.Counter(verdict.verdict for verdict in verdicts),
        "unexpected": unexpected,
        "fingerprint": dict(verdicts[0].fingerprint) if verdicts else {},
    }


def times_part(only: str, workers: int, until: float) -> dict[str, Any]:
    """Milliseconds of kernels and references."""
    started, rows = time.monotonic(), {}
    for found in in_turn(chosen(only, timed=True), workers, until):
        for candidate, verdict in found:
            rows[candidate.name] = verdict.model_dump(
                mode="json", include={"verdict", "speedup", "kernel_ms", "ref_ms", "error", "notes"}
            )
            print(f"{candidate.name:32} {verdict.verdict:10} speedup {verdict.speedup} {verdict.kernel_ms} "
                  f"{verdict.ref_ms} {verdict.error[-300:]}", flush=True)  # fmt: skip
    print(f"{len(rows)} timed in {time.monotonic() - started:.1f} s")
    return {"seconds": time.monotonic() - started, "rows": rows}


def kept(parts: dict[str, Any]) -> None:
    """Write the figures of these parts beside those that are there."""
    path = RESULTS / "verify_gpu.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    before.pop("machine", None)
    write("verify_gpu", {**before, "devices": [device.name for device in devices.found()[0]], **parts})


def main() -> None:
    """Print the differences, the confusion table, the rate and the times, and write all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--vectors", default="", help="a regular expression for names of vectors")
    parser.add_argument("--only", default="", help="candidates whose group/kind/name contains this")
    parser.add_argument("--seconds", type=float, default=480.0)
    parser.add_argument("--parts", default="vectors,suite,times")
    asked = parser.parse_args()
    until, parts = time.monotonic() + asked.seconds, asked.parts.split(",")
    try:
        on_gpu(VerifySettings(tier="gpu"))
    except ConfigError as error:
        rows = vectors(asked.vectors, asked.workers, on_device=False) if "vectors" in parts else []
        for row in rows:
            if row.error:
                print(row)
        print(f"no device: {len(rows)} vectors ran on the PTX machine alone, {len(chosen(asked.only, timed=False))} "
              "candidates were read; what a device says of them is not known")  # fmt: skip
        print(error, file=sys.stderr)
        sys.exit(3)
    if "vectors" in parts:
        kept({"vectors": vector_part(asked.vectors, asked.workers)})
    if "suite" in parts:
        kept({"suite": suite_part(asked.only, asked.workers, until - (60 if "times" in parts else 0))})
    if "times" in parts:
        kept({"times": times_part(asked.only, asked.workers, until)})


if __name__ == "__main__":
    main()
