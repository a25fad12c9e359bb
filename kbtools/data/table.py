"""Reading and rewriting the columns of a dataset as Arrow data, a batch at a time, with progress and safe cache keys.

Built-in stages and plugins use these instead of raw `map` and `select`, so that memory stays bounded, features are
always explicit and no fingerprint is ever guessed from a function's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kbtools.data.columns import Schema
from kbtools.data.gather import pieces, rows_within
from kbtools.data.io import arrow_file
from kbtools.errors import RowError
from kbtools.wording import counted

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    import pyarrow as pa
    from datasets import Dataset, Features

BATCH_ROWS = 2_000
FIRST_ROWS = 50
"""Of a function of which it is not known yet how long the rows are that it makes."""
_CONSTANT_ROWS = 1_000_000

on_rows: ContextVar[Callable[[int], None]] = ContextVar("on_rows", default=lambda rows: None)
"""Called with the number of rows that a stage has just worked through; the pipeline points it at its observer."""

on_counts: ContextVar[Callable[[Mapping[str, int]], None]] = ContextVar("on_counts", default=lambda counts: None)
"""Called with how a stage's rows have turned out so far, as verdicts and their numbers."""

on_message: ContextVar[Callable[[str], None]] = ContextVar("on_message", default=lambda text: None)
"""Called with what people are to know before a stage goes on, such as what a push is about to replace."""

row_numbers: ContextVar[Callable[[int], str]] = ContextVar("row_numbers", default=str)
"""How a row's index is written in names of rows; in a part of a dataset the index alone would name another row."""


def field_of(table: pa.Table | pa.RecordBatch, path: str) -> pa.ChunkedArray | pa.Array:
    """The values at a column path; a null struct gives a null field."""
    import pyarrow.compute as pc

    if path in table.schema.names:
        return table.column(path)
    name, *rest = path.split(".")
    column = table.column(name)
    for part in rest:
        column = pc.struct_field(column, part)
    return column


def top_column(features: Features, path: str) -> str:
    """Name of the top-level column that a path goes through."""
    return path if path in features else path.split(".")[0]


