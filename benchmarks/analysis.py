"""The stages correlate, agreement and stats on many rows: seconds, processor seconds, and the notes that they give.

    python benchmarks/analysis.py [--rows 1000000]

Three rows of a module on average; difficulty and a second opinion on it, a style of 0 to 10, a reward that no two rows
share, nested columns, a column of nulls, a third of NaN, and a million different texts of 600 characters.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from machine import write

import kbtools as kb

_LABELS = np.array(["low", "medium", "high"])
_CODE = "def f(x):\n    return tl.load(x + offs, mask=mask)\n" * 12


def rows(count: int) -> datasets.Dataset:
    """The rows, in memory."""
    rng = np.random.default_rng(0)
    difficulty = rng.integers(0, 3, count)
    opinion = np.where(rng.random(count) < 0.7, difficulty, rng.integers(0, 3, count))
    module = rng.integers(0, max(count // 3, 1), count)
    deep = pa.StructArray.from_arrays([pa.array(module % 7)], ["level"])
    columns = {
        "module_name": pa.array(np.char.add("M", module.astype(str))),
        "difficulty": pa.array(_LABELS[difficulty]),
        "gold_difficulty": pa.array(_LABELS[opinion]),
        "style": pa.array(rng.integers(0, 11, count)),
        "reward": pa.array(rng.lognormal(size=count) + difficulty),
        "nothing": pa.nulls(count, pa.string()),
        "holes": pa.array(np.where(rng.random(count) < 1 / 3, np.nan, 1.0), from_pandas=False),
        "info": pa.StructArray.from_arrays([deep], ["deep"]),
        "code": pa.array([f"{number}\n{_CODE}" for number in range(count)]),
    }
    return datasets.Dataset(pa.table(columns))


def timed(stage: kb.Stage, ds: datasets.Dataset) -> dict[str, Any]:
    """One stage over all rows."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = stage.run(ds)
    seconds = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    return {**{name: round(value, 1) for name, value in seconds.items()}, "notes": list(result.notes)}


def main() -> None:
    """Run the three, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    count = parser.parse_args().rows
    ds = rows(count)
    stages = (kb.Stats(), kb.Agreement(between=("difficulty", "gold_difficulty")), kb.Correlate(plots=None))
    found = {stage.name: timed(stage, ds) for stage in stages}
    print(json.dumps(found, indent=1))
    write("analysis", {"rows": count, **found})


if __name__ == "__main__":
    main()
