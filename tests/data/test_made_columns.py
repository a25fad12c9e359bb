"""Columns that a stage makes are written alone, whatever the view, and come to the rows that they were made for."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kbtools.data.made_columns import map_columns
from kbtools.data.table import on_rows
from kbtools.errors import ConfigError

ROWS = [
    {"id": n, "text": None if n % 7 == 3 else f"t{n}", "turns": [{"said": f"{n}"}] * (n % 3), "stays": "s" * n}
    for n in range(200)
]
WIDER = {"text": datasets.Value("string"), "longer": datasets.Value("int32")}


def made(table: pa.Table) -> pa.Table:
    assert table.column_names == ["text"]
    texts = table.column("text")
    return pa.table({"text": pc.utf8_upper(texts), "longer": pc.utf8_length(texts)})


def stored(folder: Path) -> datasets.Dataset:
    path = folder / "rows.arrow"
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        for start in range(0, len(ROWS), 30):
            writer.write_table(table.slice(start, 30))
    return datasets.Dataset.from_file(str(path))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.none() | st.lists(st.integers(0, 199), max_size=60) | st.sets(st.integers(0, 199), min_size=13).map(sorted),
    batch=st.integers(1, 50),
    number=st.integers(0),
    in_order=st.booleans(),
)
def test_rows_get_what_was_made_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[int] | None, batch: int, number: int, in_order: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
        ds = stored(tmp_path)
        view = ds if rows is None else ds.select(rows)
        kept = {name: feature for name, feature in view.features.items() if name != "turns"}
        features = datasets.Features({**kept, **WIDER})
        told: list[int] = []
        token = on_rows.set(told.append)
        key = sha256(f"{number}-{batch}-{rows}-{in_order}".encode()).hexdigest()
        done = map_columns(
            view, made, ["text"], features=features, fingerprint=key, replaced=["text"], rows=batch, in_order=in_order
        )
        on_rows.reset(token)
    assert list(done.features) == ["id", "text", "stays", "longer"]
    assert done._fingerprint == key or not view.num_rows
    assert done.to_list() == [
        {"id": row["id"], "text": row["text"] and row["text"].upper(), "stays": row["stays"],
         "longer": row["text"] and len(row["text"])}
        for row in view.to_list()
    ]  # fmt: skip


def test_what_stays_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    ds = stored(tmp_path).select(range(150, 20, -1))
    features = datasets.Features({**ds.features, **WIDER})
    done = map_columns(ds, made, ["text"], features=features, fingerprint="0" * 64, replaced=["text"])
    (written,) = (tmp_path / "kbtools" / "stages").iterdir()
    assert pa.ipc.open_stream(written).schema.names == ["text", "longer"]
    assert sorted(Path(file["filename"]).name for file in done.cache_files) == [f"{'0' * 64}.arrow", "rows.arrow"]
    assert done.select([3, 1])["longer"][:] == [4, 4]


def test_a_full_disk_is_said_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    ds = stored(tmp_path)
    monkeypatch.setattr(pa.ipc, "new_stream", full)
    features = datasets.Features({**ds.features, **WIDER})
    with pytest.raises(ConfigError, match="the cache .*stages could not be written .No space left"):
        map_columns(ds, made, ["text"], features=features, fingerprint="0" * 64, replaced=["text"])
    assert not list((tmp_path / "kbtools" / "stages").iterdir())


def test_a_view_of_few_rows_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    ds = stored(tmp_path).select([198, 0, 5])
    features = datasets.Features({**ds.features, **WIDER})
    done = map_columns(ds, made, ["text"], features=features, fingerprint="1" * 64, replaced=["text"])
    assert done.num_rows == done.data.num_rows == 3
    assert done["text"][:] == ["T198", "T0", "T5"]
    assert done["stays"][:] == ["s" * 198, "", "sssss"]


@pytest.mark.parametrize(
    ("rows", "written"), [(range(200), 2), ([*range(10, 90), 150], 2), (range(150, 20, -1), 5), ([5] * 50, 5)]
)
def test_rows_in_order_are_seen_in_that_of_the_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[int], written: int
) -> None:
    """A view in another order is copied, for then no order of the batches is that of both."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    ds, seen = stored(tmp_path).select(rows), []

    def noted(table: pa.Table) -> pa.Table:
        seen.extend(table.column("text").to_pylist())
        return made(table)

    features = datasets.Features({**ds.features, **WIDER})
    map_columns(ds, noted, ["text"], features=features, fingerprint="2" * 64, replaced=["text"], in_order=True)
    assert seen == ds["text"][:]
    (file,) = (tmp_path / "kbtools" / "stages").iterdir()
    assert len(pa.ipc.open_stream(file).schema.names) == written
