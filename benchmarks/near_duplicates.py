"""Exact near-deduplication beside rensa and datasketch: processor time, memory, and what each removes or keeps wrongly.

    pip install rensa==0.5.0 datasketch==2.0.0
    python -m benchmarks.near_duplicates [--rows 50000 200000 1000000] [--tools kbtools rensa datasketch]

The rows are codes of Python's own library and tasks written by rule, in families of near copies: tokens of a copy are
replaced at a rate between 0 and 10 %. Every tool gets the same sets of shingles from one file, in one order, and keeps
a row unless it finds one that it has kept at Jaccard 0.8 or more; each runs in a process of its own. What is wrong is
counted with the exact join, whose result the tests hold against the comparison of every pair: a false removal has no
kept row within the threshold, a miss is kept though one before it is.
"""

from __future__ import annotations

import argparse
import ast
import importlib.metadata
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import write
from kbtools_plugins.leaks.sets import Sets
from kbtools_plugins.leaks.shingles import shingles
from kbtools_plugins.leaks.tokens import TokenStream, stream
from tests.plugins.leaks.variants import tasks

THRESHOLD = 0.8
PERMUTATIONS, BANDS = 128, 16
RATES = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1)
LONGEST = 900
"""Processor seconds after which a tool is stopped; the rows that it has decided by then are checked."""


# ---- the rows


def bases(most: int) -> list[TokenStream]:
    """Streams of functions and classes of Python's library, and of tasks."""
    found = [stream(task.code()) for task in tasks(500)]
    library = Path(ast.__file__).parent
    for file in sorted(library.glob("*.py")) + sorted(library.glob("*/*.py")):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        try:
            body = ast.parse("\n".join(lines)).body
        except (SyntaxError, ValueError):
            continue
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                made = stream("\n".join(lines[node.lineno - 1 : node.end_lineno]))
                if 40 <= len(made) <= 400:
                    found.append(made)
        if len(found) >= most:
            break
    return found[:most]


def copies(originals: list[TokenStream], count: int) -> Iterator[np.ndarray]:
    """The shingles of so many near copies, in a shuffled order."""
    rng = np.random.default_rng(7)
    for base in rng.integers(0, len(originals), count):
        original = originals[base]
        tokens = original.tokens.copy()
        changed = rng.random(len(tokens)) < RATES[rng.integers(len(RATES))]
        tokens[changed] = rng.integers(0, 1 << 63, int(changed.sum()), dtype=np.uint64)
        yield shingles(TokenStream(tokens, original.names, parsed=True))


