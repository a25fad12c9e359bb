"""What near-dedup and decontaminate find of code that was changed in known ways, and what they take for it wrongly.

    python -m benchmarks.leak_recall [--tasks 30] [--sample 24] [--library 60] [--no-runs]

The originals are problems written by rule, the modules of the sample, and functions and classes of Python's own
library; each is renamed, reformatted, reordered, wrapped, rewritten in functions, and changed in a constant or an
operator. near-dedup is run on all of it, every decision is compared with the definition (every pair), and again on
the rows in another order. decontaminate holds all versions of every second original, and the others, against these
originals. --no-runs leaves out what runs code (trace and computation).
"""

from __future__ import annotations

import argparse
import ast
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import datasets

import kbtools as kb
from benchmarks.machine import write
from kbtools_plugins.leaks.shingles import shingles
from kbtools_plugins.leaks.tokens import Normalise, stream
from tests.plugins.leaks.mutations import OTHER, SAME
from tests.plugins.leaks.slow_reference import greedy, jaccard
from tests.plugins.leaks.variants import VARIANTS as OF_TASKS
from tests.plugins.leaks.variants import constants_changed, one_operator_replaced, tasks

THRESHOLD = 0.8
RUN = "tasks that run"
"""Tasks of operators that keep the shape of their inputs, so that every one of them can be run."""
ORIGINAL = "unrelated"
"""The version of rows that are nobody's copy."""
NORMALISED: tuple[Normalise, ...] = ("raw", "ast", "names")
LEVELS = {
    "exact": ("exact",),
    "task": ("exact", "operators", "contained"),
    "task --trace": ("exact", "operators", "contained", "trace"),
    "computation": ("exact", "operators", "contained", "trace", "computation"),
    "similar": ("similar",),
}


@dataclass(frozen=True)
class Row:
    """One version of one original."""

    source: str
    original: str
    version: str
    code: str


# ---- the corpus


def originals(source: str, count: int) -> dict[str, str]:
    """Codes by name."""
    if source == "sample":
        info = {one["module_name"]: one["python_code"] for one in kb.load("sample")["info"]}
        return dict(list(info.items())[:count])
    if source != "library":
        return {task.name: task.code() for task in tasks(count, runnable=source == RUN)}
    return dict(list(library())[:count])


def library() -> Iterator[tuple[str, str]]:
    """Functions and classes of Python's library that are neither very short nor very long."""
    for file in sorted(Path(ast.__file__).parent.glob("*.py")):
        text = file.read_text(encoding="utf-8", errors="replace")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                code = ast.get_source_segment(text, node) or ""
                if 50 <= len(stream(code)) <= 800:
                    yield f"{file.stem}.{node.name}", code


def versions(source: str, count: int) -> Iterator[Row]:
    """Every original and its versions."""
    made = {task.name: task for task in tasks(count, runnable=source == RUN)} if source in ("tasks", RUN) else {}
    for place, (name, code) in enumerate(originals(source, count).items()):
        yield Row(source, name, "", code)
        changed = {version: change(code) for version, change in SAME.items()}
        changed |= {version: change(code, place) for version, change in OTHER.items()}
        if name in made:  # written by rule, so its versions can be as well
            changed |= {version: change(code) for version, change in OF_TASKS.items()}
            changed["functional"] = made[name].functional()
            changed["operator replaced"] = one_operator_replaced(code, place)
            changed["constant changed"] = constants_changed(code)
        yield from (Row(source, name, version, text) for version, text in changed.items() if text)


# ---- near-dedup


def similar_enough(rows: list[Row]) -> dict[str, dict[str, float]]:
    """Share of the versions within the threshold of their original, by version and by what does not count."""
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for normalise in NORMALISED:
        first: dict[str, frozenset[int]] = {}
        for row in rows:
            made = frozenset(shingles(stream(row.code, normalise)).tolist())
            if row.version:
                near = jaccard(made, first[row.original]) >= THRESHOLD
                found[f"{row.source}, {row.version}"][normalise].append(near)
            else:
                first[row.original] = made
        names = list(first)
        false = [jaccard(first[one], first[other]) >= THRESHOLD for at, one in enumerate(names) for other in names[:at]]
        found[f"{rows[0].source}, pairs of originals"][normalise] = false
    return {version: {by: share(hits) for by, hits in shares.items()} for version, shares in found.items()}


def share(hits: list[bool]) -> float:
    """Of so many, how many."""
    return round(sum(hits) / max(len(hits), 1), 4)


