"""How many of the sample's kernels are checked per minute, where the time goes, and whether verdicts are as expected.

    python benchmarks/verify_throughput.py [--workers 1 2]

Files named good_* are right, bad_* are not. Start-up (importing torch and triton, once per worker) is shown by itself.
Seconds of the processor are counted too: on a machine that others use they say more than the clock.
"""

from __future__ import annotations

import argparse
import collections
import resource
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from machine import write

from kbtools_plugins.verify import Verification, VerifySettings, verify
from kbtools_plugins.verify.host.processes import WarmPair
from kbtools_plugins.verify.pool import Pair

MODULES = Path(__file__).parents[1] / "recipes" / "sample" / "modules"


def candidates() -> list[tuple[str, Pair]]:
    """Every kernel of the sample with its reference, by path."""
    paths = sorted(path for path in MODULES.rglob("*.py") if path.name.startswith(("good_", "bad_")))
    return [
        (str(path.relative_to(MODULES)), Pair((path.parent / "reference.py").read_text(), path.read_text()))
        for path in paths
    ]


def measure(pairs: list[Pair], workers: int) -> tuple[list[Verification], float, float, float]:
    """Verdicts, seconds of start-up, seconds of checking, seconds of the processor for all of it."""
    used = _processor_seconds()
    idle: SimpleQueue[WarmPair] = SimpleQueue()
    started = time.monotonic()
    processes = [WarmPair() for _ in range(workers)]
    starters = [threading.Thread(target=pair.wait_until_ready) for pair in processes]
    for starter in starters:
        starter.start()
    for starter, pair in zip(starters, processes, strict=True):
        starter.join()
        idle.put(pair)
    ready = time.monotonic()

    def check(pair: Pair) -> Verification:
        warm = idle.get()
        try:
            return verify(pair.reference, pair.candidate, settings=VerifySettings(), processes=warm)
        finally:
            idle.put(warm)

    with ThreadPoolExecutor(workers) as threads:
        verdicts = list(threads.map(check, pairs))
    ended = time.monotonic()
    for pair in processes:
        pair.close()
    return verdicts, ready - started, ended - ready, _processor_seconds() - used


def _processor_seconds() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, kinds))


def main() -> None:
    """Print one line per number of workers, the time per step, and what was not as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    named = candidates()
    results = []
    for workers in options.workers:
        verdicts, start, seconds, processor = measure([pair for _, pair in named], workers)
        right = sum(
            verdict.passed == Path(name).name.startswith("good_")
            for (name, _), verdict in zip(named, verdicts, strict=True)
        )
        rate = 60 * len(named) / seconds
        steps: dict[str, list[float]] = collections.defaultdict(list)
        for verdict in verdicts:
            for step, taken in verdict.seconds.items():
                steps[step].append(taken)
        mean = {step: round(statistics.mean(taken), 3) for step, taken in steps.items()}
        print(
            f"{workers} workers: start {start:.1f} s, {len(named)} candidates in {seconds:.1f} s, {rate:.0f} per minute"
        )
        print(f"  {processor:.0f} s of processor time, start included")
        print(f"  seconds per step: {mean}; {right} of {len(named)} as expected")
        found = {"workers": workers, "start": start, "candidates": len(named), "seconds": seconds, "per_minute": rate}
        results.append(found | {"processor_seconds": processor, "mean_seconds": mean, "as_expected": right})
    for (name, _), verdict in zip(named, verdicts, strict=True):
        if verdict.passed != Path(name).name.startswith("good_"):
            print(f"{name}: {verdict.verdict}: {verdict.error[-300:]}")
    write("verify_throughput_cpu", {"runs": results})


if __name__ == "__main__":
    main()
