"""Reading columns: the rows of any view in their order, nested fields, bounded batches, NaN as null."""

from __future__ import annotations

import math
from itertools import pairwise

import datasets
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kbtools as kb
from kbtools.data.table import (
    FIRST_ROWS,
    batches,
    field_of,
    frame,
    map_batches,
    require_values,
    tables,
    take,
    with_constant,
)
from tests.rows import evals

NESTED = [{"name": f"n{i}", "texts": [{"text": "é" * i}]} if i % 5 else None for i in range(40)]


def chunked(sizes: list[int]) -> datasets.Dataset:
    """Forty rows in chunks of these sizes, repeated as needed."""
    whole = pa.table({"id": list(range(40)), "info": NESTED, "none": [[{"r": None}]] * 40})
    starts = [0]
    while starts[-1] < 40:
        starts.append(starts[-1] + sizes[len(starts) % len(sizes)])
    parts = [whole.slice(start, end - start) for start, end in pairwise(starts)]
    return datasets.Dataset(pa.concat_tables(parts))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 15), min_size=1, max_size=4),
    st.none() | st.lists(st.integers(0, 39), max_size=60),
    st.integers(1, 50),
)
def test_views_are_read_as_datasets_reads_them(sizes: list[int], rows: list[int] | None, batch: int) -> None:
    """Any chunks, any rows in any order and number: the same rows as one by one, in batches of the size asked for."""
    ds = chunked(sizes) if rows is None else take(chunked(sizes), rows, "0" * 64)
    read = list(tables(ds, ["id", "info", "none"], batch))
    assert [row for table in read for row in table.to_pylist()] == ds.to_list()
    assert all(table.num_rows <= batch for table in read)
    names = [name for table in batches(ds, ["info.name"], batch) for name in field_of(table, "info.name").to_pylist()]
    assert names == [(NESTED[row] or {}).get("name") for row in (range(40) if rows is None else rows)]


def test_long_rows_come_in_small_batches() -> None:
    """Memory is bounded by bytes, not by rows."""
    ds = datasets.Dataset.from_dict({"text": ["x" * 4_000_000] * 12})
    assert max(table.num_rows for table in tables(ds, ["text"], 1_000)) <= 4


def test_frame_has_nan_as_null_and_the_index_of_each_row() -> None:
    """Of a view, the indices count in the view."""
    ds = evals([0.1, math.nan, None]).select([2, 1, 0])
    found = frame(ds, {"score": "reward", "name": "info.module_name"})
    assert found.rows() == [(0, None, "C"), (1, None, "B"), (2, 0.1, "A")]
    assert frame(ds.select([]), {"score": "reward"}).height == 0
    assert frame(ds, {}).columns == ["row"]


def test_missing_values_are_refused_with_the_rows_named() -> None:
    """No such rows, no error."""
    ds = evals([0.1, 0.2])
    require_values(ds, [], "reward", "", {})
    with pytest.raises(kb.errors.RowError, match=r"reward is null or NaN in 1 row: row 1 \(example_id 101\). Do this."):
        require_values(ds, [1], "reward", "Do this.", {})


def test_constant_column_leaves_a_view_a_view() -> None:
    """Nothing is copied, the rows are the view's, and the fingerprint follows name and value."""
    view = evals([0.1, 0.2, 0.3]).select([2, 0])
    labelled = with_constant(view, "split", "train")
    assert labelled.to_list() == [{**row, "split": "train"} for row in view.to_list()]
    assert labelled._indices is view._indices
    assert labelled._fingerprint != with_constant(view, "split", "test")._fingerprint
    assert with_constant(view.select([]), "split", "train").features == labelled.features


def test_a_function_that_makes_long_rows_gets_few_of_them():
    """Else a hundred bytes of input that become a megabyte each would fill the memory, hundreds at a time."""
    ds, seen = datasets.Dataset.from_dict({"x": list(range(200))}), []

    def longer(table: pa.Table) -> pa.Table:
        seen.append(table.num_rows)
        return table.append_column("text", pa.array(["x" * 1_000_000] * table.num_rows))

    features = datasets.Features({**ds.features, "text": datasets.Value("string")})
    out = map_batches(ds, longer, features=features, fingerprint="long-rows", rows=1_000)
    assert out["x"][:] == list(range(200))
    assert seen[0] == FIRST_ROWS
    assert sum(seen) == 200
    assert max(seen[1:]) <= 16


def test_a_function_that_makes_no_rows_gets_many_of_them():
    """What it leaves out has no length."""
    ds, seen = datasets.Dataset.from_dict({"x": list(range(5_000))}), []

    def none(table: pa.Table) -> pa.Table:
        seen.append(table.num_rows)
        return table.slice(0, 0)

    assert map_batches(ds, none, features=ds.features, fingerprint="no-rows", rows=1_000).num_rows == 0
    assert seen[:4] == [50, 200, 800, 1_000]


@pytest.mark.parametrize("rows", [[], [3], [2, 3, 4], [4, 3, 0], [1, 1, 0]])
@pytest.mark.parametrize("of", [None, [5, 4, 3, 2, 1, 0], [0, 2, 4, 1, 3, 5]])
def test_rows_are_taken_as_select_takes_them(rows: list[int], of: list[int] | None) -> None:
    """Of a table and of a view, in any order; a format that was set stays."""
    ds = evals([n / 10 for n in range(6)])
    ds = ds if of is None else ds.select(of)
    for some in (ds, ds.with_format("numpy", columns=["example_id"])):
        taken, selected = take(some, np.array(rows, np.uint32), "f" * 64), some.select(rows)
        assert taken.with_format(None).to_list() == selected.with_format(None).to_list()
        assert (taken._fingerprint, taken.format) == ("f" * 64, selected.format)
    with pytest.raises(IndexError):
        take(ds, [6, 0], "f" * 64)
