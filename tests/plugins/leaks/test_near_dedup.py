"""The stage `near-dedup`, each removal held against the definition."""

from __future__ import annotations

import random

import datasets
import numpy as np
import pytest

import kbtools as kb
from kbtools.testing import check_stage
from kbtools_plugins.leaks import sets as blocks
from kbtools_plugins.leaks.shingles import shingles
from kbtools_plugins.leaks.tokens import stream
from tests.plugins.leaks.slow_reference import jaccard

OPS = ["relu", "tanh", "sigmoid", "exp", "log", "sin", "cos", "abs", "sqrt", "neg"]


def module(seed: int, edits: int = 0) -> str:
    """A module of a chain of operations that the seed draws, some of them drawn anew."""
    rng = random.Random(seed)
    lines = [f"        x = torch.{rng.choice(OPS)}(x) * {rng.randrange(1, 99)}" for _ in range(20)]
    for place in random.Random(edits).sample(range(20), edits):
        lines[place] = f"        x = torch.{OPS[(place + edits) % 10]}(x) - {place}"
    return (
        f"import torch\nclass M{seed}(torch.nn.Module):\n    def forward(self, x):\n"
        + "\n".join(lines)
        + "\n        return x\n"
    )


def rows(count: int = 60) -> datasets.Dataset:
    """Modules in families of near copies, with rewards."""
    rng = random.Random(5)
    codes = [module(n % 12, edits=rng.randrange(4)) for n in range(count)]
    return datasets.Dataset.from_dict(
        {
            "id": list(range(count)),
            "name": [f"m{rng.randrange(count)}" for _ in range(count)],
            "python_code": codes,
            "reward": [round(rng.random(), 2) for _ in range(count)],
        }
    )


def sets_of(ds: datasets.Dataset) -> list[frozenset[int]]:
    return [frozenset(shingles(stream(code)).tolist()) for code in ds["python_code"]]


def test_every_removed_row_is_within_the_threshold_of_a_better_kept_one_and_no_kept_pair_is():
    """What best-first means, by comparing every pair."""
    ds = rows()
    result = kb.NearDedup().run(ds)
    kept, lost = result.dataset, result.dropped[0].rows
    assert 0 < lost.num_rows < ds.num_rows
    assert kept.num_rows + lost.num_rows == ds.num_rows
    best, rewards = sets_of(kept), kept["reward"][:]
    for code, reward in zip(sets_of(lost), lost["reward"], strict=True):
        alike = [jaccard(code, other) >= 0.8 for other in best]
        assert any(near and better >= reward for near, better in zip(alike, rewards, strict=True))
    for place, one in enumerate(best):
        assert all(jaccard(one, other) < 0.8 for other in best[:place])


def test_the_order_of_the_rows_does_not_matter():
    """The same rows are kept, with ties of reward and code among them, and clusters have the same names."""
    ds = datasets.concatenate_datasets([rows(), rows().select(range(20))])
    ds = ds.remove_columns("id").add_column("reward2", [1.0] * ds.num_rows)
    shuffled = ds.shuffle(seed=3)

    def key(row):
        return sorted(row.items(), key=str)

    for stage in (kb.NearDedup(by="reward2"), kb.NearDedup(by="none", action="mark")):
        straight, mixed = (sorted(map(key, stage.run(data).dataset), key=str) for data in (ds, shuffled))
        assert straight == mixed


def test_marked_rows_have_cluster_fate_and_similarity():
    """The three columns say what dropping would do; clusters are what chains of similar pairs connect."""
    ds = rows()
    marked = check_stage(kb.NearDedup(action="mark"), ds)
    assert [row["id"] for row in marked if row["near_kept"]] == kb.NearDedup().run(ds).dataset["id"][:]
    sets = sets_of(ds)
    kept = [place for place in range(ds.num_rows) if marked[place]["near_kept"]]
    for place, row in enumerate(marked):
        alike = {jaccard(sets[place], sets[other]): ds[other]["reward"] for other in kept}
        if row["near_kept"]:
            assert row["near_similarity"] is None
        else:
            assert alike[row["near_similarity"]] >= row["reward"]
            assert row["near_similarity"] >= max(near for near, reward in alike.items() if reward > row["reward"])
        for other in range(place):
            if jaccard(sets[place], sets[other]) >= 0.8:
                assert row["near_cluster"] == marked[other]["near_cluster"]
    assert len(set(marked["near_cluster"])) > 5


def test_validation_is_kept_and_train_loses_the_row():
    """Across splits the held-out row stays, whatever the rewards say."""
    train = datasets.Dataset.from_dict({"python_code": [module(1), module(2)], "reward": [1.0, 1.0]})
    held = datasets.Dataset.from_dict({"python_code": [module(1, edits=1)], "reward": [0.0]})
    out = kb.NearDedup().run(datasets.DatasetDict({"train": train, "validation": held})).dataset
    assert out["train"]["python_code"][:] == [module(2)]
    assert out["validation"].num_rows == 1


