"""Folders of several files: what `save_to_disk` writes, and parquet files that are a split each.

`datasets` writes no file at all for a split without rows, and then fails to read it; here such a split is read, and
`write` gives every split a file, so that others can read it, too.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data.table import conformed, empty, exact_tables
from kbtools.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

MARKS = ("dataset_dict.json", "state.json")
"""Files of which a saved dataset has one."""
_PIECE_ROWS = 1_000


def is_saved(folder: Path) -> bool:
    """Whether a folder says that it was written by `save_to_disk`."""
    return any((folder / mark).exists() for mark in MARKS)


def write(data: Dataset | DatasetDict, folder: Path) -> None:
    """As `save_to_disk`, with a file for a split without rows; equal rows are equal bytes, however they are held."""
    import datasets

    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as aside:
        if isinstance(data, datasets.DatasetDict):
            afresh = {name: _written_afresh(ds, Path(aside, f"{name}.arrow")) for name, ds in data.items()}
            files = {name: _files(ds) for name, ds in data.items()}
            datasets.DatasetDict(afresh).save_to_disk(str(folder), num_shards=files)
        else:
            _written_afresh(data, Path(aside, "rows.arrow")).save_to_disk(str(folder), num_shards=_files(data))
    for state in folder.rglob("state.json"):
        _name_by_content(state)


def _written_afresh(ds: Dataset, file: Path) -> Dataset:
    """The rows copied piece by piece: a slice would be saved with some of the bytes that stand behind it."""
    import datasets
    import pyarrow as pa

    if ds.num_rows == 0:
        return ds
    schema = ds.features.arrow_schema
    with pa.ipc.new_stream(str(file), schema) as writer:
        for table in exact_tables(ds, ds.column_names, _PIECE_ROWS):
            writer.write_table(conformed(table, schema).combine_chunks().take(pa.array(range(table.num_rows))))
    fresh = datasets.Dataset.from_file(str(file))
    return datasets.Dataset(fresh.data, ds.info.copy(), ds.split)


def _name_by_content(state: Path) -> None:
    """Let the fingerprint that is saved be that of the rows: the one in memory says how they were made, and where."""
    said = json.loads(state.read_text(encoding="utf-8"))
    digest = hashlib.sha256()
    for file in said["_data_files"]:
        with (state.parent / file["filename"]).open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    said["_fingerprint"] = digest.hexdigest()[:16]
    state.write_text(json.dumps(said, indent=2, sort_keys=True), encoding="utf-8")


def _files(ds: Dataset) -> int | None:
    """How many files a split needs; None leaves it to `datasets`."""
    return None if ds.num_rows else 1


def read_folder(folder: Path) -> Dataset | DatasetDict:
    """The dataset, memory-mapped; DataError when a file of it is missing or damaged."""
    import datasets
    import pyarrow as pa

    try:
        if not (folder / "dataset_dict.json").exists():
            return _read_split(folder)
        names = json.loads((folder / "dataset_dict.json").read_text(encoding="utf-8"))["splits"]
        return datasets.DatasetDict({name: _read_split(folder / name) for name in names})
    except (OSError, ValueError, LookupError, TypeError, AttributeError, pa.ArrowException) as error:
        raise DataError(
            f"{folder} is not a whole saved dataset ({type(error).__name__}: {error}). "
            "A file of it is missing or damaged: save it again, or copy all of it."
        ) from error


def _read_split(folder: Path) -> Dataset:
    import datasets

    if json.loads((folder / "state.json").read_text(encoding="utf-8"))["_data_files"]:
        return datasets.Dataset.load_from_disk(str(folder))
    return empty(datasets.DatasetInfo.from_directory(str(folder)).features)
