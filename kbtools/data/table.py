"""Reading and rewriting the columns of a dataset as Arrow data, a batch at a time, with progress and safe cache keys.

Built-in stages and plugins use these instead of raw `map` and `select`, so that memory stays bounded, features are
always explicit and no fingerprint is ever guessed from a function's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from kbtools.data.layout import Schema

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset, Features

BATCH_ROWS = 2_000

on_rows: ContextVar[Callable[[int], None]] = ContextVar("on_rows", default=lambda rows: None)
"""Called with the number of rows that a stage has just worked through; the pipeline points it at its observer."""


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
    """The named columns of a dataset in order, as Arrow tables of at most `rows` rows; reports progress."""
    names = list(dict.fromkeys(top_column(ds.features, path) for path in paths))
    report = on_rows.get()
    for table in ds.select_columns(names).with_format("arrow").iter(batch_size=rows):
        yield table
        report(table.num_rows)


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
    if ds.num_rows == 0:
        return empty(features)
    report = on_rows.get()

    def counted(table: pa.Table) -> pa.Table:
        result = function(table)
        report(table.num_rows)
        return result

    mapped = ds.with_format("arrow").map(
        counted,
        batched=True,
        batch_size=rows,
        features=features,
        remove_columns=[name for name in ds.column_names if name not in features],
        new_fingerprint=fingerprint,
    )
    return mapped.with_format(None)


def keep(ds: Dataset, mask: np.ndarray | pa.Array | pa.ChunkedArray, fingerprint: str) -> Dataset:
    """The rows where the mask is true, as a view: nothing is copied."""
    import numpy as np

    return take(ds, np.flatnonzero(np.asarray(mask)), fingerprint)


def take(ds: Dataset, indices: Sequence[int] | np.ndarray, fingerprint: str) -> Dataset:
    """The rows at these indices, in this order, as a view: nothing is copied."""
    return ds.select(indices, new_fingerprint=fingerprint)


def empty(features: Features) -> Dataset:
    """A dataset of no rows with these features."""
    import datasets

    return datasets.Dataset.from_dict({name: [] for name in features}, features=features)


def row_name(ds: Dataset, index: int, columns: dict[str, str] | None = None) -> str:
    """How errors call a row: its index and, where the dataset has one, its id."""
    schema = Schema(ds.features, columns)
    if not schema.has("row_id"):
        return f"row {index}"
    path = schema.find("row_id")
    table = ds.select([index]).select_columns([top_column(ds.features, path)]).with_format("arrow")[:]
    return f"row {index} ({path} {field_of(table, path)[0].as_py()})"