def batches(ds: Dataset, paths: Sequence[str], rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
    """The values at column paths in order, as Arrow tables of at most `rows` rows, one column a path; with progress."""
    report = on_rows.get()
    for table in tables(ds, paths, rows):
        yield table
        report(table.num_rows)


def tables(ds: Dataset, paths: Sequence[str], rows: int) -> Iterator[pa.Table]:
    """The values at column paths in the dataset's order, at most `rows` rows at a time and, if rows are long, fewer."""
    import pyarrow as pa

    whole = pa.table({path: field_of(ds.data.table, path) for path in paths})
    return pieces(ds, whole, rows_within(whole, rows))


def exact_tables(ds: Dataset, paths: Sequence[str], rows: int) -> Iterator[pa.Table]:
    """As `tables`, with exactly so many rows at a time, as far as they go."""
    import pyarrow as pa

    return pieces(ds, pa.table({path: field_of(ds.data.table, path) for path in paths}), rows)


def conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table in this schema; without a cast where it has it: casts fail on null structs in lists."""
    import pyarrow as pa

    same = table.schema.equals(schema)
    return pa.Table.from_arrays(table.columns, schema=schema) if same else table.cast(schema)


def column(ds: Dataset, path: str) -> pa.ChunkedArray:
    """All values at a path as one Arrow column: for numbers and keys, not for long texts."""
    import pyarrow as pa

    chunks: list[Any] = []
    for table in batches(ds, [path], rows=50_000):
        values = field_of(table, path)
        chunks.extend(values.chunks if isinstance(values, pa.ChunkedArray) else [values])
    if not chunks:
        return pa.chunked_array([], type=field_of(ds.features.arrow_schema.empty_table(), path).type)
    return pa.chunked_array(chunks)


def frame(ds: Dataset, paths: Mapping[str, str]) -> pl.DataFrame:
    """Columns of a dataset under new names, as {name: path}, with each row's index as `row`; NaN becomes null.

    For keys and numbers: everything that is named stays in memory.
    """
    import polars as pl

    if not paths:
        return pl.DataFrame({"row": pl.arange(ds.num_rows, dtype=pl.UInt32, eager=True)})
    return pl.concat(frames(ds, paths, rows=50_000))


def frames(ds: Dataset, paths: Mapping[str, str], rows: int) -> Iterator[pl.DataFrame]:
    """As `frame`, so many rows at a time; of no rows one frame."""
    import polars as pl
    import polars.selectors as cs

    names, start = list(paths.values()), 0
    for table in batches(ds, names, rows) if ds.num_rows else [ds.features.arrow_schema.empty_table()]:
        columns = [pl.Series(name, pl.from_arrow(field_of(table, path))) for name, path in paths.items()]
        number = pl.arange(start, start + table.num_rows, dtype=pl.UInt32, eager=True).alias("row")
        yield pl.DataFrame([number, *columns]).with_columns(cs.float().fill_nan(None))
        start += table.num_rows


def require_values(ds: Dataset, rows: Sequence[int], what: str, remedy: str, columns: dict[str, str]) -> None:
    """RowError that names the first of these rows, when there are any: those where `what` is null or NaN."""
    if len(rows):
        named = ", ".join(row_name(ds, int(row), columns) for row in rows[:3])
        raise RowError(f"{what} is null or NaN in {rows_text(len(rows))}: {named}. {remedy}")


def map_batches(
    ds: Dataset,
    function: Callable[[pa.Table], pa.Table],
    *,
    features: Features,
    fingerprint: str,
    rows: int = 1_000,
) -> Dataset:
    """Dataset whose batches are `function` of this one's, cached under `fingerprint` (use `Stage.fingerprint`).

    `function` gets Arrow tables of all columns and gives tables of at least the columns that it changes; the result is
    cast to `features`, so that a column of nulls keeps its type, and columns not in `features` are left out.
    """
    import datasets
    import pyarrow as pa
    from datasets.table import InMemoryTable

    if ds.num_rows == 0:
        return empty(features)
    found = worked(ds, function, features.arrow_schema, rows)
    info, target = ds.info.copy(), cache_file(ds, fingerprint)
    info.features = features
    if target is None:
        return datasets.Dataset(InMemoryTable(pa.concat_tables(found)), info, ds.split, fingerprint=fingerprint)
    if not target.exists():
        arrow_file.write_one(found, target, features.arrow_schema)
    return arrow_file.mapped(target, fingerprint, info, ds.split)


def worked(ds: Dataset, function: Callable[[pa.Table], pa.Table], schema: pa.Schema, rows: int) -> Iterator[pa.Table]:
    """What the function makes of the dataset in this schema, `rows` rows at a time, or fewer if it makes long ones."""
    from datasets.table import table_cast

    report = on_rows.get()
    whole, some = ds.data.table, min(rows, FIRST_ROWS)
    for piece in pieces(ds, whole, rows_within(whole, ds.num_rows)):
        start = 0
        while start < piece.num_rows:
            result = function(piece.slice(start, some))
            yield table_cast(result, schema).combine_chunks()
            taken = min(some, piece.num_rows - start)
            report(taken)
            start += taken
            some = min(4 * some, rows_within(result, rows, of=taken))


def cache_file(ds: Dataset, fingerprint: str) -> Path | None:
    """Where new values go: never beside the rows, for those may be a source or a shard that others share.

    None for rows in memory, whose new values stay there, and where caching is turned off.
    """
    import datasets

    if not ds.cache_files or not datasets.is_caching_enabled():
        return None
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "kbtools" / "stages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{fingerprint}.arrow"


def with_constant(ds: Dataset, name: str, value: str) -> Dataset:
    """The dataset with a text column that is the same in every row; a view stays one, where `add_column` copies it."""
    import datasets
    import pyarrow as pa
    from datasets.table import InMemoryTable, concat_tables

    features = datasets.Features({**ds.features, name: datasets.Value("string")})
    if ds.num_rows == 0:  # `concat_tables` fails on no rows of a table that is itself concatenated
        return empty(features)
    chunk = pa.repeat(value, min(_CONSTANT_ROWS, ds.data.num_rows))  # one for all of them
    chunks = [chunk[: ds.data.num_rows - start] for start in range(0, ds.data.num_rows, _CONSTANT_ROWS)]
    constant = pa.table({name: pa.chunked_array(chunks)})
    info = ds.info.copy()
    info.features = features
    fingerprint = hashlib.sha256(f"{ds._fingerprint}\0{name}\0{value}".encode()).hexdigest()
    joined = concat_tables([ds.data, InMemoryTable(constant)], axis=1)
    return datasets.Dataset(joined, info, ds.split, indices_table=ds._indices, fingerprint=fingerprint)


def keep(ds: Dataset, mask: np.ndarray | pa.Array | pa.ChunkedArray, fingerprint: str) -> Dataset:
    """The rows where the mask is true, as a view: nothing is copied."""
    import numpy as np

    return take(ds, np.flatnonzero(np.asarray(mask)), fingerprint)


def take(ds: Dataset, indices: Sequence[int] | np.ndarray, fingerprint: str) -> Dataset:
    """The rows at these indices, in this order, as a view of eight bytes a row: nothing is copied.

    `Dataset.select` would make an object of Python of every index.
    """
    import datasets
    import numpy as np
    import pyarrow as pa
    from datasets.table import InMemoryTable

    at = np.asarray(indices)
    if not len(at) or _consecutive(at):
        return ds.select(range(int(at[0]), int(at[-1]) + 1) if len(at) else range(0), new_fingerprint=fingerprint)
    if ds.format["type"] is not None:  # which `select` hands on
        return ds.select(at, new_fingerprint=fingerprint)
    if not 0 <= at.min() <= at.max() < ds.num_rows:
        raise IndexError(f"rows {at.min()} to {at.max()} of {ds.num_rows}")
    below = at if ds._indices is None else ds._indices.column(0).to_numpy()[at]
    chosen = InMemoryTable(pa.table({"indices": below.astype(np.uint64, copy=False)}))
    return datasets.Dataset(ds._data, ds.info.copy(), ds.split, indices_table=chosen, fingerprint=fingerprint)


def _consecutive(at: np.ndarray) -> bool:
    import numpy as np

    return int(at[-1]) - int(at[0]) == len(at) - 1 and bool((np.diff(at) == 1).all())


def empty(features: Features) -> Dataset:
    """A dataset of no rows with these features."""
    import datasets
    from datasets.table import InMemoryTable

    schema = features.arrow_schema
    fingerprint = hashlib.sha256(schema.serialize()).hexdigest()
    info = datasets.DatasetInfo(features=features)
    return datasets.Dataset(InMemoryTable(schema.empty_table()), info, fingerprint=fingerprint)


def rows_text(count: int) -> str:
    """How many rows, as `1 row` or `1,234 rows`."""
    return counted(count, "row")


def row_name(ds: Dataset, index: int, columns: dict[str, str] | None = None) -> str:
    """How errors call a row: its index and, where the dataset has one, its id."""
    return row_names(ds, [index], columns)[0]


def row_names(ds: Dataset, indices: Sequence[int], columns: dict[str, str] | None = None) -> list[str]:
    """What `row_name` calls each of these rows, the ids of all of them being read at once."""
    schema, number = Schema(ds.features, columns), row_numbers.get()
    if not schema.has("row_id") or not len(indices):
        return [f"row {number(index)}" for index in indices]
    path = schema.find("row_id")
    at = [int(index) for index in indices]
    if ds._indices is not None:
        at = ds._indices.column(0).take(at).to_pylist()
    ids = field_of(ds.data.table, path).take(at).to_pylist()
    return [f"row {number(index)} ({path} {found})" for index, found in zip(indices, ids, strict=True)]
