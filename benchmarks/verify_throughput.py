"""How many of the sample's kernels are checked per minute on each tier, where the time goes, and what is as expected.

    python benchmarks/verify_throughput.py [--workers 1 2] [--tiers ptx interpreter] [--every 1]

Tiers take turns, a few candidates each, so that both see the same machine. Files named good_* are right, bad_* are not.
Seconds of the processor, in all processes, are counted too: on a machine that others use they say more than the clock.
Start-up (importing torch and triton) is shown by itself.
"""

from __future__ import annotations

import argparse
import collections
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from machine import write
from verify_one import processor_seconds

from kbtools_plugins.verify import Verification, VerifySettings, verify
from kbtools_plugins.verify.host.processes import WarmPair, warm_pairs
from kbtools_plugins.verify.pool import Pair

MODULES = Path(__file__).parents[1] / "recipes" / "sample" / "modules"
TURN = 8
"""Candidates of one tier before it is the other's turn."""


@dataclass
class Measured:
    """What one tier has taken."""

    seconds: float = 0.0
    processor: float = 0.0
    verdicts: list[Verification] = field(default_factory=list)

    def line(self, names: list[str]) -> dict[str, object]:
        """The figures of a tier."""
        steps: dict[str, list[float]] = collections.defaultdict(list)
        for verdict in self.verdicts:
            for step, taken in verdict.seconds.items():
                steps[step].append(taken)
        right = sum(
            verdict.passed == Path(name).name.startswith("good_")
            for name, verdict in zip(names, self.verdicts, strict=True)
        )
        return {
            "per_minute": round(60 * len(names) / self.seconds, 1),
            "processor_seconds_each": round(self.processor / len(names), 3),
            "mean_seconds": {step: round(statistics.mean(taken), 2) for step, taken in steps.items()},
            "candidates": len(names),
            "as_expected": right,
        }


def candidates() -> list[tuple[str, Pair]]:
    """Every kernel of the sample with its reference, by path."""
    paths = sorted(path for path in MODULES.rglob("*.py") if path.name.startswith(("good_", "bad_")))
    return [
        (str(path.relative_to(MODULES)), Pair((path.parent / "reference.py").read_text(), path.read_text()))
        for path in paths
    ]


def measure(pairs: list[Pair], workers: int, tiers: list[str]) -> tuple[float, dict[str, Measured]]:
    """Seconds of start-up, and what each tier has taken."""
    idle: SimpleQueue[WarmPair] = SimpleQueue()
    started = time.monotonic()
    processes = warm_pairs(workers)
    for warm in processes:
        warm.wait_until_ready()
    start, found = time.monotonic() - started, {tier: Measured() for tier in tiers}
    for warm in processes:
        for tier in tiers:  # the interpreter has a process of its own, which its first check starts
            verify(pairs[0].reference, pairs[0].candidate, settings=VerifySettings(tier=tier), processes=warm)
        idle.put(warm)

    def check(pair: Pair, tier: str) -> Verification:
        warm = idle.get()
        try:
            return verify(pair.reference, pair.candidate, settings=VerifySettings(tier=tier), processes=warm)
        finally:
            idle.put(warm)

    with ThreadPoolExecutor(workers) as threads:
        for first in range(0, len(pairs), TURN):
            for tier, measured in found.items():
                began, used = time.monotonic(), processor_seconds()
                turn = pairs[first : first + TURN]
                measured.verdicts += threads.map(check, turn, [tier] * len(turn))
                measured.seconds += time.monotonic() - began
                measured.processor += processor_seconds() - used
    for warm in processes:
        warm.close()
    return start, found


def main() -> None:
    """Print a line for each number of workers and tier, and what was not as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--tiers", nargs="+", default=["ptx", "interpreter"])
    parser.add_argument("--every", type=int, default=1, help="Check only each so-manieth candidate.")
    options = parser.parse_args()
    named = candidates()[:: options.every]
    names, pairs = [name for name, _ in named], [pair for _, pair in named]
    results: list[dict[str, object]] = []
    for workers in options.workers:
        start, found = measure(pairs, workers, options.tiers)
        print(f"{workers} workers: start {start:.1f} s")
        for tier, measured in found.items():
            results.append({"workers": workers, "tier": tier, "start": start, **measured.line(names)})
            print(f"  {tier}: {measured.line(names)}")
            for name, verdict in zip(names, measured.verdicts, strict=True):
                if verdict.passed != Path(name).name.startswith("good_"):
                    print(f"    {name}: {verdict.verdict}: {verdict.error[-300:]}")
    write("verify_throughput_cpu", {"runs": results})


if __name__ == "__main__":
    main()
