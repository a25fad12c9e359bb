"""Local files as memory-mapped datasets: turned into Arrow once, in the cache of `datasets`, by their content.

Several files, the shards of one split, become one dataset. Which files those are is `kbtools.data.io.load`'s part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate, groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kbtools.data import sample
from kbtools.data.cached import cached, noted_texts, written_while_digested
from kbtools.data.columns import evals_features, type_text
from kbtools.data.file_state import FileState, check_unchanged, file_digest
from kbtools.data.io import arrow_file, csv_file, json_document, jsonl, plain_types
from kbtools.data.io.agent_traces import is_trace
from kbtools.data.io.arrow_file import TableReading
from kbtools.data.io.data_file import DataFile, data_file
from kbtools.data.json_columns import kept_as_text, say
from kbtools.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetDict, Features

_BATCH_BYTES = 1 << 25
"""What is written as one chunk: scattered rows are gathered chunk by chunk, so many small ones are slow."""
_MOST_ROWS = 100_000
Data = TypeVar("Data", "Dataset", "DatasetDict", "Dataset | DatasetDict")


def as_dataset(path: Path) -> tuple[Dataset, str]:
    """The rows of a file, and the digest of its content."""
    seen, file = FileState.of(path), data_file(path)
    known = evals_features().arrow_schema if path == sample.path() else None
    whole = "whole" if file.is_one_document else ""
    form = "-".join(filter(None, (str(seen.size), file.kind, file.compression, whole)))
    reading = _reading(file)
    kept_as_text.pop(path, None)
    digest = written_while_digested(path, seen, form, reading) or file_digest(path)
    check = partial(check_unchanged, path, seen, digest)
    rows = cached(form, digest, reading, known, check)
    for name in noted_texts(form, digest, kept_as_text.get(path, ())):
        say(path, name)
    return rows, digest


def as_one(paths: Sequence[Path]) -> Dataset:
    """The rows of files that are parts of one dataset, one after the other."""
    import datasets

    if len(paths) == 1:
        return as_dataset(paths[0])[0]
    parts = [as_dataset(path) for path in paths]
    features = _common([ds for ds, _ in parts], paths)
    digest = hashlib.sha256("".join(part for _, part in parts).encode()).hexdigest()
    schema = features.arrow_schema
    if any(ds.features.arrow_schema.types != schema.types or ds.column_names != schema.names for ds, _ in parts):
        tables = [ds.data.table for ds, _ in parts]
        return cached("parts", digest, TableReading(lambda known: _aligned(tables, schema)), schema)
    whole = datasets.concatenate_datasets([ds for ds, _ in parts])
    whole._fingerprint = digest[:64]
    return whole


def gatherable(data: Data, where: object) -> Data:
    """The dataset in types whose rows can be gathered; itself where they can be."""
    if isinstance(data, dict):
        return type(data)({name: gatherable(ds, where) for name, ds in data.items()})
    schema = data.data.schema
    wanted = plain_types.features(schema, where).arrow_schema
    if wanted.types == schema.types:
        return data
    digest = hashlib.sha256(f"{data._fingerprint}-plain".encode()).hexdigest()
    flat = data.flatten_indices() if data._indices is not None else data
    tables = [plain_types.plain_table(flat.data.table, wanted)]
    return cached("plain", digest, TableReading(lambda known: tables), wanted)


# ---- one file --------------------------------------------------------------------------------------------------------


def _reading(file: DataFile) -> TableReading:
    """Tables of a file, given the schema that is known; those that say their types themselves have no use for it."""
    if file.kind == "parquet":
        return TableReading(lambda known: _parquet_tables(file.path), lambda: _parquet_parts(file.path))
    if file.kind == "arrow":
        return TableReading(lambda known: _arrow_tables(file.path))
    if file.kind != "json":
        return TableReading(lambda known: csv_file.tables(file))
    if json_document.is_document(file):
        return TableReading(lambda known: json_document.tables(file, known))
    return TableReading(lambda known: jsonl.tables(file, known), lambda: jsonl.parts(file))


def _parquet_parts(path: Path) -> list[arrow_file.Part]:
    """Readers of consecutive row groups, about as many bytes each; none where they are few."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError):  # said where it is read from the start
        return []
    ends = [*accumulate(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))]
    count = arrow_file.part_count(ends[-1]) if ends else 1
    if count == 1:
        return []
    part_of = [min((end - 1) * count // ends[-1], count - 1) for end in ends]
    parts = [[*group] for _, group in groupby(range(len(ends)), key=part_of.__getitem__)]
    return [partial(_parquet_part, path, part) for part in parts]


def _parquet_part(path: Path, groups: Sequence[int], schema: pa.Schema) -> Iterator[pa.Table]:
    return _parquet_tables(path, groups)  # it says its types itself


def _parquet_tables(path: Path, groups: Sequence[int] | None = None) -> Iterator[pa.Table]:
    """The rows of these row groups, decoded by this thread alone; of all of them, by several."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # read as a stream: by default pyarrow holds whole row groups, and rows may be long
        file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        known = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        row_bytes = max((group.total_byte_size // max(group.num_rows, 1) for group in known), default=0)
        size = max(1, min(_MOST_ROWS, _BATCH_BYTES // max(row_bytes, 1)))
        batches = file.iter_batches(batch_size=size, row_groups=groups, use_threads=groups is None)
        yield from _plain(file.schema_arrow, batches, path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a whole parquet file ({str(error).strip()}).") from error


def _arrow_tables(path: Path) -> Iterator[pa.Table]:
    """Arrow's two formats: the file, which feather is too, and the stream, which `datasets` writes."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source:
            if path.open("rb").read(6) == b"ARROW1":
                file = pa.ipc.open_file(source)
                yield from _plain(file.schema, (file.get_batch(i) for i in range(file.num_record_batches)), path)
            else:
                stream = pa.ipc.open_stream(source)
                yield from _plain(stream.schema, stream, path)
                arrow_file.check_ended(source, path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a whole Arrow file ({str(error).strip()}).") from error


def _plain(schema: pa.Schema, batches: Iterable[pa.RecordBatch], path: Path) -> Iterator[pa.Table]:
    import pyarrow as pa

    arrow_file.check_names(schema.names, path)
    for column in schema:
        arrow_file.check_fields(column.type, column.name, path)
    wanted = plain_types.features(schema, path).arrow_schema
    yield wanted.empty_table()
    for batch in batches:
        yield plain_types.plain_table(pa.Table.from_batches([batch]), wanted)


# ---- several files ---------------------------------------------------------------------------------------------------


def _common(parts: Sequence[Dataset], paths: Sequence[Path]) -> Features:
    """Features that hold the rows of all parts; DataError names two files that do not go together, and why."""
    import datasets

    names: list[str] = next((ds.column_names for ds in parts if ds.column_names), [])
    first = next(i for i, ds in enumerate(parts) if ds.column_names or not names)
    schema = parts[first].data.schema
    typed = any(data_file(path).kind != "json" for path in paths)
    for ds, path in zip(parts, paths, strict=True):
        if not ds.column_names:  # JSON lines without a row say no columns
            continue
        traces = is_trace(ds.column_names) and is_trace(names)
        if not traces and (difference := _difference(ds.column_names, names)):
            raise DataError(
                f"{path} and {paths[first]} are parts of one dataset, but their columns differ: {difference}. "
                "Give them the same columns, or load each by itself."
            )
        schema = _widened(schema, ds, path, paths[first], typed=typed)
    _say_texts(parts, paths, schema)
    if schema.types == parts[first].data.schema.types:
        return parts[first].features
    return datasets.Features.from_arrow_schema(schema)


def _say_texts(parts: Sequence[Dataset], paths: Sequence[Path], schema: pa.Schema) -> None:
    """Warn of lists and objects of one file that are text among those of others."""
    import pyarrow.types as pt

    for ds, path in zip(parts, paths, strict=True):
        for field in ds.data.schema:
            if pt.is_nested(field.type) and pt.is_string(schema.field(field.name).type):
                say(path, field.name)


def _difference(found: Sequence[str], first: Sequence[str]) -> str:
    more, less = ([name for name in a if name not in b] for a, b in ((found, first), (first, found)))
    said = [f"the first has {', '.join(map(repr, more))} more"] if more else []
    return " and ".join([*said, *([f"it lacks {', '.join(map(repr, less))}"] if less else [])])


def _widened(schema: pa.Schema, ds: Dataset, path: Path, first: Path, *, typed: bool) -> pa.Schema:
    try:
        return arrow_file.unified(schema, ds.data.schema, typed=typed)
    except DataError:
        odd = [
            f"{name!r} is {type_text(ds.features[name])} in one and {schema.field(name).type} in the other"
            for name in ds.column_names
            if not _fit(schema.field(name), ds.data.schema.field(name))
        ]
        raise DataError(
            f"{path} and {first} are parts of one dataset, but their types differ: {'; '.join(odd)}. "
            "Give the column one type, or load each file by itself."
        ) from None


def _fit(one: pa.Field, other: pa.Field) -> bool:
    import pyarrow as pa

    try:
        arrow_file.unified(pa.schema([one]), pa.schema([other]), typed=True)
    except DataError:
        return False
    return True


def _aligned(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The tables with their columns in one order; types grow as they are written."""
    for table in tables:
        if table.column_names:
            yield from (batch for batch in _pieces(_with_columns(table, schema)))


def _with_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with all of these columns, those of other files being null."""
    import pyarrow as pa

    columns = {
        field.name: table.column(field.name) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    }
    return pa.table(columns)


def _pieces(table: pa.Table) -> Iterator[pa.Table]:
    import pyarrow as pa

    return (pa.Table.from_batches([batch]) for batch in table.to_batches(max_chunksize=2_000))
