"""The same work done by two versions of kbtools in turn: seconds of the processor, the best of several rounds.

    git worktree add /tmp/before COMMIT
    python benchmarks/before_after.py --before /tmp/before [--only judge dedup ...] [--rounds 5]

Every figure is of a process of its own. Rounds alternate between the versions, so that other work on the machine meets
both alike.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import RESULTS, write

_SAMPLE = "import kbtools as kb, datasets; datasets.disable_progress_bars(); rows = kb.load('sample')\n"
_CLOCK = "import resource\ndef used(): return sum(sum(resource.getrusage(who)[:2]) for who in (0, -1))\n"
"""Seconds of this process and of those that it has waited for."""
_TIMED = "began = used()\n{work}\nprint(used() - began)"
WORK: dict[str, tuple[str, str]] = {
    "judge": (
        _SAMPLE + "judge = kb.Judge(judge='static')\n"
        "material = list(judge._material(rows.data.table, judge._paths(rows.features)))\n"
        "[judge.rate(one) for one in material[:20]]",
        "for one in material: judge.rate(one)",
    ),
    "dedup": (
        _SAMPLE + "from kbtools_plugins.dedup import code_digest\n"
        "codes = [row['info']['python_code'] for row in rows.to_list()]",
        "for code in codes: code_digest(code)",
    ),
    "filter": (
        "",
        "import sys; sys.argv = ['kbtools', 'apply', 'filter', '--where', 'reward > 0.5', '--dataset', 'sample',"
        " '--out', 'out.jsonl', '--overwrite']\nfrom kbtools.cli import main\n"
        "try: main()\nexcept SystemExit: pass",
    ),
    "show": (
        "",
        "import sys, io; sys.argv = ['kbtools', 'show', 'sample', '-n', '1']\nfrom kbtools.cli import main\n"
        "try: main()\nexcept SystemExit: pass",
    ),
    "floor": ("", "import datasets, click"),
}
"""What comes before, and what is timed."""


def main() -> None:
    """Measure in turn, print and keep."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", type=Path, required=True, help="a checkout of the version to compare with")
    parser.add_argument("--only", nargs="+", choices=WORK, default=list(WORK))
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    found: dict[str, dict[str, list[float]]] = {name: {"before": [], "after": []} for name in given.only}
    for _ in range(given.rounds):
        for name in given.only:
            for version, place in (("before", given.before), ("after", here)):
                found[name][version].append(seconds(name, place.resolve()))
    for name, runs in found.items():
        before, after = min(runs["before"]), min(runs["after"])
        print(f"{name:10} before {before:8.3f} s  after {after:8.3f} s  {before / after:6.2f} times as fast")
    file = RESULTS / "before_after.json"
    kept: dict[str, Any] = json.loads(file.read_text())["runs"] if file.exists() else {}
    print(f"wrote {write('before_after', {'runs': kept | found})}")


def seconds(name: str, checkout: Path) -> float:
    """Of the processor, for one piece of work in a version."""
    before, work = WORK[name]
    path = os.pathsep.join([str(checkout), str(checkout / "plugins")])
    with tempfile.TemporaryDirectory() as folder:
        program = f"{_CLOCK}{before}\n{_TIMED.format(work=work)}"
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    main()
