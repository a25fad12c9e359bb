"""Where the rows of shards come from: a source that every node can load, or files that the driver writes for them.

The rows of a source travel as its path or address. Those of a dataset that the driver has made (by a stage that sees
all rows, or in memory) are written to the scratch folder under the digest of their content, and removed when the shard
is done.
"""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data.io import load
from kbtools.data.io.local_files import gatherable
from kbtools.data.io.source import Source, local_path
from kbtools.data.table import conformed, tables
from kbtools.shards.manifest import read_rows
from kbtools.shards.task import Rows

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset


class Inputs:
    """The rows of one dataset, or of one split, cut into shards."""

    def __init__(self, ds: Dataset, source: Source | None, scratch: Path) -> None:
        self.ds = ds
        self._source = source
        self._folder = scratch / "inputs"
        self._serialized: pa.Buffer | bytes = b""

    def rows(self, part: range) -> Rows:
        """The description of a range, whose digest says what is in it."""
        if self._source is not None:
            digest = hashlib.sha256(self._source.model_dump_json().encode()).hexdigest()
            return Rows(digest=digest, start=part.start, stop=part.stop, source=self._source)
        self._serialized = _serialized(self._table(part))
        digest = hashlib.sha256(self._serialized).hexdigest()
        return Rows(digest=digest, start=0, stop=len(part), file=str(self._folder / f"{digest}.arrow"))

    def write(self, rows: Rows) -> None:
        """Put the rows that were described last where the description says; those of a source are there already."""
        if rows.file is None:
            return
        path = Path(rows.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}")
        aside.write_bytes(self._serialized)
        aside.replace(path)

    def _table(self, part: range) -> pa.Table:
        """The rows of a range as one piece, so that equal rows are equal bytes."""
        import pyarrow as pa

        ds, schema = self.ds.select(part), self.ds.features.arrow_schema
        parts = [conformed(table, schema) for table in tables(ds, ds.column_names, max(len(part), 1))]
        return pa.concat_tables(parts).combine_chunks() if parts else schema.empty_table()


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


def read_shard(rows: Rows, key: str) -> Dataset:
    """A worker's rows, in memory: so nothing is written beside what they come from."""
    import datasets
    import pyarrow as pa
    from datasets.table import InMemoryTable

    whole = _loaded(rows.source) if rows.source else read_rows(Path(str(rows.file)))
    part = whole.select(range(rows.start, rows.stop))
    schema = part.features.arrow_schema
    parts = [conformed(table, schema) for table in tables(part, part.column_names, max(part.num_rows, 1))]
    table = pa.concat_tables(parts).combine_chunks() if parts else schema.empty_table()
    return datasets.Dataset(InMemoryTable(table), datasets.DatasetInfo(features=part.features), fingerprint=key)


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