def test_within_compares_only_rows_of_one_value():
    """The same code in two repositories stays twice."""
    ds = datasets.Dataset.from_dict(
        {"python_code": [module(1)] * 3, "reward": [1.0, 0.5, 0.2], "repo": ["a", "b", "a"]}
    )
    assert kb.NearDedup(within="repo").run(ds).dataset["reward"][:] == [1.0, 0.5]
    assert kb.NearDedup().run(ds).dataset["reward"][:] == [1.0]


def test_what_cannot_be_compared_is_counted_and_kept():
    """Code that does not parse is compared by its words; null code is kept; a null score is the worst."""
    broken = "this is not python, at all, whatever one does"
    ds = datasets.Dataset.from_dict(
        {
            "python_code": [None, broken, broken + "  ", module(1), module(1), None],
            "reward": [1.0, 0.5, 0.6, None, 0.1, 1.0],
        }
    )
    result = kb.NearDedup().run(ds)
    assert result.dataset["reward"][:] == [1.0, 0.6, 0.1, 1.0]
    notes = " ".join(result.notes)
    assert "do not parse and are compared by their words and signs: 2" in notes
    assert "without code (null), which are kept: 2" in notes
    assert "without score (null or NaN), which count as the worst: 1" in notes
    marked = kb.NearDedup(action="mark").run(ds).dataset
    assert None not in marked["near_cluster"][:]


def test_pairs_to_look_at_are_in_the_record():
    """The least alike of what was left out, both codes in full."""
    facts = kb.NearDedup().run(rows()).facts
    similarities = [pair["score"] for pair in facts["code_pairs"]]
    assert similarities == sorted(similarities)
    assert all(0.8 <= score <= 1 for score in similarities)
    assert all("forward" in pair[side]["text"] for pair in facts["code_pairs"] for side in ("left", "right"))


def test_completions_are_compared_by_the_code_of_their_answer():
    """What a model said around its code does not count."""
    code = module(3)
    ds = datasets.Dataset.from_dict(
        {
            "completion": [
                f"<answer>\n```python\n{code}\n```\n</answer>",
                f"Here you go.\n```python\n{code}```\nDone.",
            ],
            "reward": [0.1, 0.9],
        }
    )
    assert kb.NearDedup(on="completion").run(ds).dataset["reward"][:] == [0.9]


def test_marking_twice_and_missing_columns_fail_before_the_first_row():
    """Errors of the schema."""
    marked = kb.NearDedup(action="mark").run(rows(6)).dataset
    with pytest.raises(kb.errors.SchemaError, match="near_cluster"):
        kb.NearDedup(action="mark").output_features(marked.features)
    with pytest.raises(kb.errors.SchemaError, match="reward"):
        kb.NearDedup().output_features(marked.remove_columns("reward").features)
    assert kb.NearDedup(by="none").output_features(marked.remove_columns("reward").features)


def test_no_rows_are_no_error():
    """An empty dataset comes back empty."""
    assert kb.NearDedup().run(rows(3).select([])).dataset.num_rows == 0
    assert kb.NearDedup(action="mark").run(rows(3).select([])).dataset.num_rows == 0


def test_split_by_name_and_cluster_leaves_no_name_and_no_near_duplicate_on_two_sides():
    """An independent count over all pairs of train and validation."""
    marked = kb.NearDedup(action="mark").run(rows(120)).dataset
    result = kb.Split(group_by="name,near_cluster", validation=0.3).run(marked)
    train, held = result.dataset["train"], result.dataset["validation"]
    assert held.num_rows
    assert not set(train["name"]) & set(held["name"])
    pairs = [jaccard(one, other) for one in sets_of(train) for other in sets_of(held)]
    assert max(pairs) < 0.8
    shares = result.facts["leakage"]["validation"]
    assert (shares["0.8"], shares["0.9"]) == (0.0, 0.0)


def test_split_measures_what_leaks_and_warns():
    """The share of held-out rows with a neighbour in train, by comparing every pair."""
    ds = rows(80)
    result = kb.Split(group_by="none").run(ds)
    train, held = sets_of(result.dataset["train"]), sets_of(result.dataset["validation"])
    nearest = np.array([max(jaccard(one, other) for other in train) for one in held])
    shares = result.facts["leakage"]["validation"]
    assert shares == {f"{bar:g}": round(float((nearest >= bar).mean()), 4) for bar in (0.6, 0.7, 0.8, 0.9)}
    assert any(f"leakage: {shares['0.8']:.1%} of the rows of 'validation'" in note for note in result.notes)
    assert "leakage" not in kb.Split(group_by="none", leakage=False).run(ds).facts
    assert "leakage" not in kb.Split(group_by="none").run(ds.remove_columns("python_code")).facts


def test_a_split_that_is_too_large_to_be_measured_without_numba_says_so(monkeypatch):
    """The split itself is as it would be."""
    monkeypatch.setattr(blocks, "has_numba", lambda: False)
    monkeypatch.setattr(blocks, "_MOST_IN_PYTHON", 10)
    result = kb.Split(group_by="name").run(rows(30))
    assert "leakage" not in result.facts
    assert any("leakage was not measured" in note and "kbtools[dedup]" in note for note in result.notes)
    assert sum(part.num_rows for part in result.dataset.values()) == 30
