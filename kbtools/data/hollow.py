"""Objects that have no field in any row, such as `"metadata": {}` throughout: parquet has no type for them."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, TypeVar

from kbtools.data.io.plain_types import nested
from kbtools.data.table import map_batches

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetDict

logger = logging.getLogger("kbtools")
Data = TypeVar("Data", "Dataset", "DatasetDict", "Dataset | DatasetDict")


def for_parquet(data: Data) -> Data:
    """The dataset with such objects as the JSON text `{}`, which a warning says; itself where there are none."""
    if isinstance(data, dict):
        return type(data)({name: for_parquet(ds) for name, ds in data.items()})
    return _for_parquet(data)


def _for_parquet(ds: Dataset) -> Dataset:
    import datasets
    import pyarrow as pa

    schema = ds.features.arrow_schema
    found = [field for field in schema if _is_hollow(field.type)]
    if not found:
        return ds
    names = ", ".join(repr(field.name) for field in found)
    logger.warning("%s: objects without a field are saved as JSON text, for parquet has no type for them", names)
    changed = pa.schema([field.with_type(_full_type(field.type)) for field in found])
    features = datasets.Features({**ds.features, **datasets.Features.from_arrow_schema(changed)})
    fingerprint = hashlib.sha256(f"{ds._fingerprint}-for-parquet".encode()).hexdigest()[:64]
    return map_batches(ds, lambda table: _filled(table, changed), features=features, fingerprint=fingerprint)


def _is_hollow(kind: pa.DataType) -> bool:
    return not _full_type(kind).equals(kind)


def _full_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_struct(kind) and not kind.num_fields:
        return pa.string()
    return nested(kind, _full_type)


def _filled(table: pa.Table, changed: pa.Schema) -> pa.Table:
    """The table with these columns in these types."""
    import pyarrow as pa

    for field in changed:
        place = table.column_names.index(field.name)
        kind = table.schema.field(place).type
        values = [_value(value, kind) for value in table.column(place).to_pylist()]
        table = table.set_column(place, field, pa.array(values, field.type))
    return table


def _value(value: object, kind: pa.DataType) -> object:
    if isinstance(value, dict):
        return {name: _value(part, kind.field(name).type) for name, part in value.items()} or "{}"
    if isinstance(value, list):
        return [_value(item, kind.value_type) for item in value]
    return value
