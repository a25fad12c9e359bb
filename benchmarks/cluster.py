"""Row-wise stages and verification: here, in two processes, and on Ray with two CPUs; what N nodes would do.

    python benchmarks/cluster.py [--rows 200000] [--judged 200000] [--candidates 300] [--shards 8 100]

Each run is a process of its own with caches of its own; loading the source is not in the times. The share that does not
get shorter with more workers is the wall time without what the workers did, as the shards' manifests say it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import write

WORKERS = 2
NODES = (1, 2, 4, 8)
CPUS_OF_A_NODE = 64


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000, help="rows of strip-reasoning")
    parser.add_argument("--judged", type=int, default=200_000, help="rows of the static judge")
    parser.add_argument("--candidates", type=int, default=300, help="pairs to verify; the sample has 170")
    parser.add_argument("--shards", type=int, nargs="+", default=[8, 100], help="parts of strip-reasoning")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measured(json.loads(given.child))))
        return
    runs = []
    for stage, rows, shards in work(given):
        for engine in ("local", f"processes={WORKERS}", "ray"):
            if engine == "local" and shards != given.shards[0]:
                continue
            runs.append(run(stage, rows, shards, engine))
            print_run(runs[-1])
    path = write("cluster", {"arguments": vars(given), "runs": runs, "nodes": projections(runs)})
    print(f"wrote {path}")


def work(given: argparse.Namespace) -> list[tuple[str, int, int]]:
    """Stage, rows, shards."""
    strip = [("strip-reasoning", given.rows, shards) for shards in given.shards]
    first = given.shards[0]
    return [*strip, ("judge", given.judged, first), ("verify", given.candidates, first)]


def run(stage: str, rows: int, shards: int, engine: str) -> dict[str, Any]:
    """One run in a process and a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="kbbench-", ignore_cleanup_errors=True) as folder:
        task = {"stage": stage, "rows": rows, "shards": shards, "engine": engine, "folder": folder}
        environment = {**os.environ, "HF_HOME": folder, "RAY_TMPDIR": folder, "RAY_AUTH_MODE": "disabled"}
        command = [sys.executable, __file__, "--child", json.dumps(task)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measured(task: dict[str, Any]) -> dict[str, Any]:
    """The time of one run, and what its workers did of it."""
    import datasets

    import kbtools as kb
    from kbtools.engines import opened

    datasets.disable_progress_bars()
    folder = Path(task["folder"])
    data = source(task["rows"], folder)
    engine = engine_of(task, folder)
    began = time.perf_counter()
    with opened(engine, lambda text: None):
        kb.save(kb.apply(data, stage_of(task, folder)), folder / "out.parquet")
        seconds = time.perf_counter() - began
    worked = [json.loads(file.read_text()) for file in folder.glob("scratch/shards/*/*/manifest.json")]
    in_workers = sum(manifest["seconds"] for manifest in worked)
    told = {name: task[name] for name in ("stage", "rows", "engine")}
    return {**told, "shards": len(worked) or None, "seconds": seconds, "in_workers": in_workers}


def source(rows: int, folder: Path) -> Any:
    """The sample's rows, over and over, from a file."""
    import datasets

    import kbtools as kb

    sample = kb.load("sample")
    times = -(-rows // sample.num_rows)
    kb.save(datasets.concatenate_datasets([sample] * times).select(range(rows)), folder / "rows.parquet")
    return kb.load(str(folder / "rows.parquet"))


def engine_of(task: dict[str, Any], folder: Path) -> Any:
    """The engine of a run."""
    import kbtools as kb

    fields = {"scratch": str(folder / "scratch"), "shards": task["shards"]}
    if task["engine"] == "local":
        return None
    return kb.Ray(**fields) if task["engine"] == "ray" else kb.Processes(WORKERS, **fields)


def stage_of(task: dict[str, Any], folder: Path) -> Any:
    """The stage of a run; verdicts are nobody else's."""
    import kbtools as kb

    if task["stage"] == "judge":
        return kb.Judge(judge="static")
    if task["stage"] == "verify":
        return kb.Verify(seed=1, workers=WORKERS, store=str(folder / "verdicts.sqlite"))
    return kb.StripReasoning(on_error="drop")


def print_run(found: dict[str, Any]) -> None:
    """A line of the table."""
    rate = found["rows"] / found["seconds"]
    shards = f"{found['shards']} shards" if found["shards"] else ""
    print(
        f"{found['stage']:16} {found['engine']:12} {shards:10} {found['rows']:>8,} rows {found['seconds']:8.1f} s"
        f" {rate:10,.1f} rows/s {found['in_workers']:8.1f} s in workers",
        flush=True,
    )


def projections(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What N nodes would do: the time beside the workers' stays, theirs is shared by more."""
    found = []
    for one in runs:
        if not one["in_workers"]:
            continue
        serial = max(one["seconds"] - one["in_workers"] / WORKERS, 0.0)
        seconds = {nodes: serial + one["in_workers"] / (nodes * CPUS_OF_A_NODE) for nodes in NODES}
        found.append(
            {**{name: one[name] for name in ("stage", "engine", "shards")}, "serial": serial, "nodes": seconds}
        )
        shown = ", ".join(f"{nodes}: {value:.1f} s" for nodes, value in seconds.items())
        print(f"{one['stage']} on {one['engine']}: {serial:.1f} s are serial; nodes of {CPUS_OF_A_NODE} CPUs: {shown}")
    return found


if __name__ == "__main__":
    main()
