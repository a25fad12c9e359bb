"""The stage `sample`: which rows stay, in which order, and what is said of the rest."""

from __future__ import annotations

from collections import Counter
from typing import Any

import datasets
import pytest

import kbtools as kb
from kbtools.testing import check_stage
from tests.rows import EVALS, evals

ROWS = evals([i / 100 for i in range(40)], [f"m{i % 8}" for i in range(40)])


def test_first_keeps_the_first_rows() -> None:
    """The rest is dropped and counted."""
    assert check_stage(kb.Sample(first=3), ROWS)["example_id"][:] == [100, 101, 102]
    assert kb.Sample(first=3).run(ROWS).dropped_counts() == {"not in the sample": 37}


def test_random_rows_follow_from_the_seed_and_keep_their_order() -> None:
    """The same seed draws the same rows; they stand as they came."""
    drawn = check_stage(kb.Sample(random=10), ROWS)["example_id"][:]
    assert len(set(drawn)) == 10
    assert drawn == sorted(drawn)
    assert drawn != kb.Sample(random=10, seed=1).run(ROWS).dataset["example_id"][:]


def test_larger_draw_contains_the_smaller_one() -> None:
    """ModelStage for more rows adds rows and takes none away."""
    assert set(kb.Sample(random=5)(ROWS)["example_id"]) < set(kb.Sample(random=9)(ROWS)["example_id"])


def test_per_group_keeps_some_rows_of_each_group() -> None:
    """Every group stays, with no more rows than asked for."""
    out = check_stage(kb.Sample(per_group=2), ROWS)
    assert Counter(info["module_name"] for info in out["info"]) == {f"m{i}": 2 for i in range(8)}


def test_small_group_is_kept_whole() -> None:
    """A group with fewer rows is not an error."""
    assert kb.Sample(per_group=9, group_by="task")(ROWS.select([0, 1])).num_rows == 2


def test_group_may_be_any_column() -> None:
    """`group_by` names a role or a column."""
    assert kb.Sample(per_group=1, group_by="task")(ROWS).num_rows == 1


def test_fewer_rows_than_asked_for_are_noted() -> None:
    """All rows stay, and a note says that there are no more."""
    for stage in (kb.Sample(first=50), kb.Sample(random=50)):
        result = stage.run(ROWS)
        assert (result.dataset.num_rows, result.dropped_counts()) == (40, {})
        assert result.notes == ("asked for 50 rows, but there are only 40",)


def test_every_split_is_sampled_alone() -> None:
    """N rows of each split, not N of all."""
    splits = datasets.DatasetDict({"train": ROWS, "validation": ROWS.select(range(2))})
    assert {name: ds.num_rows for name, ds in kb.Sample(first=3).run(splits).dataset.items()} == {
        "train": 3,
        "validation": 2,
    }


@pytest.mark.parametrize("fields", [{}, {"first": 1, "random": 1}, {"first": 1, "random": 1, "per_group": 1}])
def test_exactly_one_way_must_be_chosen(fields: dict[str, Any]) -> None:
    """None and two are both errors."""
    with pytest.raises(kb.errors.UsageError, match="exactly one of first=N, random=N and per_group=N"):
        kb.Sample(**fields)


def test_null_group_is_an_error_that_names_the_row() -> None:
    """Rows of no group are neither kept nor lost unseen."""
    with pytest.raises(kb.errors.RowError, match=r"row 1 \(example_id 101\)"):
        kb.Sample(per_group=1).run(evals([0.1, 0.2], ["A", None]))


def test_unknown_group_is_found_before_the_first_row() -> None:
    """Only where groups are asked for."""
    with pytest.raises(kb.errors.SchemaError, match="no column 'modul'"):
        kb.Sample(per_group=1, group_by="modul").output_features(EVALS)
    assert kb.Sample(first=1, group_by="modul").output_features(EVALS) == EVALS
