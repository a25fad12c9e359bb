"""Folders of several files: what `save_to_disk` writes, and parquet files that are a split each.

`datasets` writes no file at all for a split without rows, and then fails to read it; here such a split is read, and
`write` gives every split a file, so that others can read it, too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data.table import empty
from kbtools.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

MARKS = ("dataset_dict.json", "state.json")
"""Files of which a saved dataset has one."""


def is_saved(folder: Path) -> bool:
    """Whether a folder says that it was written by `save_to_disk`."""
    return any((folder / mark).exists() for mark in MARKS)


def write(data: Dataset | DatasetDict, folder: Path) -> None:
    """As `save_to_disk`, with a file for a split without rows."""
    import datasets

    if isinstance(data, datasets.DatasetDict):
        data.save_to_disk(str(folder), num_shards={name: _files(ds) for name, ds in data.items()})
    else:
        data.save_to_disk(str(folder), num_shards=_files(data))


def _files(ds: Dataset) -> int | None:
    """How many files a split needs; None leaves it to `datasets`."""
    return None if ds.num_rows else 1


def read(folder: Path) -> Dataset | DatasetDict:
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
            f"{folder} is no whole saved dataset ({type(error).__name__}: {error}). "
            "A file of it is missing or damaged: save it again, or copy all of it."
        ) from error


def _read_split(folder: Path) -> Dataset:
    import datasets

    if json.loads((folder / "state.json").read_text(encoding="utf-8"))["_data_files"]:
        return datasets.Dataset.load_from_disk(str(folder))
    return empty(datasets.DatasetInfo.from_directory(str(folder)).features)
