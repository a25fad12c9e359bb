"""Loading: a name becomes a dataset on disk that is memory-mapped, and a `Source` that pins what was read.

Local files are turned into Arrow once, in the cache of `datasets`, under the digest of their content; so memory does
not grow with the file, and an edited file is never taken for the old one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data import sample
from kbtools.data.columns import evals_features
from kbtools.data.hub import datasets as from_hub
from kbtools.data.io import arrow_file, csv_file, jsonl, saved_folder
from kbtools.data.io.save import split_file, split_names_beside
from kbtools.data.io.source import Source, local_path
from kbtools.data.table import empty
from kbtools.errors import DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetDict

SAMPLE = "sample"
_OF_THE_HUB = ("revision", "config")
_CACHE_FORMAT = 2
"""Counted up when the same file becomes other rows or types than before."""
_ENDINGS = re.compile(r"\.(parquet|csv|(jsonl|ndjson|json)(\.(gz|zst|bz2))?)$")


def read(source: Source) -> tuple[Dataset | DatasetDict, Source]:
    """The dataset that a source describes, and the source with the revision or digest of what was read."""
    path = sample.path() if source.dataset == SAMPLE else local_path(source.dataset)
    if path.is_dir():
        _check_fits(source, f"a local folder (hf://datasets/{path} is that of the Hub)", ("sha256", *_OF_THE_HUB))
        data, found = _from_folder(path), source
    elif path.is_file():
        _check_fits(source, "the embedded sample" if source.dataset == SAMPLE else "a local file", _OF_THE_HUB)
        data, found = _from_file(path, source)
    elif parts := _split_files(path):
        _check_fits(source, f"local files, {', '.join(file.name for file in parts.values())}", ("sha256", *_OF_THE_HUB))
        data, found = _from_split_files(parts), source
    else:
        if not from_hub.is_on_hub(source):
            raise UsageError(_no_such_file(source.dataset))
        _check_fits(source, "a dataset on the Hub, pinned by its revision", ("sha256",))
        data, found = from_hub.read(source)
        return _limited(data, source.limit), found
    return _limited(_one_split(data, source), source.limit), found


def _check_fits(source: Source, kind: str, keys: Iterable[str]) -> None:
    """UsageError for a key that would have no effect on a source of this kind."""
    for key in keys:
        if (value := getattr(source, key)) is not None:
            raise UsageError(f"{source.dataset} is {kind}: {key} {value!r} means nothing there, so leave it out.")


def _from_folder(path: Path) -> Dataset | DatasetDict:
    import datasets

    if saved_folder.is_saved(path):
        return saved_folder.read(path)
    files = {file.stem: file for file in sorted(path.glob("*.parquet"))}
    if not files:
        raise DataError(f"{path} is a folder with neither a saved dataset (save_to_disk) nor parquet files.")
    return datasets.DatasetDict({name: _arrow_dataset(file)[0] for name, file in files.items()})


def _from_file(path: Path, source: Source) -> tuple[Dataset, Source]:
    data, digest = _arrow_dataset(path)
    if source.sha256 and source.sha256 != digest:
        raise DataError(
            f"{path} is not the file that the recipe was made from: its sha256 is {digest[:12]}…, "
            f"not {source.sha256[:12]}…. Give the original file, or take sha256 out of the recipe."
        )
    return data, source.model_copy(update={"sha256": digest})


def _split_files(path: Path) -> dict[str, Path]:
    """The files `NAME-<split>.ext` that saving several splits as NAME.ext leaves, by split."""
    return {name: split_file(path, name) for name in split_names_beside(path)}


def _from_split_files(parts: dict[str, Path]) -> DatasetDict:
    """The splits; of JSON lines one without rows says no columns, so it has those of the others."""
    import datasets

    splits = {name: _arrow_dataset(file)[0] for name, file in parts.items()}
    known = next((ds.features for ds in splits.values() if ds.features), datasets.Features())
    return datasets.DatasetDict({name: ds if ds.features else empty(known) for name, ds in splits.items()})


def _one_split(data: Dataset | DatasetDict, source: Source) -> Dataset | DatasetDict:
    if source.split is None:
        return data
    if not isinstance(data, dict):
        if source.split == "train":
            return data
        raise UsageError(f"{source.dataset} has no splits, so --split {source.split} cannot be chosen from it.")
    if source.split not in data:
        raise UsageError(f"{source.dataset} has no split {source.split!r}. {did_you_mean(source.split, data)}")
    return data[source.split]


def _limited(data: Dataset | DatasetDict, limit: int | None) -> Dataset | DatasetDict:
    if limit is None:
        return data
    if isinstance(data, dict):
        return type(data)({name: _limited(ds, limit) for name, ds in data.items()})
    return data.select(range(min(limit, data.num_rows)))


# ---- local files to memory-mapped Arrow -----------------------------------------------------------------------------


def _arrow_dataset(path: Path) -> tuple[Dataset, str]:
    import datasets

    digest = _digest(path)
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "kbtools" / f"{digest[:32]}-{_ending(path)}-{_CACHE_FORMAT}"
    target = folder / "data.arrow"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        arrow_file.write(_reader(path), target, evals_features().arrow_schema if path == sample.path() else None)
    ds = datasets.Dataset.from_file(str(target))
    ds._fingerprint = digest[:64]  # the content's digest, where `from_file` would take the cache file's time
    return ds, digest


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _ending(path: Path) -> str:
    """How a file says what it is; the same bytes under another ending may be other rows, or none."""
    found = _ENDINGS.search(path.name.lower())
    if found is None:
        raise UsageError(
            f"{path}: kbtools reads .parquet, .jsonl (also .gz, .zst, .bz2), .csv and save_to_disk folders."
        )
    return found[0].removeprefix(".")


def _reader(path: Path) -> arrow_file.Reader:
    """Tables of a file, given the schema that is known; those that say their types themselves have no use for it."""
    ending = _ending(path)
    if ending == "parquet":
        return lambda known: _parquet_tables(path)
    if ending == "csv":
        return lambda known: csv_file.tables(path)
    return lambda known: jsonl.tables(path, known)


def _parquet_tables(path: Path) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # read as a stream: by default pyarrow holds whole row groups, and rows may be long
        file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        _check_types(file.schema_arrow, path)
        yield file.schema_arrow.empty_table()
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        row_bytes = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
        for batch in file.iter_batches(batch_size=max(1, min(2_000, (1 << 26) // max(row_bytes, 1)))):
            yield pa.Table.from_batches([batch], schema=file.schema_arrow)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a whole parquet file ({str(error).strip()}).") from error


def _check_types(schema: pa.Schema, path: Path) -> None:
    """DataError for a column that no dataset holds."""
    import datasets
    import pyarrow as pa

    arrow_file.check_names(schema.names, path)
    for column in schema:
        try:
            datasets.Features.from_arrow_schema(pa.schema([column]))
        except ValueError as error:
            raise DataError(f"{path}: column {column.name!r} fits no dataset ({error}). Convert or drop it.") from None


def _no_such_file(name: str) -> str:
    path = Path(name)
    if not path.parent.is_dir():
        return f"there is no file {name!r}, nor the folder {str(path.parent)!r}."
    siblings = [str(sibling) for sibling in path.parent.iterdir()]
    return f"there is no file {name!r}. {did_you_mean(str(path), siblings, all_if_none_near=False)}".rstrip()
