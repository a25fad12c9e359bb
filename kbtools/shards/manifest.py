"""What came of a shard: a folder with its rows, the rows that were left out, and a manifest that tells the rest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from kbtools.data.table import conformed, tables
from kbtools.shards.task import folder_of

if TYPE_CHECKING:
    from datasets import Dataset

MANIFEST = "manifest.json"
ROWS = "rows.arrow"
_BATCH_ROWS = 10_000


class _ManifestPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Dropped(_ManifestPart):
    """Rows that a stage left out, all for one reason."""

    reason: str
    file: str
    rows: int


class Failed(_ManifestPart):
    """Rows that a stage could not process, all for one kind of fault."""

    kind: str
    count: int
    examples: tuple[str, ...]


class Figures(_ManifestPart):
    """A table for people."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class StageFindings(_ManifestPart):
    """What one stage did to the rows of a shard."""

    rows_in: int
    rows_out: int
    dropped: tuple[Dropped, ...] = ()
    failed: tuple[Failed, ...] = ()
    notes: tuple[str, ...] = ()
    facts: Mapping[str, JsonValue] = {}
    tables: tuple[Figures, ...] = ()
    merged: int = 0
    seconds: float


class Manifest(_ManifestPart):
    """What came of a shard."""

    key: str
    host: str
    """Who made it."""
    seconds: float
    """That it took to read the rows, to run the stages and to write what came of them."""
    processor: float
    """The same in seconds of the processor."""
    files: dict[str, str]
    """sha256 of every file beside the manifest."""
    findings: tuple[StageFindings, ...]
    """Of each stage, in order."""


def finished(scratch: Path, key: str) -> Manifest | None:
    """The manifest of a shard whose files are there and what they were, else None."""
    folder = folder_of(scratch, key)
    try:
        found = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        files = digests(folder)
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None
    return found if found.key == key and files == found.files else None


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file of a shard."""
    files = sorted(file for file in folder.iterdir() if file.name != MANIFEST)
    return {file.name: _digest(file) for file in files}


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_rows(ds: Dataset, path: Path) -> None:
    """The rows as one Arrow file that says their features, on the disk when this returns."""
    import pyarrow as pa

    schema = ds.features.arrow_schema
    with path.open("wb") as raw:
        with pa.ipc.new_stream(raw, schema) as writer:
            for table in tables(ds, ds.column_names, _BATCH_ROWS):
                writer.write_table(conformed(table, schema).combine_chunks())
        raw.flush()
        os.fsync(raw.fileno())


def read_rows(path: Path) -> Dataset:
    """The rows of a file, memory-mapped."""
    import datasets

    return datasets.Dataset.from_file(str(path))
