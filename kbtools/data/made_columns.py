"""Stages that make some columns of their rows: only those are written, and the others stay where they are.

What is made for a view has a place for every row of the table under it, so that it goes with the columns that stay: the
rows are worked on in the order in which they lie there. A view of few rows is copied instead, and so is one that lies
in another order where the stage has to see the rows in that of the dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from kbtools.data.gather import rows_within
from kbtools.data.io import arrow_file
from kbtools.data.table import cache_file, map_batches, on_rows, worked

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset, Features

_PIECES = 4
"""Chunks of so many pieces are not cut: rows would have to be gathered from more of them."""
_FEW = 16
"""A view with less than one in so many rows is copied: the empty places would take more than the rows."""


def map_columns(
    ds: Dataset,
    function: Callable[[pa.Table], pa.Table],
    needs: Sequence[str],
    *,
    features: Features,
    fingerprint: str,
    replaced: Sequence[str] = (),
    rows: int = 1_000,
    in_order: bool = False,
) -> Dataset:
    """As `map_batches`, for a function that treats each row alone, and is given the columns `needs` only.

    It gives the `replaced` columns and those that the dataset lacks. Batches come in any order, or `in_order`.
    """
    import datasets

    target = cache_file(ds, fingerprint)
    if target is None or is_of_few(ds) or (in_order and not _is_in_order(ds)):
        beside = _beside(function, needs, list(features))
        return map_batches(ds, beside, features=features, fingerprint=fingerprint, rows=rows)
    made = datasets.Features({name: features[name] for name in features if name in replaced or name not in ds.features})
    if not target.exists():
        work = _worked_in_order if in_order else _worked
        arrow_file.write_one(work(ds, function, needs, made.arrow_schema, rows), target, made.arrow_schema)
    return joined(ds, arrow_file.mapped(target, fingerprint), features, fingerprint)


def is_of_few(ds: Dataset) -> bool:
    """Whether a dataset is a view of few of the rows under it."""
    return bool(ds.num_rows * _FEW <= ds.data.num_rows)


def _is_in_order(ds: Dataset) -> bool:
    """Whether a dataset's rows lie in their order, each once."""
    import numpy as np

    return ds._indices is None or bool((np.diff(ds._indices.column(0).to_numpy().astype(np.int64)) > 0).all())


def _beside(
    function: Callable[[pa.Table], pa.Table], needs: Sequence[str], names: Sequence[str]
) -> Callable[[pa.Table], pa.Table]:
    """The function for tables of all columns, which takes what it needs and leaves the others."""
    import pyarrow as pa

    def whole(table: pa.Table) -> pa.Table:
        made = function(table.select(list(needs)))
        return pa.table({name: (made if name in made.column_names else table).column(name) for name in names})

    return whole


def _worked(
    ds: Dataset, function: Callable[[pa.Table], pa.Table], needs: Sequence[str], schema: pa.Schema, rows: int
) -> Iterator[pa.Table]:
    """What the function makes, chunk by chunk of the table under the dataset; null for rows that the view lacks."""
    import numpy as np

    report, whole, start = on_rows.get(), ds.data.table.select(list(needs)), 0
    chosen = None if ds._indices is None else np.unique(ds._indices.column(0).to_numpy())
    most = _PIECES * rows_within(whole, max(whole.num_rows, 1))
    for chunk in whole.to_batches(max_chunksize=most):
        end = start + chunk.num_rows
        some = None
        if chosen is not None:
            some = chosen[np.searchsorted(chosen, start) : np.searchsorted(chosen, end)] - np.uint64(start)
        yield _made(chunk, some, function, schema, rows)
        report(chunk.num_rows if some is None else len(some))
        start = end


def _worked_in_order(
    ds: Dataset, function: Callable[[pa.Table], pa.Table], needs: Sequence[str], schema: pa.Schema, rows: int
) -> Iterator[pa.Table]:
    """As `_worked`, batch by batch of a dataset whose rows lie in their order."""
    import numpy as np

    done = worked(ds.select_columns(list(needs)), lambda table: function(table).select(schema.names), schema, rows)
    if ds._indices is None:
        yield from done
        return
    chosen, start = ds._indices.column(0).to_numpy().astype(np.int64), 0
    for found in done:
        some, chosen = chosen[: found.num_rows], chosen[found.num_rows :]
        end = int(some[-1]) + 1 if len(chosen) else ds.data.num_rows
        yield _in_places(found, some - start, end - start)
        start = end


def _made(
    chunk: pa.RecordBatch,
    some: np.ndarray | None,
    function: Callable[[pa.Table], pa.Table],
    schema: pa.Schema,
    rows: int,
) -> pa.Table:
    """What the function makes of some rows of a chunk, each in its place."""
    import pyarrow as pa
    from datasets.table import table_cast

    if some is not None and not len(some):
        return pa.table([pa.nulls(chunk.num_rows, kind) for kind in schema.types], schema=schema)
    table = pa.Table.from_batches([chunk if some is None else chunk.take(pa.array(some))])
    parts = [function(table.slice(start, rows)).select(schema.names) for start in range(0, table.num_rows, rows)]
    found = table_cast(pa.concat_tables(parts), schema).combine_chunks()
    return found if some is None else _in_places(found, some, chunk.num_rows)


def _in_places(found: pa.Table, some: np.ndarray, count: int) -> pa.Table:
    """So many rows, of which those at `some` were found, and the others are null."""
    import numpy as np
    import pyarrow as pa

    if len(some) == count:
        return found
    places, taken = np.zeros(count, np.int64), np.zeros(count, bool)
    places[some], taken[some] = np.arange(len(some)), True
    return found.take(pa.array(places, mask=~taken))


def joined(ds: Dataset, made: Dataset, features: Features, fingerprint: str) -> Dataset:
    """The dataset with what was made for the table under it."""
    import datasets
    from datasets.table import concat_tables

    info = ds.info.copy()
    info.features = features
    stay = [name for name in features if name not in made.features]
    table = concat_tables([ds.data.select(stay), made.data], axis=1) if stay else made.data
    ordered = table.select(list(features))
    return datasets.Dataset(ordered, info, ds.split, indices_table=ds._indices, fingerprint=fingerprint)
