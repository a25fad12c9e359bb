"""The stage `split`: no group on two sides, the sizes that were asked for, and the same split for the same rows."""

from __future__ import annotations

import random
from typing import Any

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kbtools as kb
from kbtools.testing import check_stage
from tests.rows import EVALS, evals, made


def modules(count: int, each: int = 1) -> datasets.Dataset:
    """Evals rows of so many modules, so many rows of each, mixed."""
    return evals([i / 1000 for i in range(count * each)], [f"m{i % count}" for i in range(count * each)])


def names(ds: datasets.Dataset) -> set[str]:
    """Names of the modules in a dataset."""
    return {info["module_name"] for info in ds["info"]}


def groups_of(result: kb.Result) -> dict[str, set[str]]:
    """Names of the modules in each split."""
    return {name: names(ds) for name, ds in result.dataset.items()}


def test_train_and_validation_are_ninety_to_ten_by_default() -> None:
    """The split names, their order and the sizes that users expect."""
    out = check_stage(kb.Split(), modules(100))
    assert {name: ds.num_rows for name, ds in out.items()} == {"train": 90, "validation": 10}


def test_rows_of_one_module_stay_together() -> None:
    """No module stands on both sides, and the facts say that this was checked."""
    result = kb.Split(test=0.2).run(modules(30, each=7))
    groups = groups_of(result)
    assert groups["train"] | groups["validation"] | groups["test"] == names(modules(30))
    assert sum(len(group) for group in groups.values()) == 30
    assert result.facts["shared_groups"] == 0
    assert result.facts["splits"]["validation"] == {"rows": 21, "share": 0.1, "groups": 3}


def test_order_of_the_rows_does_not_matter() -> None:
    """Shuffled rows give the same split, and each split keeps the order that its rows had."""
    ds = modules(50, each=2)
    order = random.Random(0).sample(range(100), 100)
    straight, shuffled = kb.Split().run(ds).dataset, kb.Split().run(ds.select(order)).dataset
    for name in straight:
        assert sorted(straight[name]["example_id"]) == sorted(shuffled[name]["example_id"])
        assert straight[name]["example_id"][:] == sorted(straight[name]["example_id"])


def test_seed_decides_the_split() -> None:
    """One seed gives one split, pinned here so that no version of kbtools changes it; another seed gives another."""
    assert groups_of(kb.Split().run(modules(20)))["validation"] == {"m4", "m9"}
    assert groups_of(kb.Split(seed=1).run(modules(20)))["validation"] != {"m4", "m9"}


