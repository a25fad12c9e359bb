"""Comparing datasets: every kind of difference is found, and nothing else."""

import datasets
import pytest

from kbtools.data.diff import compare
from kbtools.errors import DataError, UsageError


def table(**columns):
    """A dataset of these columns."""
    return datasets.Dataset.from_dict(columns)


def test_equal_datasets_do_not_differ():
    """Also with nulls, NaN and nested values, and in another order of rows."""
    ds = table(example_id=[1, 2], x=[float("nan"), None], m=[[{"role": "u"}], []])
    assert compare(ds, ds.select([1, 0])).same


def test_rows_are_told_apart_by_the_layouts_id():
    """Added, removed and changed rows are counted, named and attributed to columns."""
    old = table(example_id=[1, 2, 3], t=["a", "b", "c"], r=[1.0, 2.0, None])
    new = table(example_id=[2, 3, 4], t=["b!", "c", "d"], r=[2.0, 3.0, 4.0])
    found = compare(old, new)
    split = found.splits["train"]
    assert found.key == ("example_id",)
    assert (split.added, split.removed, split.changed) == (1, 1, 2)
    assert split.examples == {"added": ["4"], "removed": ["1"], "changed": ["2", "3"]}
    assert {name: figures.changed for name, figures in split.columns.items()} == {"example_id": 0, "t": 1, "r": 1}
    assert split.columns["r"].nulls == (1, 0)
    assert split.columns["t"].mean == (1.0, pytest.approx(4 / 3))


def test_changes_of_columns_and_splits_are_said():
    """A column that is gone, new, or of another type; a split that is gone or new."""
    old = datasets.DatasetDict(train=table(id=[1], a=[1], b=["x"]), test=table(id=[1], a=[1], b=["x"]))
    new = datasets.DatasetDict(train=table(id=[1], a=["1"], c=[2.0]), validation=table(id=[1], a=["1"], c=[2.0]))
    assert compare(old, new).schema == [
        "split test is gone",
        "split validation is new",
        "column b is gone (string)",
        "column c is new (float64)",
        "column a was int64, is string",
    ]


def test_without_a_key_whole_rows_are_compared_with_their_number():
    """Two equal rows against three is one added."""
    found = compare(table(t=["a", "a"]), table(t=["a", "a", "a"]))
    assert found.key == ()
    assert found.splits["train"].added == 1


def test_key_that_is_no_key_is_an_error():
    """Rows would otherwise be lost from the comparison."""
    twice = table(example_id=[1, 1], info=[{"n": 1}, {"n": 2}])
    with pytest.raises(DataError, match="example_id = 1"):
        compare(twice, twice)
    assert compare(twice, twice, ["info.n"]).same
    with pytest.raises(UsageError, match="a key is text or a number"):
        compare(twice, twice, ["info"])


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [([1], [1, 2], (1, 0, 0)), ([1, 2], [1], (0, 1, 0)), ([1, 3], [1, 4], (1, 1, 0))],
)
def test_each_kind_of_difference_alone_is_one(old, new, counts):
    """Rows that are only added or only removed make two datasets differ."""
    found = compare(table(example_id=old), table(example_id=new))
    split = found.splits["train"]
    assert (split.added, split.removed, split.changed) == counts
    assert split.rows == (len(old), len(new))
    assert not found.same
    assert not split.same


def test_a_changed_cell_alone_is_a_difference():
    """The same keys with another value; a text differs from the number that it names."""
    found = compare(table(example_id=[1], x=["1"]), table(example_id=[1], x=[1]))
    assert found.splits["train"].changed == 1
    assert not found.splits["train"].same


def test_five_keys_of_each_kind_are_named():
    """The first ones, in the order of the rows; none where whole rows are compared."""
    found = compare(table(example_id=[0]), table(example_id=list(range(8))))
    assert found.splits["train"].examples == {"added": ["1", "2", "3", "4", "5"]}
    assert compare(table(t=["a"]), table(t=["b"])).splits["train"].examples == {}


def test_a_column_without_values_has_no_mean():
    """Nulls are counted on both sides; truth values and numbers have a mean, lists have none."""
    old = table(example_id=[1, 2], x=datasets.Dataset.from_dict({"x": [None, 2.0]})["x"], m=[[1], [2, 3]])
    new = table(example_id=[1, 2], x=[None, None], m=[[1], [2, 3]])
    found = compare(old, new).splits["train"].columns
    assert (found["x"].nulls, found["x"].mean, found["x"].changed) == ((1, 2), (2.0, None), 1)
    assert (found["m"].nulls, found["m"].mean, found["m"].changed) == ((0, 0), (None, None), 0)


def test_two_names_of_a_key_are_no_key():
    """Rows are then compared whole; a null inside a key counts as a value."""
    assert compare(table(example_id=[1]), table(uuid=["a"])).key == ()
    nested = table(info=[{"n": 1}, None])
    found = compare(nested, nested.select([0]), ["info.n"])
    assert found.splits["train"].examples == {"removed": ["None"]}
