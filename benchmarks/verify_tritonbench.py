"""Check published model answers to TritonBench-T against references built from the tasks' own code and examples.

    python benchmarks/verify_tritonbench.py FOLDER [--models deepseek_r1 gpt4o] [--files FOLDER] [--before CHECKOUT]

FOLDER holds tritonbench_t.jsonl and tritonbench_t_<model>.jsonl. Each call in a task's example is one pair; with
`--files`, a folder of the benchmark's own files (data/TritonBench_T_v1), each call in a file's test. An answer passes
if all of its calls do. Prints the verdict counts, with `--before` those of another version on the same pairs beside
them; `--rows` keeps each answer's verdict.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from machine import write
from tritonbench_examples import Unbuildable, calls_in_example
from tritonbench_files import Call, calls_of

ROOT = Path(__file__).resolve().parents[1]
CHECK = """
import json, sys
from kbtools_plugins.verify import VerifySettings
from kbtools_plugins.verify.pool import Pair, verify_all
pairs = [Pair(*texts) for texts in json.load(sys.stdin)]
verdicts = verify_all(pairs, VerifySettings(timeout=60), int(sys.argv[1]))
print(json.dumps([[verdict.verdict, verdict.error] for verdict in verdicts]))
"""
"""What a version runs; it needs only what every version has."""


@dataclass
class Row:
    """What became of one answer."""

    task: str
    verdict: str = "unbuildable"
    error: str | None = None
    calls: int = 0

    def heard(self, verdict: str, error: str | None) -> None:
        """One more call: the first verdict that is no pass stays."""
        self.calls += 1
        if self.verdict in ("unbuildable", "pass"):
            self.verdict, self.error = verdict, error


def answers_of(folder: Path, model: str, limit: int | None) -> list[dict[str, str]]:
    """The first rows of one of the folder's files."""
    with (folder / f"tritonbench_t_{model}.jsonl").open() as lines:
        return [json.loads(line) for line in lines][:limit]


def rows_of(
    tasks: list[dict[str, str]], answers: list[dict[str, str]], files: Path | None, checkout: Path, workers: int
) -> list[Row]:
    """One row per answer, by the version in `checkout`."""
    pairs: list[tuple[str, str, str | None]] = []
    owners: list[Row] = []
    rows = [Row(task["file"]) for task in tasks]
    for row, task, answer in zip(rows, tasks, answers, strict=True):
        try:
            made = [call.pair(answer["predict"]) for call in _calls(task, files)]
        except Unbuildable as unbuildable:
            row.error = str(unbuildable)
            continue
        pairs += [(pair.reference, pair.candidate, pair.entry_point) for pair in made]
        owners += [row] * len(made)
    for row, (verdict, error) in zip(owners, _verdicts(pairs, checkout, workers), strict=True):
        row.heard(verdict, error)
    return rows


def _calls(task: dict[str, str], files: Path | None) -> list[Call]:
    if files is None:
        return calls_in_example(task)
    path = files / task["file"]
    return list(calls_of(path.read_text(), path.stem)) if path.exists() else []


def _verdicts(pairs: list[tuple[str, str, str | None]], checkout: Path, workers: int) -> list[tuple[str, str | None]]:
    found = os.pathsep.join([str(checkout), str(checkout / "plugins")])
    ran = subprocess.run(
        [sys.executable, "-c", CHECK, str(workers)],
        input=json.dumps(pairs),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": found},
    )
    return [(verdict, error) for verdict, error in json.loads(ran.stdout.splitlines()[-1])]


def main() -> None:
    """Build what can be built, verify it, print and write the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", default=["deepseek_r1", "gpt4o"])
    parser.add_argument("--rows", type=Path, help="folder for MODEL-VERSION.jsonl with each answer's verdict")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--files", type=Path, help="folder with the benchmark's own files, one for each task")
    parser.add_argument("--before", type=Path, help="a checkout of another version")
    options = parser.parse_args()
    with (options.folder / "tritonbench_t.jsonl").open() as lines:
        tasks = [json.loads(line) for line in lines][: options.limit]
    versions = {"now": ROOT} | ({"before": options.before.resolve()} if options.before else {})
    results: dict[str, dict[str, object]] = {}
    for model in options.models:
        answers = answers_of(options.folder, model, options.limit)
        counts: dict[str, collections.Counter[str]] = {}
        for version, checkout in versions.items():
            started = time.monotonic()
            rows = rows_of(tasks, answers, options.files, checkout, options.workers)
            seconds = time.monotonic() - started
            counts[version] = collections.Counter(row.verdict for row in rows)
            results.setdefault(model, {})[version] = {"seconds": seconds, "verdicts": dict(counts[version])}
            if options.rows:
                options.rows.mkdir(parents=True, exist_ok=True)
                kept = "".join(json.dumps(vars(row)) + "\n" for row in rows)
                (options.rows / f"{model}-{version}.jsonl").write_text(kept)
            print(f"{model}, {version}: {len(rows)} answers in {seconds:.0f} s with {options.workers} workers")
        _show(counts)
    write("verify_tritonbench_cpu", {"workers": options.workers, "models": results})


def _show(counts: dict[str, collections.Counter[str]]) -> None:
    print(*(f"{version:>7}" for version in counts))
    for verdict, _ in sum(counts.values(), collections.Counter[str]()).most_common():
        print(*(f"{counted[verdict]:7}" for counted in counts.values()), verdict)


if __name__ == "__main__":
    main()
