"""A million synthetic rollouts through filter, dedup, strip-reasoning and split, against a script and against polars.

    python benchmarks/pipeline_million.py [--rows 1000000] [--code-bytes 1000] [--name NAME] [--before CHECKOUT]
    python benchmarks/pipeline_million.py --rows 10000000 --small --name pipeline_ten_million

Each job runs in a process of its own: wall time is taken from its start to its end; memory is its peak resident size,
and apart from that the peak of its anonymous part (what is not a memory-mapped file, whose pages the kernel takes
back when it needs them); disk is the peak of what stands in its caches and its output. With a checkout of an earlier
version the jobs of kbtools run by that too, right before. All jobs must keep the same rows. The table and the machine
go into benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from machine import write
from pipeline_rows import generate, generate_small

HERE = Path(__file__).resolve()
# ---- the jobs -------------------------------------------------------------------------------------------------------


def with_kbtools(source: Path, out: Path, strip: bool) -> None:
    """As a user of kbtools writes it."""
    import kbtools as kb

    split = kb.Split(leakage=False)  # which the others do not measure
    steps = [kb.Filter(where="reward > 0.85"), kb.Dedup(), *([kb.StripReasoning()] if strip else []), split]
    kb.save(kb.apply(kb.load(str(source)), *steps), out / "done.parquet")


def with_python(source: Path, out: Path, strip: bool) -> None:
    """As the scripts that kbtools replaces: lists of dicts and loops."""
    with source.open() as stream:
        data = [json.loads(line) for line in stream]
    data = [row for row in data if row["reward"] > 0.85]
    best: dict[str, dict[str, Any]] = {}
    for row in data:
        name = row["info"]["module_name"]
        if name not in best or row["reward"] > best[name]["reward"]:
            best[name] = row
    kept = sorted(best.values(), key=lambda row: row["reward"], reverse=True)
    for row in kept if strip else []:
        for message in row["completion"]:
            text = message["content"]
            message["content"] = text[text.rindex("<answer>") : text.rindex("</answer>") + len("</answer>")]
            message.pop("reasoning")
    random.Random(42).shuffle(kept)
    cut = len(kept) // 10
    for name, part in (("validation", kept[:cut]), ("train", kept[cut:])):
        with (out / f"done-{name}.jsonl").open("w") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in part)


def with_polars(source: Path, out: Path, strip: bool) -> None:
    """As somebody who knows polars well writes it for this one dataset."""
    import polars as pl

    name = pl.col("info").struct.field("module_name")
    read = pl.scan_ndjson(source) if source.suffix == ".jsonl" else pl.scan_parquet(source)
    rows = read.filter(pl.col("reward") > 0.85).with_columns(name.alias("_name"))
    kept = rows.sort("reward", descending=True, maintain_order=True).unique("_name", keep="first", maintain_order=True)
    if strip:
        content = pl.element().struct.field("content").str.extract(r"(?s).*(<answer>.*</answer>)", 1)
        message = pl.struct(pl.element().struct.field("role"), content.alias("content"))
        kept = kept.with_columns(pl.col("completion").list.eval(message))
    done = kept.drop("_name").collect()
    order = done.select(name.hash(42).arg_sort()).to_series()
    cut = done.height // 10
    done[order[:cut]].write_parquet(out / "done-validation.parquet")
    done[order[cut:]].write_parquet(out / "done-train.parquet")


JOBS: dict[str, tuple[Callable[[Path, Path, bool], None], str]] = {
    "python script, jsonl": (with_python, "jsonl"),
    "polars by hand, parquet": (with_polars, "parquet"),
    "polars by hand, jsonl": (with_polars, "jsonl"),
    "kbtools, parquet": (with_kbtools, "parquet"),
    "kbtools, parquet, loaded before": (with_kbtools, "parquet"),
    "kbtools, jsonl": (with_kbtools, "jsonl"),
}


def result_of(out: Path) -> tuple[int, float, int]:
    """Rows, sum of the rewards and characters of the completions in all splits: what the jobs must agree on."""
    totals = [_totals(file) for file in out.glob("done-*.[pj]*[tl]")]
    rows, rewards, characters = (sum(column) for column in zip(*totals, strict=True))
    return int(rows), round(rewards, 3), int(characters)


def _totals(file: Path) -> tuple[int, float, int]:
    import polars as pl

    content = pl.col("completion").list.first().struct.field("content").str.len_chars()
    read = pl.scan_parquet(file) if file.suffix == ".parquet" else pl.scan_ndjson(file)
    found = read.select(pl.len(), pl.col("reward").sum(), content.sum().alias("characters")).collect()
    return found.row(0)


# ---- measuring ------------------------------------------------------------------------------------------------------


def measure(job: str, source: Path, folder: Path, strip: bool, before: str | None = None) -> dict[str, Any]:
    """Run one job in its own process, perhaps by another checkout; its wall time, peaks and result."""
    label = f"{job}, before" if before else job
    out, hub = folder / label.replace(", ", "-").replace(" ", "-"), folder / ("hub-before" if before else "hub")
    out.mkdir()
    command = [sys.executable, str(HERE), "--job", job, str(source), str(out), *(["--strip"] if strip else [])]
    other = {"PYTHONPATH": f"{before}{os.pathsep}{before}/plugins"} if before else {}
    began = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "HF_HOME": str(hub), **other})
    peak = anonymous = disk = looked = 0
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        now = _memory(process.pid)
        peak, anonymous = max(peak, now.get("VmHWM", 0)), max(anonymous, now.get("RssAnon", 0))
        disk, looked = max(disk, 0 if looked % 25 else _disk(out, hub)), looked + 1
        time.sleep(0.02)
    wall = time.perf_counter() - began
    if ended[1]:
        raise SystemExit(f"{job} failed")
    cpu = ended[2].ru_utime + ended[2].ru_stime
    written = _disk(out, hub)
    peaks = {"peak_mb": peak / 1024, "peak_anonymous_mb": anonymous / 1024, "peak_disk_mb": max(disk, written) / 2**20}
    figures = {"job": label, "seconds": wall, "cpu_seconds": cpu, **peaks, "cache_and_output_mb": written / 2**20}
    return {**figures, "result": result_of(out)}


def _disk(*places: Path) -> int:
    """Bytes of all files in these folders; some may go while they are counted."""
    total = 0
    for above, _, names in (found for place in places for found in os.walk(place)):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(above, name).stat().st_size
    return total


def _memory(pid: int) -> dict[str, int]:
    """Figures of /proc in KiB. (`ru_maxrss` would count what the parent had in memory when it forked.)"""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if "kB" in rest}


def table(figures: list[dict[str, Any]], count: int) -> str:
    """The figures as text, each job's time beside kbtools' on parquet."""
    ours = next((figure["seconds"] for figure in figures if figure["job"] == "kbtools, parquet"), float("nan"))
    names = f"{'peak MB':>9}{'anonymous':>11}{'disk':>8}"
    lines = [f"{'job':42}{'seconds':>9}{'cpu s':>8}{'rows/s':>10}{'x kbtools':>11}{names}"]
    for figure in figures:
        wall, cpu = figure["seconds"], figure["cpu_seconds"]
        times = f"{wall:9.1f}{cpu:8.1f}{count / wall:10,.0f}{wall / ours:11.2f}"
        peaks = f"{figure['peak_mb']:9,.0f}{figure['peak_anonymous_mb']:11,.0f}{figure['peak_disk_mb']:8,.0f}"
        lines.append(f"{figure['job']:42}{times}{peaks}")
    return "\n".join(lines)


def main() -> None:
    """Generate, run every job, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--code-bytes", type=int, default=1_000)
    parser.add_argument("--small", action="store_true", help="rows of a line of code; only the jobs on parquet")
    parser.add_argument("--only", action="append", choices=list(JOBS), help="run this job only (may be repeated)")
    parser.add_argument("--name", default="pipeline_million", help="the results go to results/NAME.json")
    parser.add_argument("--before", metavar="CHECKOUT", help="an earlier version, whose jobs run too")
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--strip", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        JOBS[options.job[0]][0](Path(options.job[1]), Path(options.job[2]), options.strip)
        return
    from kbtools.plugins import registry

    strip = "strip-reasoning" in registry().stages()
    with tempfile.TemporaryDirectory() as name:
        if options.small:
            sources = generate_small(Path(name), options.rows)
        else:
            sources = generate(Path(name), options.rows, options.code_bytes)
        sizes = {kind: path.stat().st_size for kind, path in sources.items()}
        print(f"{options.rows:,} rows; " + ", ".join(f"{kind} {size / 2**20:,.0f} MB" for kind, size in sizes.items()))
        chosen = [job for job in options.only or JOBS if JOBS[job][1] in sources]
        figures = []
        for job in chosen:
            versions = [options.before, None] if options.before and job.startswith("kbtools") else [None]
            figures += [measure(job, sources[JOBS[job][1]], Path(name), strip, before) for before in versions]
    print(table(figures, options.rows))
    assert len({figure["result"] for figure in figures}) == 1, f"the jobs kept different rows: {figures}"
    print(f"wrote {write(options.name, {'rows': options.rows, 'bytes': sizes, 'jobs': figures})}")


if __name__ == "__main__":
    main()
