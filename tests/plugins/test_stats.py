"""Stage stats: figures equal to slow ones, for every type of column."""

from __future__ import annotations

import datetime
import math
from collections import Counter
from decimal import Decimal
from pathlib import Path

import datasets
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kbtools as kb
from kbtools.errors import SchemaError
from kbtools.pipeline import run
from kbtools.testing import check_stage
from kbtools_plugins.analysis import stats_plot
from kbtools_plugins.analysis.summary import summarise
from tests.rows import evals, made


def summary(ds: datasets.Dataset, **fields) -> dict[str, dict]:
    """The figures by column."""
    return {column["name"]: column for column in kb.Stats(**fields).run(ds).facts["columns"]}


def column(values: list, dtype: str) -> datasets.Dataset:
    return made({"c": values}, datasets.Features(c=datasets.Value(dtype)))


@given(st.lists(st.one_of(st.none(), st.integers(-50, 50)), max_size=60))
@settings(deadline=None, max_examples=80)
def test_numbers_equal_slow_figures(values):
    """Nulls, distinct values, extremes, mean, deviation, percentiles and frequent values by their definitions."""
    found = summary(column(values, "int64"), top=3)["c"]
    known = sorted(value for value in values if value is not None)
    assert (found["nulls"], found["unique"]) == (len(values) - len(known), len(set(known)))
    counts = [count for _, count in Counter(known).most_common(3) if count > 1]
    assert [item["count"] for item in found["frequent"]] == counts
    if not known:
        assert found["spread"] is None
        return
    spread = found["spread"]
    assert (spread["min"], spread["max"], spread["count"]) == (known[0], known[-1], len(known))
    assert spread["mean"] == pytest.approx(sum(known) / len(known))
    for percent, value in spread["percentiles"].items():
        assert value == known[math.ceil(int(percent) * len(known) / 100) - 1]
    assert sum(spread["histogram"]["counts"]) == len(known)


@given(st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=40))
@settings(deadline=None, max_examples=80)
def test_texts_equal_slow_figures(values):
    """Texts are counted and measured in characters, whatever they are made of."""
    clean = [value if value is None else value.encode("utf-8", "ignore").decode() for value in values]
    found = summary(column(clean, "string"))["c"]
    known = [value for value in clean if value is not None]
    assert found["unique"] == len(set(known))
    assert {(item["value"], item["count"]) for item in found["frequent"]} <= set(Counter(known).items())
    if known:
        assert found["spread"]["of"] == "characters"
        assert (found["spread"]["min"], found["spread"]["max"]) == (min(map(len, known)), max(map(len, known)))


def test_nan_and_infinity_are_counted_and_kept_out():
    """They are neither null nor part of the distribution."""
    found = summary(column([1.0, math.nan, math.inf, -math.inf, None, 3.0], "float64"))["c"]
    assert (found["nulls"], found["nan"], found["infinite"]) == (1, 1, 2)
    assert (found["spread"]["min"], found["spread"]["max"], found["spread"]["count"]) == (1, 3, 2)


def test_large_whole_numbers_stay_exact():
    """Ids beyond 2**53 are not rounded."""
    found = summary(column([2**62 + 1, 2**62 + 3], "int64"))["c"]["spread"]
    assert (found["min"], found["max"], found["histogram"]["counts"]) == (2**62 + 1, 2**62 + 3, [1, 1])


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([-(2**63), 2**63 - 1], "int64"),
        ([-128, 127], "int8"),
        ([-1.7e308, 1.7e308], "float64"),
    ],
)
def test_extreme_values_have_a_histogram(values, dtype):
    """The whole range of a type fits, and what no float can hold is None rather than infinite."""
    found = summary(column(values, dtype))["c"]["spread"]
    assert (found["min"], found["max"], sum(found["histogram"]["counts"])) == (*values, 2)
    assert all(value is None or math.isfinite(value) for value in (found["mean"], found["deviation"]))


