"""Row-wise stages and verification: here, in two processes, and on Ray with two CPUs; what N nodes would do.

    python benchmarks/cluster.py [--only strip-reasoning judge dedup verify] [--rows N] [--judged N] [--candidates N]

Each run is a process of its own with caches of its own; loading the source is not in the times. Seconds of the
processor are told beside those of the clock, because other work on the machine only lengthens the latter. What more
workers do not make shorter is the time of one row, which is that of starting, and what the driver computes. Runs that
are left out are taken from the results of before.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import RESULTS, write

WORKERS = 2
ENGINES = ("local", f"processes={WORKERS}", "ray")
STAGES = ("strip-reasoning", "judge", "dedup", "verify")
NODES = (1, 2, 4, 8)
CPUS_OF_A_NODE = 64


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", choices=STAGES, default=STAGES, help="stages that are measured now")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of strip-reasoning")
    parser.add_argument("--judged", type=int, default=20_000, help="rows of the static judge")
    parser.add_argument("--codes", type=int, default=20_000, help="rows of dedup, each with code of its own")
    parser.add_argument("--candidates", type=int, default=300, help="pairs to verify; the sample has 170")
    parser.add_argument("--shards", type=int, nargs="+", default=[8, 100], help="parts of strip-reasoning")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measured(json.loads(given.child))))
        return
    runs = [one for one in known() if one["stage"] not in given.only]
    for stage, rows, shards in work(given):
        for engine in ENGINES:
            if engine != "local" or shards == given.shards[0]:
                runs.append(run(stage, rows, shards, engine))
                print_run(runs[-1])
    runs.sort(key=lambda one: STAGES.index(one["stage"]))
    print(f"wrote {write('cluster', {'runs': runs, 'nodes': projections(runs)})}")


def known() -> list[dict[str, Any]]:
    """The runs of before."""
    file = RESULTS / "cluster.json"
    return json.loads(file.read_text())["runs"] if file.exists() else []


def work(given: argparse.Namespace) -> list[tuple[str, int, int]]:
    """Stage, rows, shards."""
    first = given.shards[0]
    found = [("strip-reasoning", 1, first), *(("strip-reasoning", given.rows, shards) for shards in given.shards)]
    found += [("judge", given.judged, first), ("dedup", given.codes, first), ("verify", given.candidates, first)]
    return [one for one in found if one[0] in given.only]


def run(stage: str, rows: int, shards: int, engine: str) -> dict[str, Any]:
    """One run in a process and a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="kbbench-", ignore_cleanup_errors=True) as folder:
        task = {"stage": stage, "rows": rows, "shards": shards, "engine": engine, "folder": folder}
        environment = {**os.environ, "HF_HOME": folder, "RAY_TMPDIR": folder, "RAY_AUTH_MODE": "disabled"}
        command = [sys.executable, __file__, "--child", json.dumps(task)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measured(task: dict[str, Any]) -> dict[str, Any]:
    """The time of one run: of the clock, and of the processor in the driver and in its workers."""
    import datasets

    import kbtools as kb
    from kbtools.engines import opened

    datasets.disable_progress_bars()
    folder = Path(task["folder"])
    data = codes(task["rows"], folder) if task["stage"] == "dedup" else source(task["rows"], folder)
    engine = engine_of(task, folder)
    began, busy = time.perf_counter(), time.process_time()
    with opened(engine, lambda text: None):
        kb.save(kb.apply(data, stage_of(task, folder)), folder / "out.parquet")
        seconds, driver = time.perf_counter() - began, time.process_time() - busy
    worked = [json.loads(file.read_text()) for file in folder.glob("scratch/shards/*/*/manifest.json")]
    told = {name: task[name] for name in ("stage", "rows", "engine")}
    return {
        **told,
        "shards": len(worked) or None,
        "seconds": seconds,
        "driver": driver,
        "in_shards": sum(manifest["processor"] for manifest in worked),
        "children": sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]),
        "load": os.getloadavg()[0],
    }


def source(rows: int, folder: Path) -> Any:
    """The sample's rows, over and over, from a file."""
    import datasets

    import kbtools as kb

    sample = kb.load("sample")
    times = -(-rows // sample.num_rows)
    kb.save(datasets.concatenate_datasets([sample] * times).select(range(rows)), folder / "rows.parquet")
    return kb.load(str(folder / "rows.parquet"))


def codes(rows: int, folder: Path) -> Any:
    """The sample's reference codes, over and over, each with a constant of its own."""
    import datasets

    import kbtools as kb

    known = [row["info"]["python_code"] for row in kb.load("sample")]
    made = [f"{known[number % len(known)]}\nNUMBER = {number}\n" for number in range(rows)]
    table = {"module_name": [str(number) for number in range(rows)], "python_code": made, "reward": [1.0] * rows}
    kb.save(datasets.Dataset.from_dict(table), folder / "rows.parquet")
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
    if task["stage"] == "dedup":
        return kb.Dedup(key=("code",))
    if task["stage"] == "verify":
        return kb.Verify(seed=1, workers=WORKERS, store=str(folder / "verdicts.sqlite"))
    return kb.StripReasoning(on_error="drop")


def print_run(found: dict[str, Any]) -> None:
    """A line of the table."""
    shards = f"{found['shards']} shards" if found["shards"] else ""
    print(
        f"{found['stage']:16} {found['engine']:12} {shards:10} {found['rows']:>8,} rows {found['seconds']:8.1f} s"
        f" {found['rows'] / found['seconds']:10,.1f} rows/s; of the processor {found['driver']:.1f} s in the driver,"
        f" {found['in_shards']:.1f} s in shards, load {found['load']:.0f}",
        flush=True,
    )


def projections(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What N nodes would do: starting and what the driver computes stay, the rest is shared by more processors."""
    found = []
    start = {one["engine"]: one for one in runs if one["rows"] == 1}
    for one in runs:
        if one["engine"] not in start or one["engine"] == "local" or one["rows"] == 1 or one.get("driver") is None:
            continue
        first = start[one["engine"]]
        serial = max(one["driver"] - first["driver"], 0.0)
        shared = one["in_shards"] or (one["seconds"] - first["seconds"] - serial) * WORKERS
        nodes = {count: first["seconds"] + serial + shared / (count * CPUS_OF_A_NODE) for count in NODES}
        told = {name: one[name] for name in ("stage", "engine", "rows", "shards")}
        found.append({**told, "start": first["seconds"], "serial": serial, "shared": shared, "nodes": nodes})
        shown = ", ".join(f"{count}: {seconds:.1f} s" for count, seconds in nodes.items())
        print(
            f"{one['stage']} on {one['engine']}: start {first['seconds']:.1f} s, serial {serial:.1f} s, shared "
            f"{shared:.1f} s; nodes of {CPUS_OF_A_NODE} CPUs: {shown}"
        )
    return found


if __name__ == "__main__":
    main()
