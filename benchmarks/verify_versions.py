"""The sample's kernels checked by two versions in turn: seconds by the clock and of the processor, and other verdicts.

    git worktree add /tmp/before COMMIT
    python benchmarks/verify_versions.py --before /tmp/before [--every 6] [--rounds 3] [--tier ptx]

Each version has one worker, which is asked about each candidate right before or after the other's: both meet the same
machine. The first pass is not counted: what is made once, such as huge pages, is there then.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from machine import write
from verify_throughput import candidates

HERE = Path(__file__).resolve().parents[1]


@dataclass
class Version:
    """One version's worker, and what it has taken."""

    checkout: Path
    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        paths = os.pathsep.join(str(place) for place in (self.checkout, self.checkout / "plugins"))
        command = [sys.executable, str(HERE / "benchmarks" / "verify_one.py")]
        environment = os.environ | {"PYTHONPATH": paths}
        self._process = subprocess.Popen(
            command, env=environment, cwd=self.checkout, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def check(self, question: str, *, counted: bool) -> str:
        """The verdict."""
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("the worker has no pipes")
        began = time.monotonic()
        self._process.stdin.write(question)
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline())
        if counted:
            self.clock.append(time.monotonic() - began)
            self.processor.append(found["processor"])
            for step, taken in found["seconds"].items():
                self.steps[step] = self.steps.get(step, 0.0) + taken
        return str(found["verdict"])

    def line(self) -> dict[str, object]:
        """Means of a candidate."""
        each = {step: round(taken / len(self.clock), 4) for step, taken in self.steps.items()}
        return {
            "clock": round(statistics.mean(self.clock), 4),
            "processor": round(statistics.mean(self.processor), 4),
            "steps": each,
        }

    def close(self) -> None:
        """End the worker."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """Ask both in turn, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="a checkout of the version to compare with")
    parser.add_argument("--every", type=int, default=6, help="Check only each so-manieth candidate.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tier", default="ptx")
    options = parser.parse_args()
    versions = {"before": Version(options.before.resolve()), "after": Version(HERE)}
    for number in range(options.rounds + 1):
        for turn, (name, pair) in enumerate(candidates()[:: options.every]):
            question = (
                json.dumps({"reference": pair.reference, "candidate": pair.candidate, "tier": options.tier}) + "\n"
            )
            order = list(versions)[:: 1 if turn % 2 else -1]
            found = {version: versions[version].check(question, counted=number > 0) for version in order}
            if found["before"] != found["after"]:
                print(f"{name}: {found}")
    lines = {name: version.line() for name, version in versions.items()}
    for name, version in versions.items():
        print(f"{name:7} {lines[name]}")
        version.close()
    write("verify_versions", {"rounds": options.rounds, "every": options.every, "tier": options.tier, **lines})


if __name__ == "__main__":
    main()
