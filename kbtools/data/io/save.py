"""Saving: a dataset becomes files whose names say their format, each written aside and renamed when it is whole.

Several splits saved as NAME.parquet become NAME-<split>.parquet. A record of how the dataset was made goes beside the
output as NAME.lineage.json and, where the format has room for it, into the file's own schema metadata.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from threading import Event
from typing import IO, TYPE_CHECKING, cast

from kbtools.data import json_text
from kbtools.data.cores import usable_cores
from kbtools.data.hollow import for_parquet
from kbtools.data.io import saved_folder, text_file
from kbtools.data.io.ahead import ahead
from kbtools.data.io.source import aside
from kbtools.data.table import conformed, exact_tables, tables, take
from kbtools.errors import ConfigError, DataError, UsageError, reason

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetDict

METADATA_KEY = b"kbtools"
_TEXT_ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst")
_BATCH_ROWS = 10_000
_PIECE_BYTES = 1 << 24
_GATHERED = 3
"""Pieces that are gathered at once, for each look into a chunk takes its time."""
_TOGETHER = 2
"""Splits that are written at once: each has some pieces in memory."""
_SIZED = 256
"""Rows by whose size pieces are cut."""


def check_target(path: Path) -> None:
    """UsageError when a dataset cannot be saved under this name: asked before any work is done."""
    if not path.name:
        raise UsageError(f"--out {path}: this folder itself cannot be replaced; give the name of one in it.")
    if path.suffix and not path.name.endswith((".parquet", *_TEXT_ENDINGS)):
        raise UsageError(f"--out {path}: names end in .parquet, .jsonl, .jsonl.gz, .jsonl.zst, or nothing (a folder).")
    if not path.suffix and path.is_file():
        raise UsageError(f"--out {path}: there is a file where the dataset's folder should go.")
    if path.is_dir() and (path.suffix or not _is_dataset(path)):
        raise UsageError(f"--out {path}: there is a folder that is not a saved dataset; it is not replaced.")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
        raise UsageError(f"--out {path}: {above} is not a folder that you may write to.")


def _is_dataset(folder: Path) -> bool:
    """Whether a folder may be replaced by a saved dataset: it is one, or holds nothing."""
    with _replacing(folder):
        return saved_folder.is_saved(folder) or not any(folder.iterdir())


@contextmanager
def _replacing(folder: Path) -> Iterator[None]:
    """Alone among the threads and processes of this machine in looking at a folder or putting another in its place."""
    from filelock import FileLock

    locks = Path(tempfile.gettempdir(), f"kbtools-locks-{os.getuid()}")
    locks.mkdir(mode=0o700, exist_ok=True)
    with FileLock(locks / hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:32]):
        yield


def write(data: Dataset | DatasetDict, path: Path, embedded: str) -> list[Path]:
    """Write the dataset; `embedded` goes into the schema metadata of parquet files. Returns what was written."""
    check_target(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.suffix:
        return [_write_folder(data, path)]
    if path.suffix == ".parquet":
        data = for_parquet(data)
    if not isinstance(data, dict):
        _write_file(data, path, embedded)
        return [path]
    files = [split_file(path, name) for name in data]
    with _all_or_none(files) as parts:
        _write_together([*zip(data.values(), parts, strict=True)], path.name, embedded)
    path.unlink(missing_ok=True)  # what an earlier run has saved under this name would be read in place of the splits
    return files


def split_file(path: Path, split: str) -> Path:
    """File of one split of a dataset that is saved as `path`."""
    stem, dot, ending = path.name.partition(".")
    return path.with_name(f"{stem}-{split}{dot}{ending}")


def may_be_split(file: Path, path: Path) -> bool:
    """Whether a file is called like one split of a dataset that is saved as `path`."""
    stem, dot, ending = path.name.partition(".")
    beside = file.resolve().parent == path.resolve().parent
    return beside and file.name.startswith(f"{stem}-") and file.name.endswith(dot + ending)


def files_of(path: Path) -> list[Path]:
    """What a local name stands for: the file or folder, or the files of the splits saved under it; else nothing."""
    splits = [split_file(path, name) for name in split_names_beside(path)]
    return [path] if path.exists() else [path, *splits] if splits else []


def lineage_file(path: Path) -> Path:
    """File beside an output that says how the output was made."""
    named = path if path.name else path.absolute()  # `.`
    return named.with_name(f"{named.name}.lineage.json")


def split_names_beside(path: Path) -> list[str]:
    """Names of the splits that were saved as `path`, from the record beside it; none when there is no such record."""
    record = lineage_file(path)
    if not record.exists():
        return []
    try:
        output = text_file.read_json(record, "lineage").get("output") or {}
        names = list(output.get("splits") or [])
        there = [name for name in names if split_file(path, name).exists()]
    except (AttributeError, TypeError) as error:
        raise DataError(
            f"{record} no longer says what the splits of {path.name} are ({error}): mend or delete it."
        ) from error
    if there and (gone := [split_file(path, name).name for name in names if name not in there]):
        raise DataError(f"{path} was saved as the splits {', '.join(names)}, but {', '.join(gone)} is not there.")
    return there


def write_text(path: Path, text: str) -> None:
    """Replace a small text file in one step."""
    part = aside(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def _write_file(ds: Dataset, path: Path, embedded: str) -> None:
    with _all_or_none([path]) as (part,):
        _write_format(ds, part, path.name, embedded)


@contextmanager
def _all_or_none(files: list[Path]) -> Iterator[list[Path]]:
    """Names to write to; renamed to the files together once everything is written, removed otherwise."""
    parts = [aside(file) for file in files]
    try:
        yield parts
        for part, file in zip(parts, files, strict=True):
            part.replace(file)
    except OSError as error:
        raise _unwritten(files[0], error) from error
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _unwritten(path: Path, error: OSError) -> ConfigError:
    """A full disk or a missing permission, said of the output rather than of a temporary name."""
    return ConfigError(f"{path} could not be written ({reason(error)}); what stood there is unchanged.")


def _write_together(splits: Sequence[tuple[Dataset, Path]], name: str, embedded: str) -> None:
    """Each split to its file, two at a time; none is written on when one cannot be."""
    stop = Event()
    with ThreadPoolExecutor(min(len(splits), usable_cores(), _TOGETHER)) as pool:
        try:
            jobs = [pool.submit(_write_format, ds, part, name, embedded, stop) for ds, part in splits]
            wait(jobs, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
    for job in jobs:
        job.result()


def _write_format(ds: Dataset, part: Path, name: str, embedded: str, stop: Event | None = None) -> None:
    batches = takewhile(lambda table: stop is None or not stop.is_set(), _arrow_batches(ds))
    if name.endswith(".parquet"):
        _write_parquet(ds, batches, part, embedded)
    else:
        _write_jsonl(batches, part, name)


def _write_parquet(ds: Dataset, batches: Iterator[pa.Table], part: Path, embedded: str) -> None:
    import pyarrow.parquet as pq

    metadata = {**(ds.features.arrow_schema.metadata or {}), METADATA_KEY: embedded.encode()}
    schema = ds.features.arrow_schema.with_metadata(metadata)
    with pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for table in ahead(batches):
            writer.write_table(conformed(table, schema))


def _arrow_batches(ds: Dataset) -> Iterator[pa.Table]:
    """The rows in pieces, each one chunk, cut where the rows alone say: so equal rows give equal bytes."""
    rows = _piece_rows(ds)
    gathered = exact_tables(ds, ds.column_names, _GATHERED * rows)
    return (table.slice(at, rows).combine_chunks() for table in gathered for at in range(0, table.num_rows, rows))


def _piece_rows(ds: Dataset) -> int:
    """Rows of a piece, by the size of some of them; Arrow's own size counts what a dataset is a view of."""
    import numpy as np

    if ds.num_rows == 0:
        return _BATCH_ROWS
    some = take(ds, np.linspace(0, ds.num_rows - 1, min(_SIZED, ds.num_rows), dtype=int), "some rows")
    rows = [row for table in tables(some, some.column_names, _SIZED) for row in table.to_pylist()]
    size = sum(len(json.dumps(row, default=str)) for row in rows) // len(rows)
    return max(1, min(_BATCH_ROWS, _PIECE_BYTES // max(size, 1)))


def _write_jsonl(batches: Iterator[pa.Table], part: Path, name: str) -> None:
    with _text_stream(part, name) as stream:
        for table in batches:
            stream.writelines(f"{line}\n".encode() for line in json_text.lines(table, _as_text))


def _as_text(value: object) -> str:
    """Times and decimals as they are usually written; DataError for bytes, of which JSON has no way to tell."""
    if isinstance(value, bytes):
        raise DataError("JSON lines cannot hold columns of bytes: save as .parquet, or leave them out.")
    return str(value)


@contextmanager
def _text_stream(part: Path, name: str) -> Iterator[IO[bytes]]:
    import pyarrow as pa

    if name.endswith(".gz"):
        with part.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as stream:
            yield cast("IO[bytes]", stream)
    elif name.endswith(".zst"):
        with pa.output_stream(str(part), compression="zstd") as stream:
            yield stream
    else:
        with part.open("wb") as stream:
            yield stream


def _write_folder(data: Dataset | DatasetDict, path: Path) -> Path:
    part, old = aside(path), aside(path, "old")
    try:
        saved_folder.write(data, part)
        with _replacing(path):
            _replace_folder(path, part, old)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        for leftover in (part, old):
            shutil.rmtree(leftover, ignore_errors=True)
    return path


def _replace_folder(path: Path, part: Path, old: Path) -> None:
    """Rename a folder into the place of another, which comes back when that is stopped half way."""
    if path.exists():
        path.rename(old)
    try:
        part.rename(path)
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
