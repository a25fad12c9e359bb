"""The chain that users are told to run, counted independently of everything that it is made of."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import datasets
import pytest

from kbtools_plugins.leaks.shingles import shingles
from kbtools_plugins.leaks.tokens import stream
from tests.plugins.leaks.mutations import OTHER, SAME
from tests.plugins.leaks.slow_reference import jaccard
from tests.plugins.leaks.variants import tasks


def rows() -> list[dict[str, object]]:
    """Problems with their versions, under names that several of them share."""
    rng = random.Random(2)
    codes = [text for task in tasks(20, seed=6) for text in (
        task.code(), *(change(task.code()) for change in SAME.values()), OTHER["constant changed"](task.code(), 1)
    ) if text]  # fmt: skip
    return [
        {"module_name": f"M{rng.randrange(150)}", "python_code": code, "triton_code": "x = 1", "reward": rng.random()}
        for code in codes
    ]


@pytest.fixture
def split(tmp_path):
    """What the command makes of these rows."""

    def run(*words: str) -> tuple[datasets.DatasetDict, dict[str, object], str]:
        datasets.Dataset.from_list(rows()).to_parquet(tmp_path / "rows.parquet")
        command = [
            sys.executable,
            "-c",
            "from kbtools.cli import main; main()",
            "apply",
            *words,
            "--dataset",
            "rows.parquet",
            "--out",
            "out",
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        record = next(tmp_path.rglob("*lineage.json"))
        return datasets.load_from_disk(str(tmp_path / "out")), json.loads(record.read_text()), done.stdout + done.stderr

    return run


def near(out: datasets.DatasetDict) -> list[float]:
    """For each held-out row the similarity of its nearest neighbour in train, by comparing every pair."""
    train, held = (
        [frozenset(shingles(stream(code)).tolist()) for code in out[name]["python_code"]]
        for name in ("train", "validation")
    )
    return [max(jaccard(one, other) for other in train) for one in held]


@pytest.mark.slow
def test_the_chain_leaves_no_name_and_no_near_duplicate_on_both_sides(split):
    """0 shared names, 0 pairs over the threshold."""
    out, _, _ = split("near-dedup", "--action", "mark", "split", "--group-by", "module_name,near_cluster")
    assert sum(part.num_rows for part in out.values()) == len(rows())
    assert out["validation"].num_rows
    assert not set(out["train"]["module_name"]) & set(out["validation"]["module_name"])
    assert max(near(out)) < 0.8
    clusters = [set(out[name]["near_cluster"]) for name in out]
    assert not clusters[0] & clusters[1]


@pytest.mark.slow
def test_the_default_split_warns_of_what_it_leaves(split):
    """With the figure that comparing every pair gives, in what is printed and in the record."""
    out, record, printed = split("split")
    found = near(out)
    share = sum(one >= 0.8 for one in found) / len(found)
    assert share > 0.01
    assert f"leakage: {share:.1%} of the rows of 'validation'" in " ".join(printed.split())
    shares = record["records"][-1]["facts"]["leakage"]
    assert shares["validation"] == {
        f"{bar:g}": round(sum(one >= bar for one in found) / len(found), 4) for bar in (0.6, 0.7, 0.8, 0.9)
    }
