"""What the overview says of repeats, faults and columns."""

import datasets

from kbtools.lineage import Lineage, StageRecord
from kbtools.report import summary
from kbtools.report.columns import label_column, small_columns
from kbtools.report.duplicates import repeats
from kbtools.report.packing import SpecialColumns, Tally
from tests.report.material import judged

EMPTY = Tally({}, {})


def test_repeats_are_counted_with_their_rows():
    """Values that several rows share, the most frequent first."""
    ds = datasets.Dataset.from_dict({"name": ["a", "b", "a", None, None, "c", "a", "b"]})
    (found,) = repeats({"": ds}, {"module": "name"})
    assert (found.groups, found.rows, found.across) == (2, 5, 0)
    assert [(group.value, group.rows, group.first) for group in found.largest] == [("a", 3, 0), ("b", 2, 1)]


def test_values_in_several_splits_are_leaks():
    """A module in train and in validation is counted, one that repeats within train is not."""
    train = datasets.Dataset.from_dict({"name": ["a", "b", "b"]})
    validation = datasets.Dataset.from_dict({"name": ["a", "c"]})
    (found,) = repeats({"train": train, "validation": validation}, {"module": "name"})
    assert (found.groups, found.across) == (2, 1)


def test_long_texts_are_compared_whole_and_named_by_their_row():
    """Completions are compared by what the assistant said."""
    ds = judged(10)
    twice = datasets.concatenate_datasets([ds, ds.select([4])])
    (found,) = repeats({"": twice}, {"completion": "completion"})
    assert (found.groups, found.rows, found.largest[0].first) == (1, 2, 4)
    (code,) = repeats({"": twice}, {"code": "info.python_code"})
    assert code.largest[0].value == twice[4]["info"]["python_code"]


def test_faults_are_grouped_by_kind():
    """Those of stages by their records, those of rows by their error columns."""
    record = StageRecord(stage="judge", distribution="", version="", rows_in=9, rows_out=7, failed={"timeout": 2})
    ds = datasets.Dataset.from_dict({"difficulty_error": [None, "unparsed: x", "unparsed: y", "refused"]})
    recorded = summary.recorded_faults(Lineage(records=(record,)))
    assert [(fault.where, fault.what, fault.rows) for fault in recorded] == [("stage 1 (judge)", "timeout", 2)]
    found = summary.faults({"": ds}, SpecialColumns.of(ds.features, {}), Tally({}, {"no-answer": [3]}))
    assert [(fault.what, fault.rows, fault.first) for fault in found] == [
        ("unparsed", 2, 1),
        ("refused", 1, 3),
        ("the answer cannot be told from the reasoning: no-answer", 1, 3),
    ]


def test_what_people_look_at_first_comes_first():
    """Reward, verdict, speedup, difficulty, style; then their relatives, tokens, and the rest."""
    names = ["zeta", "num_tokens", "style", "difficulty_score", "info.reward", "difficulty", "reward"]
    ranked = summary.ranked([label_column(name, ["a"]) for name in names])
    assert [found.path for found in ranked] == [
        "reward", "difficulty", "difficulty_score", "style", "info.reward", "num_tokens", "zeta",
    ]  # fmt: skip


def test_columns_that_do_not_vary_are_listed():
    """With their value, or that there is none."""
    ds = datasets.Dataset.from_dict({"task": ["k", "k", None], "none": [None] * 3, "n": [2.0] * 3, "x": [1, 2, 3]})
    assert summary.uniform(small_columns(ds)) == [("task", "k (1 without a value)"), ("none", "no values"), ("n", "2")]


def test_characters_are_measured_where_no_column_counts_tokens():
    """The lengths of texts, one way or the other."""
    tally = Tally({"completion": [5.0, 9.0, 12.0]}, {})
    columns = small_columns(datasets.Dataset.from_dict({"num_tokens": [1, 2, 3]}))
    assert [chart.title for chart in summary.distributions([], tally, "")] == ["length of completion"]
    assert [chart.title for chart in summary.distributions(columns, tally, "")] == ["num_tokens"]
