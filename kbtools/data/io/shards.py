"""Shards: a dataset as parquet files named by the digest of their content, so that equal rows give equal files.

They hold the rows and the features only; how the rows came about goes beside them, where it does not change the digest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kbtools.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

_BATCH_ROWS = 1_000
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*([KMGT]?i?B?)$", re.IGNORECASE)
_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
SHARD = re.compile(r"^(?P<split>\w+(\.\w+)*)-\d{5}-of-\d{5}(-[0-9a-f]{8,64})?\.parquet$")
"""Names of shards, those of plain `push_to_hub` included."""


@dataclass(frozen=True)
class Shard:
    """One parquet file on disk."""

    path: Path
    rows: int
    nbytes: int
    """Size of the rows in memory, as Arrow data."""
    size: int
    """Size of the file."""
    sha256: str


def parse_size(text: str) -> int:
    """Bytes of a size such as 500MB or 2GiB."""
    match = _SIZE.match(text.strip())
    if not match or not float(match[1]):
        raise UsageError(f"--max-shard-size {text!r} is not a size such as 500MB or 2GiB.")
    unit = match[2].upper().removesuffix("B")
    base = 1024 if unit.endswith("I") else 1000
    return int(float(match[1]) * base ** _UNITS[unit.removesuffix("I")])


def write(ds: Dataset, folder: Path, max_bytes: int) -> list[Shard]:
    """The dataset as files of about `max_bytes` at most (at least one batch of rows each), written in one pass."""
    folder.mkdir(parents=True)
    schema = ds.features.arrow_schema
    tables = ds.with_format("arrow").iter(batch_size=_BATCH_ROWS)
    return list(_shards(tables, schema, folder, max_bytes))


def names(shards: list[Shard], folder: str, split: str) -> list[str]:
    """Path of each shard in the repository."""
    count = len(shards)
    return [f"{folder}/{split}-{i:05d}-of-{count:05d}-{shard.sha256[:16]}.parquet" for i, shard in enumerate(shards)]


def _shards(tables: Iterable[pa.Table], schema: pa.Schema, folder: Path, max_bytes: int) -> Iterator[Shard]:
    pending = iter(tables)
    table = next(pending, None)
    number = 0
    while table is not None or number == 0:
        path = folder / f"{number:05d}.parquet"
        with _writer(path, schema) as writer:
            rows = nbytes = 0
            while table is not None and (rows == 0 or path.stat().st_size < max_bytes):
                writer.write_table(table.cast(schema).combine_chunks())
                rows, nbytes = rows + table.num_rows, nbytes + table.nbytes
                table = next(pending, None)
        yield _finished(path, rows, nbytes)
        number += 1


def _writer(path: Path, schema: pa.Schema) -> Any:
    import pyarrow.parquet as pq

    # chunks end where the content says: after an edit most of a file is one that the Hub already has
    return pq.ParquetWriter(
        path, schema, compression="snappy", use_content_defined_chunking=True, write_page_index=True
    )


def _finished(path: Path, rows: int, nbytes: int) -> Shard:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Shard(path, rows, nbytes, path.stat().st_size, digest)