def test_a_group_with_as_many_rows_of_two_strata_counts_as_the_first_of_them() -> None:
    """So the split of mixed groups is pinned, too: five modules of one stratum, five of the other, ten of both."""
    kinds = ["a" if row % 20 < 5 else "b" if row % 20 < 10 else "ab"[row // 20] for row in range(40)]
    split = kb.Split(stratify="kind", validation=0.2).run(modules(20, each=2).add_column("kind", kinds))
    assert groups_of(split)["validation"] == {"m0", "m10", "m4", "m9"}


def test_test_split_leaves_validation_as_it_is() -> None:
    """ModelStage for a test split later takes its groups from train."""
    without, with_test = kb.Split().run(modules(60, each=2)), kb.Split(test=0.2).run(modules(60, each=2))
    assert groups_of(without)["validation"] == groups_of(with_test)["validation"]


def test_a_split_that_is_not_as_large_as_asked_for_is_told_of() -> None:
    """From more than one row on, and a fifth of what was asked for."""
    assert kb.Split().run(modules(8, each=7)).notes[0].startswith("split 'validation' has 7 of 56 rows, not 6:")
    assert not any("groups are kept whole" in note for note in kb.Split().run(modules(60)).notes)


def test_only_a_test_split_may_be_asked_for() -> None:
    """A share of 0 leaves the split out."""
    assert {name: ds.num_rows for name, ds in kb.Split(validation=0, test=0.5).run(modules(10)).dataset.items()} == {
        "train": 5,
        "test": 5,
    }


def test_without_groups_rows_are_split_singly_but_equal_rows_stay_together() -> None:
    """`none` is the old behaviour, except that copies of one row never stand on both sides."""
    ds = datasets.concatenate_datasets([modules(10, each=10), modules(10, each=10)])
    result = check_stage(kb.Split(group_by="none"), ds)
    assert {name: part.num_rows for name, part in result.items()} == {"train": 180, "validation": 20}
    assert not set(result["train"]["example_id"]) & set(result["validation"]["example_id"])
    assert names(result["train"]) & names(result["validation"])


def test_strata_have_the_same_share_in_every_split() -> None:
    """Each value of the column is split like the whole, and the facts show it."""
    ds = modules(100).add_column("difficulty", ["low"] * 20 + ["medium"] * 60 + ["high"] * 20)
    result = kb.Split(stratify="difficulty").run(ds)
    assert result.facts["splits"]["validation"]["strata"] == {"high": 2, "low": 2, "medium": 6}
    check_stage(kb.Split(stratify="difficulty"), ds)


def test_rare_strata_do_not_add_up_to_a_wrong_size() -> None:
    """What a small stratum cannot give is taken from the next, so that the whole keeps its size."""
    ds = modules(100).add_column("score", [i // 2 for i in range(100)])
    assert kb.Split(stratify="score").run(ds).dataset["validation"].num_rows == 10


def test_null_is_a_stratum_of_its_own() -> None:
    """A missing label does not keep a row from being split."""
    ds = modules(40).add_column("label", ["x"] * 20 + [None] * 20)
    assert kb.Split(stratify="label").run(ds).facts["splits"]["validation"]["strata"] == {"None": 2, "x": 2}


def test_large_groups_are_noted() -> None:
    """Sizes that whole groups cannot give are said, with what was asked for."""
    ds = evals([0.0] * 20, ["A"] * 10 + ["B"] * 10)
    result = kb.Split().run(ds)
    assert result.dataset["validation"].num_rows == 10
    assert "split 'validation' has 10 of 20 rows, not 2: groups are kept whole." in result.notes


def test_every_split_gets_a_group_if_there_are_enough() -> None:
    """A share smaller than any group takes the smallest group rather than nothing."""
    ds = evals([0.0] * 6, ["A", "A", "A", "B", "B", "C"])
    assert groups_of(kb.Split(validation=0.01).run(ds))["validation"] == {"C"}
    assert all(groups_of(kb.Split(validation=0.5, test=0.45).run(ds)).values())


def test_fewer_groups_than_splits_is_an_error() -> None:
    """It cannot be done without an empty split or a shared group."""
    with pytest.raises(kb.errors.DataError, match=r"1 group \(module_name\) cannot fill 2 splits"):
        kb.Split().run(evals([0.1, 0.2], ["A", "A"]))


def test_missing_group_is_an_error_that_names_the_rows() -> None:
    """A row without a name could be a copy of any other."""
    with pytest.raises(kb.errors.RowError, match=r"info\.module_name is null.*row 1 \(example_id 101\)"):
        kb.Split().run(evals([0.1, 0.2], ["A", None]))


def test_dataset_of_one_split_is_split() -> None:
    """Hub datasets arrive as {train: ...}."""
    out = kb.Split().run(datasets.DatasetDict({"train": modules(20)})).dataset
    assert {name: ds.num_rows for name, ds in out.items()} == {"train": 18, "validation": 2}


def test_dataset_that_is_split_already_is_an_error_unless_merged() -> None:
    """The sizes are named, and both ways out; --merge splits all rows anew."""
    splits = datasets.DatasetDict({"train": modules(20).select(range(18)), "validation": modules(20).select([18, 19])})
    with pytest.raises(kb.errors.UsageError, match=r"train 18, validation 2.*--split NAME.*--merge"):
        kb.Split().run(splits)
    assert groups_of(kb.Split(merge=True).run(splits)) == groups_of(kb.Split().run(modules(20)))


def test_empty_dataset_gives_empty_splits() -> None:
    """No rows are not an error."""
    out = kb.Split(test=0.1, stratify="task").run(evals([])).dataset
    assert {name: ds.num_rows for name, ds in out.items()} == {"train": 0, "validation": 0, "test": 0}
    assert all(ds.features == EVALS for ds in out.values())


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"validation": 1.0}, "less than 1"),
        ({"validation": -0.1}, "greater than or equal to 0"),
        ({"validation": 0.6, "test": 0.4}, "leave rows to train"),
        ({"validation": 0, "test": 0}, "more than 0"),
    ],
)
def test_impossible_shares_are_refused(fields: dict[str, Any], says: str) -> None:
    """Shares must leave something to every split."""
    with pytest.raises(kb.errors.UsageError, match=says):
        kb.Split(**fields)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"group_by": "modul"}, "no column 'modul'"),
        ({"group_by": "prompt"}, "single values"),
        ({"stratify": "completion"}, "single values"),
    ],
)
def test_wrong_column_is_found_before_the_first_row(fields: dict[str, Any], says: str) -> None:
    """Unknown columns and columns of lists are errors of the schema."""
    with pytest.raises(kb.errors.SchemaError, match=says):
        kb.Split(**fields).output_features(EVALS)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(1, 9), min_size=3, max_size=40),
    st.floats(0.05, 0.5),
    st.sampled_from([0.0, 0.1, 0.3]),
    st.randoms(use_true_random=False),
)
def test_any_groups_are_split_whole_reproducibly_and_near_the_size(
    sizes: list[int], validation: float, test: float, shuffle: random.Random
) -> None:
    """Whatever the sizes: nothing lost, shared or empty, the same in any order, off by one group at most."""
    group_of_row = [f"g{group}" for group, size in enumerate(sizes) for _ in range(size)]
    ds = made({"id": list(range(len(group_of_row))), "name": group_of_row})
    stage = kb.Split(group_by="name", validation=validation, test=test)
    out = stage.run(ds).dataset
    assert sorted(i for part in out.values() for i in part["id"]) == list(range(ds.num_rows))
    assert sum(len(set(part["name"])) for part in out.values()) == len(sizes)
    assert all(part.num_rows for part in out.values())
    order = list(range(ds.num_rows))
    shuffle.shuffle(order)
    again = stage.run(ds.select(order)).dataset
    assert all(sorted(out[name]["id"]) == sorted(again[name]["id"]) for name in out)
    assert abs(out["validation"].num_rows - validation * ds.num_rows) <= max(sizes)


def test_columns_that_only_the_split_needed_are_left_out() -> None:
    """Groups and leakage are those of the whole rows; a column that is not there is an error before the first row."""
    ds = modules(20).add_column("key", [row // 2 for row in range(20)])
    out = check_stage(kb.Split.model_validate({"group_by": "key", "drop_columns": "key"}), ds)
    kept = kb.Split(group_by=("key",)).run(ds).dataset
    for name, part in out.items():
        assert part.column_names == modules(1).column_names
        assert part["example_id"][:] == kept[name]["example_id"][:]
    with pytest.raises(kb.errors.SchemaError, match="--drop-columns: there is no column other"):
        kb.Split(drop_columns=("other",)).output_features(ds.features)
