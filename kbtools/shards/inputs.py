"""Where the rows of shards come from: a source that every node can load, shards that are finished, or files of rows.

The rows of a source travel as its path or address, and those that the driver has picked from it, or from the shards of
earlier stages, as their numbers there. Only rows that are in no file that others see are written to the scratch folder,
under the digest of their content. What is written for a shard is removed when the shard is done.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data.io import load
from kbtools.data.io.local_files import gatherable
from kbtools.data.io.source import Source, local_path
from kbtools.data.table import conformed, tables
from kbtools.errors import ConfigError, reason
from kbtools.shards.manifest import read_rows
from kbtools.shards.places import ROW, RowPlaces, gathered, pieces, table_of
from kbtools.shards.task import Rows
from kbtools.shards.unfinished import name_for

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset


INPUTS = "inputs"
"""Folder in the scratch folder."""


@dataclass(frozen=True)
class LoadedInput:
    """A dataset, or a split of one, as its source gave it."""

    ds: Dataset
    source: Source

    def offsets(self, places: RowPlaces) -> list[int] | None:
        """What to add to a row's number in its file, for each piece, to get its number in the source.

        None where some rows are of other files.
        """
        mine = pieces(self.ds)
        if mine is None or self.ds._indices is not None:
            return None
        before = accumulate((piece.rows for piece in mine), initial=0)
        starts = {piece.path: first - piece.start for first, piece in zip(before, mine, strict=False)}
        known = [starts.get(piece.path) for piece in places.found]
        return None if any(known[piece] is None for piece in places.used()) else [offset or 0 for offset in known]


class Inputs(ABC):
    """The rows of one dataset, or of one split, cut into shards."""

    def __init__(self, ds: Dataset, scratch: Path) -> None:
        self.ds = ds
        self.scratch = scratch
        self._serialized: pa.Buffer | None = None

    @abstractmethod
    def rows(self, part: range) -> Rows:
        """The description of a range, whose digest says what is in it."""

    def write(self, rows: Rows) -> None:
        """Put what was described last where the description says; the rows of a source are there already."""
        if rows.file is None or self._serialized is None:
            return
        path = Path(rows.file)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._serialized)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise ConfigError(
                f"rows could not be written to {path.parent} for the workers ({reason(error)})."
            ) from error

    def _in_a_file(self, table: pa.Table, part: range) -> Rows:
        """A table that is to be written to the scratch folder, as the description of so many rows."""
        self._serialized = _serialized(table)
        digest = hashlib.sha256(self._serialized).hexdigest()
        file = self.scratch / INPUTS / name_for(digest)  # another driver with equal rows removes its own
        return Rows(digest=digest, stop=len(part), file=str(file))


class Copies(Inputs):
    """Rows that are in no file that others see."""

    def rows(self, part: range) -> Rows:
        """The rows themselves, as one piece, so that equal rows are equal bytes."""
        import pyarrow as pa

        ds, schema = self.ds.select(part), self.ds.features.arrow_schema
        parts = [conformed(table, schema) for table in tables(ds, ds.column_names, max(len(part), 1))]
        return self._in_a_file(pa.concat_tables(parts).combine_chunks() if parts else schema.empty_table(), part)


class OfSource(Inputs):
    """Rows of a source, in any order; without places all of them as they are."""

    def __init__(
        self, ds: Dataset, scratch: Path, source: Source, places: RowPlaces | None, offsets: Sequence[int]
    ) -> None:
        super().__init__(ds, scratch)
        self._source, self._places, self._offsets = source, places, offsets
        self._digest = hashlib.sha256(source.model_dump_json().encode()).hexdigest()

    def rows(self, part: range) -> Rows:
        """A range of the source, or the numbers of rows there."""
        import numpy as np
        import pyarrow as pa

        numbers = self._numbers(part)
        start, stop = (int(numbers[0]), int(numbers[-1]) + 1) if len(part) else (0, 0)
        known = {"source": self._source, "columns": tuple(self.ds.column_names)}
        if stop - start == len(part) and (np.diff(numbers) == 1).all():
            return Rows(digest=self._digest, start=start, stop=stop, **known)
        told = self._in_a_file(pa.table({ROW: numbers}), part)
        return told.model_copy(update={"digest": f"{self._digest}-{told.digest}", **known})

    def _numbers(self, part: range) -> np.ndarray:
        import numpy as np

        if self._places is None:
            return np.array(part, dtype=np.int64)
        piece, numbers = self._places.of(part)
        offsets: np.ndarray = np.array(self._offsets, dtype=np.int64)
        moved: np.ndarray = numbers + offsets[piece]
        return moved


class OfShards(Inputs):
    """Rows of shards of earlier stages."""

    def __init__(self, ds: Dataset, scratch: Path, places: RowPlaces, files: Sequence[str]) -> None:
        super().__init__(ds, scratch)
        self._places, self._files = places, files

    def rows(self, part: range) -> Rows:
        """The files and the numbers of rows there."""
        told = self._in_a_file(table_of(self._files, *self._places.of(part)), part)
        return told.model_copy(update={"columns": tuple(self.ds.column_names)})


def inputs_of(ds: Dataset, loaded: LoadedInput | None, scratch: Path) -> Inputs:
    """How the rows of a dataset get to the workers; `loaded` is what the run began with, if others can load it."""
    if loaded is not None and loaded.ds is ds:
        return OfSource(ds, scratch, loaded.source, None, [])
    found = pieces(ds)
    if not found or not ds.num_rows or not _types_of(found[0].path, ds):
        return Copies(ds, scratch)
    places = RowPlaces(ds, found)
    if loaded is not None and (offsets := loaded.offsets(places)) is not None:
        return OfSource(ds, scratch, loaded.source, places, offsets)
    if all(piece.path.is_relative_to(scratch / "shards") for piece in found):
        files = [piece.path.relative_to(scratch).as_posix() for piece in found]
        return OfShards(ds, scratch, places, files)
    return Copies(ds, scratch)


def _types_of(path: Path, ds: Dataset) -> bool:
    """Whether a file has every column of a dataset in the very features that the dataset gives it."""
    features = read_rows(path).features
    return all(features.get(name) == feature for name, feature in ds.features.items())


def _serialized(table: pa.Table) -> pa.Buffer:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def pinned(source: Source | None) -> Source | None:
    """The source in a form that gives every node the same rows, or None where its rows may be others tomorrow."""
    if source is None or not (source.sha256 or source.revision) or source.cached:
        return None
    is_local = source.sha256 and source.dataset != load.SAMPLE and "://" not in source.dataset
    place = str(local_path(source.dataset).absolute()) if is_local else source.dataset
    return source.model_copy(update={"dataset": place, "limit": None})


def read_shard(rows: Rows, scratch: Path, key: str) -> Dataset:
    """A worker's rows, in memory: so nothing is written beside what they come from."""
    import datasets
    import pyarrow as pa
    from datasets.table import InMemoryTable

    part = _view(rows, scratch)
    schema = part.features.arrow_schema
    parts = [conformed(table, schema) for table in tables(part, part.column_names, max(part.num_rows, 1))]
    table = pa.concat_tables(parts).combine_chunks() if parts else schema.empty_table()
    return datasets.Dataset(InMemoryTable(table), datasets.DatasetInfo(features=part.features), fingerprint=key)


def _view(rows: Rows, scratch: Path) -> Dataset:
    """The rows where they are."""
    if rows.source is not None:
        whole = _loaded(rows.source).select_columns(list(rows.columns))
        return whole.select(_told(rows.file)[ROW].to_numpy() if rows.file else range(rows.start, rows.stop))
    if rows.columns:
        return gathered(scratch, _told(rows.file), rows.columns)
    return read_rows(Path(str(rows.file)))


def _told(file: str | None) -> pa.Table:
    import pyarrow as pa

    with pa.memory_map(str(file)) as stream:
        return pa.ipc.open_stream(stream).read_all()


@cache
def _loaded(source: Source) -> Dataset:
    """The source in the cache of this node: read once by one of its workers, while the others wait."""
    import datasets
    from filelock import FileLock

    folder = Path(datasets.config.HF_DATASETS_CACHE) / "kbtools"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "loading.lock"):
        found, _ = load.read_source(source)
    assert not isinstance(found, dict), "a task names its split"
    return gatherable(found, source.dataset)  # as the driver has it
