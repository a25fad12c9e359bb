"""Kill the run and random workers with signal 9 while 300 candidates are checked; the result must equal a quiet one.

    python benchmarks/verify_resilience.py [--count 300] [--workers 2]

Candidates are those of the sample, each made different by a comment. The run is killed three times at random moments;
between those, processes below it are killed at random.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import write
from verify_throughput import candidates

from kbtools_plugins.verify import VerifySettings
from kbtools_plugins.verify.cache import VerdictStore
from kbtools_plugins.verify.pool import Pair, verify_all


def pairs(count: int) -> list[Pair]:
    """As many different pairs as asked for."""
    known = [pair for _, pair in candidates()]
    return [
        Pair(known[number % len(known)].reference, known[number % len(known)].candidate + f"\n# {number}\n")
        for number in range(count)
    ]


def check(count: int, workers: int, store: Path) -> list[dict[str, object]]:
    """Every verdict but for the time it took."""
    settings = VerifySettings(seed=11)
    verdicts = verify_all(pairs(count), settings, workers, VerdictStore(store))
    return [verdict.model_dump(mode="json", exclude={"seconds"}) for verdict in verdicts]


def descendants(pid: int) -> list[int]:
    """Every process below this one."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents.setdefault(int(path.read_text().rpartition(")")[2].split()[1]), []).append(int(path.parent.name))
        except OSError:
            continue
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def disturbed(count: int, workers: int, store: Path) -> tuple[list[dict[str, object]], int, int]:
    """The result after three killed runs and a last one, with the numbers of runs and workers that were killed."""
    chance = random.Random(5)
    command = [sys.executable, __file__, "--child", str(store), "--count", str(count), "--workers", str(workers)]
    killed_workers = 0
    for _ in range(3):
        run = subprocess.Popen(command)
        end = time.monotonic() + chance.uniform(25, 40)
        while time.monotonic() < end and run.poll() is None:
            time.sleep(chance.uniform(2, 5))
            if below := descendants(run.pid):
                os.kill(chance.choice(below), signal.SIGKILL)
                killed_workers += 1
        run.kill()
        run.wait()
    return check(count, workers, store), 3, killed_workers


def main() -> None:
    """Compare a quiet run with a disturbed one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        check(options.count, options.workers, options.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        found, runs, workers = disturbed(options.count, options.workers, Path(folder) / "disturbed.sqlite")
        quiet = check(options.count, options.workers, Path(folder) / "quiet.sqlite")
    differing = sum(one != other for one, other in zip(found, quiet, strict=True))
    print(f"{options.count} candidates, {runs} runs and {workers} processes killed: {differing} verdicts differ")
    killed = {"runs_killed": runs, "processes_killed": workers}
    write("verify_resilience", {"candidates": options.count, **killed, "differing": differing})
    sys.exit(differing > 0)


if __name__ == "__main__":
    main()
