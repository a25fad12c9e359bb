"""Adding columns that are known for all rows at once to a dataset: only they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from kbtools.data.io import arrow_file
from kbtools.data.made_columns import is_of_few, joined
from kbtools.data.table import cache_file, map_batches, on_rows
from kbtools.errors import SchemaError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset, Features

_ROWS = 50_000


def free(features: Features, columns: Mapping[str, str], stage: str) -> Features:
    """The features with these columns, {name: type}; SchemaError where one is there already."""
    from datasets import Features as Declared
    from datasets import Value

    if taken := [name for name in columns if name in features]:
        raise SchemaError(f"{stage} would overwrite the columns {', '.join(taken)}; rename or drop them first.")
    return Declared({**features, **{name: Value(dtype) for name, dtype in columns.items()}})


def with_columns(ds: Dataset, columns: Mapping[str, pa.Array], features: Features, fingerprint: str) -> Dataset:
    """The dataset with these columns, whose values are in the order of its rows."""
    import datasets

    target = cache_file(ds, fingerprint)
    places = _places(ds)
    if target is None or places is None:
        return _beside(ds, columns, features, fingerprint)
    made = datasets.Features({name: features[name] for name in columns})
    if not target.exists():
        arrow_file.write_one(_placed(columns, places, made.arrow_schema), target, made.arrow_schema)
    return joined(ds, arrow_file.mapped(target, fingerprint), features, fingerprint)


def _places(ds: Dataset) -> np.ndarray | None:
    """For each row under the dataset its place in it, or -1; None where the rows had better be copied."""
    import numpy as np

    if is_of_few(ds):
        return None
    if ds._indices is None:
        return np.arange(ds.num_rows)
    below, places = ds._indices.column(0).to_numpy(), np.full(ds.data.num_rows, -1)
    places[below] = np.arange(ds.num_rows)
    return places if np.count_nonzero(places >= 0) == ds.num_rows else None  # a row that is there twice has two values


def _placed(columns: Mapping[str, pa.Array], places: np.ndarray, schema: pa.Schema) -> Iterator[pa.Table]:
    import pyarrow as pa
    from datasets.table import table_cast

    given, report = pa.table(dict(columns)), on_rows.get()
    for start in range(0, len(places), _ROWS):
        some = places[start : start + _ROWS]
        yield table_cast(given.take(pa.array(some, mask=some < 0)), schema).combine_chunks()
        report(int((some >= 0).sum()))


def _beside(ds: Dataset, columns: Mapping[str, pa.Array], features: Features, fingerprint: str) -> Dataset:
    """All columns, written anew."""
    import pyarrow as pa

    done = 0

    def add(table: pa.Table) -> pa.Table:
        nonlocal done
        new = {name: values.slice(done, table.num_rows) for name, values in columns.items()}
        done += table.num_rows
        return pa.table({name: new[name] if name in new else table.column(name) for name in features})

    return map_batches(ds, add, features=features, fingerprint=fingerprint)