def test_nested_columns_are_taken_apart_and_lists_are_measured():
    """Fields of a struct are columns; lists are as long as they have items, and equal ones are equal."""
    found = summary(evals([1.0, 0.5, None], ["A", "A", "B"]))
    assert found["info.module_name"]["unique"] == 2
    assert found["completion"]["type"] == "list of {role, content, reasoning}"
    assert (found["prompt"]["spread"]["of"], found["prompt"]["spread"]["max"], found["prompt"]["unique"]) == (
        "items",
        1,
        2,
    )
    assert "info" not in found


def test_other_types_have_counts_without_a_distribution():
    """Truth values and times are counted."""
    when = datetime.datetime(2025, 1, 1)
    ds = datasets.Dataset.from_dict({"ok": [True, False, True], "at": [when, when, None]})
    found = summary(ds)
    assert found["ok"]["frequent"] == [{"value": "True", "count": 2}]
    assert (found["at"]["unique"], found["at"]["nulls"], found["at"]["spread"]) == (1, 1, None)


def test_a_long_value_is_shown_in_part():
    """The figures stay small however large the rows are, and say how long the value is."""
    found = summary(column(["x" * 1_000_000] * 2, "string"))["c"]
    assert found["frequent"] == [{"value": "x" * 200 + "… (1,000,000 characters)", "count": 2}]


def test_all_null_and_no_rows():
    """There is nothing to say, and that is said."""
    for ds, nulls in ((column([None, None], "float64"), 2), (column([], "string"), 0)):
        found = kb.Stats(plots="plots").run(ds).facts["columns"][0]
        assert (found["nulls"], found["unique"], found["spread"], found["frequent"]) == (nulls, 0, None, [])


def test_only_some_columns():
    """Columns can be chosen, nested ones by their path."""
    assert list(summary(evals([1.0]), only=("reward", "info.module_name"))) == ["reward", "info.module_name"]
    with pytest.raises(SchemaError, match="no column 'rewards'. Did you mean 'reward'"):
        kb.Stats(only=("rewards",)).output_features(evals([1.0]).features)


def test_splits_are_summarised_together():
    """The summary is of the dataset."""
    result = kb.Stats().run(datasets.DatasetDict(train=evals([1.0] * 3), validation=evals([1.0])))
    assert result.facts["rows"] == 4


def test_contract_files_and_table():
    """The stage keeps the contract, draws, and gives a line for each column."""
    check_stage(kb.Stats(plots="plots"), evals([1.0, 0.5, 0.7]))
    assert {path.name for path in Path("plots").iterdir()} == {f"stats.{ending}" for ending in ("png", "svg", "json")}
    (table,) = run(evals([1.0, 0.5]), [kb.Stats()]).tables
    assert [row[0] for row in table.rows][:3] == ["example_id", "prompt", "completion"]


def test_bars_are_drawn_only_where_they_show_every_value():
    """Labels on their scale and not by frequency; more values than are named are not bars; one value is none."""
    labels = ["high"] * 3 + ["low"] * 2 + ["medium"] * 15
    ds = datasets.Dataset.from_dict({"few": labels, "many": [n // 2 for n in range(20)], "one": [1] * 20})
    few, many, one = summarise(ds, ["few", "many", "one"], top=5).columns
    assert stats_plot._is_few(few)
    assert [item.value for item in stats_plot._in_order(few)] == ["low", "medium", "high"]
    assert not stats_plot._is_few(many)
    assert [stats_plot._varies(column) for column in (few, many, one)] == [True, True, False]


def test_long_values_that_begin_alike_are_told_apart():
    """Code begins with the same imports."""
    begin = "import torch\nimport torch.nn as nn\n\nclass "
    ds = datasets.Dataset.from_dict({"code": [begin + "Net", begin + "Net", begin + "Mish", begin + "Mish", "x = 1"]})
    table = kb.Stats().run(ds).tables[0]
    assert table.rows[0][-1] == "…Net (2), …Mish (2)"


@pytest.mark.parametrize("kind", [pa.decimal128(10, 2), pa.decimal256(50, 2)])
def test_decimals_are_numbers(kind):
    """As databases export prices."""
    ds = datasets.Dataset(pa.table({"price": pa.array([Decimal("1.50"), None, Decimal("2.50")], kind)}))
    (price,) = summarise(ds, ["price"], top=5).columns
    assert (price.spread.mean, price.spread.min, price.nulls, price.unique) == (2.0, 1.5, 1, 2)
