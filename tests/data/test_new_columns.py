"""Columns that are known for all rows come to a dataset without the others being written again."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import datasets
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kbtools.data.new_columns import with_columns
from kbtools.data.table import on_rows
from tests.data.test_made_columns import stored

NEW = {"stays": datasets.Value("string"), "number": datasets.Value("int32")}


def given_columns(rows: int) -> dict[str, pa.Array]:
    """A column in the place of another, and a new one."""
    return {"stays": pa.array([f"new {row}" for row in range(rows)]), "number": pa.array(range(rows), pa.int64())}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.none() | st.lists(st.integers(0, 199), max_size=60), number=st.integers(0))
def test_every_row_gets_its_value(tmp_path: Path, rows: list[int] | None, number: int) -> None:
    """Of a whole table, of a view in any order, and of one with rows that are there twice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
        ds = stored(tmp_path)
        view = ds if rows is None else ds.select(rows)
        features = datasets.Features({**view.features, **NEW})
        told: list[int] = []
        token = on_rows.set(told.append)
        key = sha256(f"{number}-{rows}".encode()).hexdigest()
        done = with_columns(view, given_columns(view.num_rows), features, key)
        on_rows.reset(token)
    assert done.features == features
    expected = [{**row, "stays": f"new {place}", "number": place} for place, row in enumerate(view.to_list())]
    assert done.to_list() == expected
    assert sum(told) == view.num_rows


@pytest.mark.parametrize(("rows", "written"), [(range(200), 2), (range(199, 99, -1), 2), ([5] * 50, 5), ([7, 3], 5)])
def test_only_they_are_written_where_that_is_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[int], written: int
) -> None:
    """A view of few rows is copied, and one with a row that is there twice, for that has two values."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    ds = stored(tmp_path).select(rows)
    features = datasets.Features({**ds.features, **NEW})
    with_columns(ds, given_columns(ds.num_rows), features, "0" * 64)
    (file,) = (tmp_path / "kbtools" / "stages").iterdir()
    assert len(pa.ipc.open_stream(file).schema.names) == written