def generate(folder: Path, originals: list[TokenStream], count: int) -> None:
    """Write the shingles of all rows one after the other, and where each begins."""
    lengths = []
    with (folder / "shingles.bin").open("wb") as file:
        for one in copies(originals, count):
            lengths.append(len(one))
            file.write(one.tobytes())
    np.save(folder / "starts.npy", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


# ---- the tools: each gives for every row whether it is kept


def with_kbtools(starts: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The exact join."""
    return Sets.in_place(starts, np.array(keys)).greedy(THRESHOLD).matched < 0


def with_rensa(starts: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Its deduplicator, with bands and its own estimate."""
    import rensa

    known = rensa.RMinHashDeduplicator(THRESHOLD, PERMUTATIONS, True, BANDS)
    kept: list[bool] = []
    for tokens in in_time(rows_of(starts, keys)):
        made = rensa.RMinHash(PERMUTATIONS, 42)
        made.update(tokens)
        kept.append(known.add(str(len(kept)), made))
    return np.array(kept, bool)


def with_datasketch(starts: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Its LSH index, and its estimate for what the index proposes."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    known: dict[int, Any] = {}
    kept: list[bool] = []
    for row, tokens in enumerate(in_time(rows_of(starts, keys))):
        made = MinHash(num_perm=PERMUTATIONS)
        made.update_batch(tokens)
        kept.append(not any(made.jaccard(known[other]) >= THRESHOLD for other in index.query(made)))
        if kept[row]:
            index.insert(row, made)
            known[row] = made
    return np.array(kept, bool)


def in_time(rows: Iterator[list[bytes]]) -> Iterator[list[bytes]]:
    """Rows until the processor time of this process is used up."""
    return itertools.takewhile(lambda _: time.process_time() < LONGEST, rows)


def rows_of(starts: np.ndarray, keys: np.ndarray) -> Iterator[list[bytes]]:
    """The shingles of each row as bytes, which is what both take."""
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        data = keys[start:end].tobytes()
        yield [data[place : place + 8] for place in range(0, len(data), 8)]


TOOLS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "kbtools": with_kbtools,
    "rensa": with_rensa,
    "datasketch": with_datasketch,
}


# ---- measuring


def measure(tool: str, folder: Path) -> dict[str, Any]:
    """One tool over the rows, in this process."""
    starts = np.load(folder / "starts.npy")
    keys = np.memmap(folder / "shingles.bin", np.uint64, "r")
    compiled = 0.0
    if tool == "kbtools":  # the first call compiles, or loads what was compiled before
        began = time.process_time()
        with_kbtools(np.arange(0, 2_000_400, 200), np.random.default_rng(0).integers(0, 1 << 63, 2_000_400, np.uint64))
        compiled = time.process_time() - began
    wall, cpu = time.perf_counter(), time.process_time()
    kept = TOOLS[tool](starts, keys)
    figures = {"cpu_seconds": time.process_time() - cpu, "seconds": time.perf_counter() - wall}
    np.save(folder / f"{tool}.npy", kept)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        **figures,
        "first_call_cpu_seconds": compiled,
        "peak_gb": peak,
        "decided": len(kept),
        "kept": int(kept.sum()),
    }


def mistakes(tool: str, folder: Path) -> dict[str, int]:
    """Rows removed without a kept row within the threshold, and rows kept though a kept one before is within it."""
    kept = np.load(folder / f"{tool}.npy")
    starts = np.load(folder / "starts.npy")[: len(kept) + 1]
    keys = np.memmap(folder / "shingles.bin", np.uint64, "r")
    rows = [keys[start:end] for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)]
    inside, outside = np.flatnonzero(kept), np.flatnonzero(~kept)
    misses = Sets.of(rows[row] for row in inside).greedy(THRESHOLD)
    nearest = Sets.of([rows[row] for row in (*inside, *outside)]).against(THRESHOLD, len(inside))
    return {
        "false_removals": int((nearest.similarities[len(inside) :] < THRESHOLD).sum()),
        "misses": int((misses.matched >= 0).sum()),
        "removed": len(outside),
    }


def run(tool: str, folder: Path, what: str) -> dict[str, Any]:
    """A step in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.near_duplicates", "--step", what, tool, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        return {"failed": ended.stderr.strip().splitlines()[-1:] or f"ended with {ended.returncode}"}
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def table(figures: list[dict[str, Any]]) -> str:
    """The figures as people read them."""
    heads = f"{'rows':>10}{'tool':>12}{'cpu s':>9}{'peak GB':>9}{'decided':>11}{'kept':>10}"
    lines = [f"{heads}{'false removals':>16}{'misses':>9}"]
    for one in figures:
        if "failed" in one:
            lines.append(f"{one['rows']:>10,}{one['tool']:>12}  failed: {one['failed']}")
            continue
        wrong = one["false_removals"] / max(one["removed"], 1)
        lines.append(
            f"{one['rows']:>10,}{one['tool']:>12}{one['cpu_seconds']:>9.1f}{one['peak_gb']:>9.2f}"
            f"{one['decided']:>11,}{one['kept']:>10,}"
            f"{one['false_removals']:>9,} ({wrong:.1%}){one['misses']:>9,}"
        )
    return "\n".join(lines)


def main() -> None:
    """All sizes and tools, or one step in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000, 200_000, 1_000_000])
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        what, tool, folder = options.step
        print(json.dumps({"measure": measure, "mistakes": mistakes}[what](tool, Path(folder))))
        return
    figures, originals = [], bases(5_000)
    for count in options.rows:
        with tempfile.TemporaryDirectory() as name:
            generate(Path(name), originals, count)
            for tool in options.tools:
                found = run(tool, Path(name), "measure")
                if "failed" not in found:
                    found |= run(tool, Path(name), "mistakes")
                figures.append({"rows": count, "tool": tool, **found})
                print(table(figures[-1:]), flush=True)
    print(table(figures))
    versions = {name: importlib.metadata.version(name) for name in ("numba", *options.tools) if name != "kbtools"}
    print(f"wrote {write('near_duplicates', {'threshold': THRESHOLD, 'versions': versions, 'runs': figures})}")


if __name__ == "__main__":
    main()