def checked(rows: list[Row]) -> dict[str, int]:
    """The stage over everything, beside the definition: how many decisions differ, also with the rows shuffled."""
    ids = list(range(len(rows)))
    ds = datasets.Dataset.from_dict({"id": ids, "python_code": [row.code for row in rows], "reward": ids[::-1]})
    kept = set(kb.NearDedup().run(ds).dataset["id"])
    shuffled = set(kb.NearDedup().run(ds.shuffle(seed=7)).dataset["id"])
    sets = [frozenset(shingles(stream(row.code)).tolist()) for row in rows]
    slow = {place for place, (matched, _) in enumerate(greedy(sets, THRESHOLD)) if matched < 0}
    return {
        "rows": len(rows),
        "removed": len(rows) - len(kept),
        "other than by comparing every pair": len(kept ^ slow),
        "other when shuffled": len(kept ^ shuffled),
    }


# ---- decontaminate


def hits(rows: list[Row], *, runs: bool) -> dict[str, dict[str, float]]:
    """Share of the versions that each level finds, and of rows that are nobody's copy."""
    names = list(dict.fromkeys(row.original for row in rows))
    problems = set(names[::2])
    held = [row for row in rows if (row.original in problems) == bool(row.version)]
    ds = datasets.Dataset.from_dict({"python_code": [row.code for row in held]})
    with tempfile.TemporaryDirectory() as folder:
        bench = Path(folder) / "bench.jsonl"
        known = [row for row in rows if row.original in problems and not row.version]
        bench.write_text("".join(json.dumps({"name": row.original, "code": row.code}) + "\n" for row in known))
        certain = marked(ds, bench, "computation" if runs else "task")
        similar = marked(ds, bench, "similar")
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for row, *marks in zip(held, certain, similar, strict=True):
        for level, wanted in LEVELS.items():
            kind, problem = marks[level == "similar"]
            its = problem == f"bench:{row.original}" or not row.version
            found[f"{row.source}, {row.version or ORIGINAL}"][level].append(kind in wanted and its)
    return {
        version: {level: share(got) for level, got in levels.items() if runs or level in ("exact", "task", "similar")}
        for version, levels in found.items()
    }


def marked(ds: datasets.Dataset, bench: Path, level: str) -> list[tuple[str | None, str | None]]:
    """How each row was found, and as what problem."""
    stage = kb.Decontaminate.model_validate({"against": (f"{bench}:code",), "level": level, "action": "mark"})
    result = stage.run(ds)
    for note in result.notes:
        print(f"  {level}: {note}")
    rows = result.dataset
    return list(zip(rows["contamination_kind"][:], rows["contaminated_by"][:], strict=True))


# ---- what people read


def table(title: str, shares: dict[str, dict[str, float]]) -> str:
    """Shares by version, and by level."""
    levels = list(dict.fromkeys(level for found in shares.values() for level in found))
    lines = [f"{title:34}" + "".join(f"{level:>14}" for level in levels)]
    for version, found in shares.items():
        lines.append(
            f"{version:34}" + "".join(f"{found[level]:>14.1%}" if level in found else " " * 14 for level in levels)
        )
    return "\n".join(lines)


def main() -> None:
    """Print the tables and write them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=30)
    parser.add_argument("--sample", type=int, default=24)
    parser.add_argument("--library", type=int, default=60)
    parser.add_argument("--no-runs", action="store_true")
    options = parser.parse_args()
    corpus = {
        "tasks": list(versions("tasks", options.tasks)),
        RUN: list(versions(RUN, options.tasks // 3)),
        "sample": list(versions("sample", options.sample)),
        "library": list(versions("library", options.library)),
    }
    near = {version: found for rows in corpus.values() for version, found in similar_enough(rows).items()}
    print(table(f"near-dedup at {THRESHOLD:g}: similar", near))
    exact = checked([row for rows in corpus.values() for row in rows])
    print("near-dedup, all rows: " + ", ".join(f"{name} {count:,}" for name, count in exact.items()), flush=True)
    found: dict[str, dict[str, float]] = {}
    for source, rows in corpus.items():
        found |= hits(rows, runs=source in (RUN, "sample") and not options.no_runs)
    print(table("decontaminate: found", found))
    print(f"wrote {write('leak_recall', {'near_dedup': near, 'checked': exact, 'decontaminate': found})}")


if __name__ == "__main__":
    main()
