"""Which columns the report holds in its index, and in which order their labels stand."""

import datetime

import datasets
import numpy as np

from kbtools.report.columns import Labels, Numbers, missing, small_columns


def columns(**values):
    return {found.path: found for found in small_columns(datasets.Dataset.from_dict(values))}


def test_numbers_keep_nulls_and_infinity_apart():
    """NaN and null are not values; infinity is one that no chart can place."""
    found = columns(reward=[1.0, None, float("nan"), float("inf")])["reward"]
    assert isinstance(found, Numbers)
    assert missing(found) == 2
    assert found.known.tolist() == [1.0]
    assert found.distinct == 2


def test_whole_numbers_beyond_the_browser_stay_exact():
    """2**53 + 1 has no place in a double, so it is shown as text."""
    found = columns(id=[2**53 + 1, 3])["id"]
    assert isinstance(found, Labels)
    assert "9007199254740993" in found.labels


def test_labels_stand_in_the_order_of_their_scale():
    """What is on no scale follows."""
    found = columns(difficulty=["high", "unparsable", "low", None, "medium"])["difficulty"]
    assert found.labels == ("low", "medium", "high", "unparsable")
    assert found.codes.tolist() == [2, 3, 0, -1, 1]
    assert missing(found) == 1


def test_names_stand_as_texts_whatever_their_case():
    """Sorting is the same in the table and in the chart."""
    assert columns(name=["b", "C", "a"])["name"].labels == ("a", "b", "C")


def test_long_texts_and_structures_are_left_out():
    """A late long text counts as much as an early one; fields of structs are columns."""
    found = columns(
        code=["x"] * 150 + ["y" * 500], lines=["a\nb"] * 151, tags=[["a"]] * 151, info=[{"name": "n", "stars": 3}] * 151
    )
    assert set(found) == {"info.name", "info.stars"}


def test_truth_values_and_dates_are_labels():
    """As JSON and ISO 8601 write them."""
    found = columns(ok=[True, False, None], day=[datetime.date(2026, 1, 2), None, None])
    assert found["ok"].labels == ("false", "true")
    assert found["day"].labels == ("2026-01-02",)


def test_class_labels_have_their_names():
    """The numbers behind them mean nothing to a reader."""
    features = datasets.Features({"kind": datasets.ClassLabel(names=["norm", "conv"])})
    (found,) = small_columns(datasets.Dataset.from_dict({"kind": [1, 0, 1]}, features=features))
    assert found.labels == ("conv", "norm")


def test_column_of_nulls_is_a_column():
    """It has no values, and says so."""
    found = columns(empty=[None, None])["empty"]
    assert (found.distinct, missing(found)) == (0, 2)
    assert np.asarray(found.codes).tolist() == [-1, -1]
