"""Time of a push beside `to_parquet` and plain `push_to_hub`: python benchmarks/push.py [--rows 20000] [--rounds 5]

All three write the same rows (about 110 MB of text) in turn, within one process, against the local Hub of the tests,
which runs as a process of its own on the same machine: figures compare ways of pushing, they say nothing of a network.
Prints the table of docs/hub.md and writes benchmarks/results/push.json.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.machine import write
from tests.servers.hub_process import HubProcess


def rollouts(rows: int) -> list[dict[str, object]]:
    """Rows whose text compresses about as code does."""
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz_", k=chance.randint(2, 9))) for _ in range(4000)]

    def text(characters: int) -> str:
        return " ".join(chance.choices(words, k=characters // 6))

    return [
        {
            "example_id": i,
            "prompt": [{"role": "user", "content": text(1200)}],
            "completion": [{"role": "assistant", "content": text(1800), "reasoning": text(1500)}],
            "reward": chance.random(),
            "info": {"module_name": f"m{i % 3000}", "python_code": text(600), "triton_code": text(400)},
        }
        for i in range(rows)
    ]


def timed(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def main(rows: int, rounds: int, hub: HubProcess) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(hub.environment(Path(folder)))  # read when the clients are imported, so before that
        import datasets
        from huggingface_hub.utils import disable_progress_bars

        import kbtools as kb

        disable_progress_bars()
        datasets.disable_progress_bars()
        ds = datasets.Dataset.from_list(rollouts(rows))
        ways = {
            "to_parquet": lambda n: ds.to_parquet(f"{folder}/{n}.parquet"),
            "push_to_hub": lambda n: ds.push_to_hub(f"me/plain{n}"),
            "kbtools push": lambda n: kb.apply(ds, kb.Push(repo=f"me/ours{n}", license="mit")),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            hub.reset()
            for name, way in ways.items():
                taken = timed(lambda way=way, number=number: way(number))
                hub.tell("forget", {})
                if number:  # the first round warms up
                    seconds[name].append(taken)
        figures = summary(seconds)
        size = {"memory_mb": ds.data.nbytes / 1e6, "parquet_mb": Path(f"{folder}/0.parquet").stat().st_size / 1e6}
    table(rows, size, figures)
    print(f"wrote {write('push', {'rows': rows, 'rounds': rounds, **size, 'seconds': figures})}")


def summary(seconds: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Median, range and the ratio to plain `push_to_hub` of each way."""
    plain = statistics.median(seconds["push_to_hub"])
    return {
        name: {
            "median": round(statistics.median(taken), 3),
            "min": round(min(taken), 3),
            "max": round(max(taken), 3),
            "beside_push_to_hub": round(statistics.median(taken) / plain, 3),
        }
        for name, taken in seconds.items()
    }


def table(rows: int, size: dict[str, float], figures: dict[str, dict[str, float]]) -> None:
    """The figures as docs/hub.md has them."""
    print(f"{rows:,} rows, {size['memory_mb']:.0f} MB in memory, {size['parquet_mb']:.0f} MB as parquet")
    print("| way | seconds | beside `push_to_hub` |\n|---|---:|---:|")
    for name, f in figures.items():
        print(f"| {name} | {f['median']:.2f} ({f['min']:.2f} to {f['max']:.2f}) | {f['beside_push_to_hub']:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    process = HubProcess()
    try:
        main(chosen.rows, chosen.rounds, process)
    finally:
        process.stop()
