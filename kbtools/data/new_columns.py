"""Adding columns that are known for all rows at once to a dataset, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kbtools.data.table import map_batches
from kbtools.errors import SchemaError

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features


def free(features: Features, columns: Mapping[str, str], stage: str) -> Features:
    """The features with these columns, {name: type}; SchemaError where one is there already."""
    from datasets import Features as Declared
    from datasets import Value

    if taken := [name for name in columns if name in features]:
        raise SchemaError(f"{stage} would overwrite the columns {', '.join(taken)}; rename or drop them first.")
    return Declared({**features, **{name: Value(dtype) for name, dtype in columns.items()}})


def with_columns(ds: Dataset, columns: Mapping[str, pa.Array], features: Features, fingerprint: str) -> Dataset:
    """The dataset with these columns, whose values are in the order of its rows."""
    done = 0

    def add(table: pa.Table) -> pa.Table:
        nonlocal done
        for name, values in columns.items():
            table = table.append_column(name, values.slice(done, table.num_rows))
        done += table.num_rows
        return table

    return map_batches(ds, add, features=features, fingerprint=fingerprint)
