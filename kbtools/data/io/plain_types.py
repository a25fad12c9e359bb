"""Arrow types that a dataset can hold and whose rows can be gathered: the others become such types as a file is read.

Writers use more types than `datasets` knows (maps, run-end encoding, list views) or pyarrow can gather (string views).
Values stay what they are: a map becomes a list of its keys and values. What has no such type is refused by its column.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from kbtools.data.json_columns import holds_json, json_as_text
from kbtools.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features


def features(schema: pa.Schema, where: object) -> Features:
    """Features of the columns as `plain_table` gives them; DataError names the column that no dataset can hold."""
    import datasets
    import pyarrow as pa

    try:
        if all(plain_type(kind).equals(kind) for kind in schema.types):  # as nearly all are: all columns at once
            schema.empty_table().take(pa.array([], pa.int64()))
            return datasets.Features.from_arrow_schema(schema)
    except (ValueError, pa.ArrowException):
        pass  # the column is named below
    return datasets.Features({column.name: _feature(column, schema, where) for column in schema})


def _feature(column: pa.Field, schema: pa.Schema, where: object) -> object:
    import datasets
    import pyarrow as pa

    plain = plain_type(column.type)
    known = schema.metadata if plain.equals(column.type) else None  # what `datasets` has noted of it, such as labels
    try:
        pa.nulls(1, plain).take(pa.array([0]))
        return datasets.Features.from_arrow_schema(pa.schema([column.with_type(plain)], known))[column.name]
    except (ValueError, pa.ArrowException) as error:
        raise DataError(
            f"{where}: column {column.name!r} has the type {column.type}, which no dataset can hold ({error}). "
            "Write the file with another type for it, or without it."
        ) from None


def plain_table(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the types of this schema, which is that of its `features`."""
    import pyarrow as pa

    columns = [
        pa.chunked_array([plain_array(chunk) for chunk in column.chunks], plain_type(column.type))
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type in which values of this type are kept; the type itself where it will do."""
    import pyarrow as pa
    import pyarrow.types as pt

    if holds_json(kind):
        return pa.string()
    if isinstance(kind, pa.BaseExtensionType):
        return _of_extension(kind)
    if pt.is_string_view(kind):
        return pa.string()
    if pt.is_binary_view(kind):
        return pa.binary()
    if pt.is_decimal32(kind) or pt.is_decimal64(kind):
        return pa.decimal128(kind.precision, kind.scale)
    if pt.is_dictionary(kind) or pt.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    return nested(kind, plain_type)


def _of_extension(kind: pa.BaseExtensionType) -> pa.DataType:
    import datasets
    import pyarrow as pa

    if isinstance(kind, pa.UuidType):
        return pa.string()
    if isinstance(kind, pa.Bool8Type):
        return pa.bool_()
    try:
        datasets.Features.from_arrow_schema(pa.schema([("", kind)]))
    except ValueError:
        return plain_type(kind.storage_type)
    return kind


def nested(kind: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """A type with the types changed of what it holds; maps and views become lists."""
    import pyarrow as pa
    import pyarrow.types as pt

    if pt.is_struct(kind):
        return pa.struct([field.with_type(change(field.type)) for field in kind])
    if pt.is_map(kind):
        return pa.list_(pa.struct([("key", change(kind.key_type)), ("value", change(kind.item_type))]))
    if pt.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(change(kind.value_type)), kind.list_size)
    if pt.is_large_list(kind) or pt.is_large_list_view(kind):
        return pa.large_list(kind.value_field.with_type(change(kind.value_type)))
    if pt.is_list(kind) or pt.is_list_view(kind):
        return pa.list_(kind.value_field.with_type(change(kind.value_type)))
    return kind


def plain_array(array: pa.Array) -> pa.Array:
    """The values in the type that `plain_type` gives for theirs."""
    import pyarrow as pa
    import pyarrow.types as pt

    kind = array.type
    if plain_type(kind).equals(kind):
        return array
    if holds_json(kind):
        return json_as_text(array)
    if isinstance(kind, pa.BaseExtensionType):
        return _from_extension(array)
    if pt.is_dictionary(kind):
        return plain_array(array.dictionary).take(array.indices)  # Arrow's own decoding knows no views
    if pt.is_run_end_encoded(kind):
        return _of_runs(array)
    if pt.is_map(kind):
        return plain_array(array.cast(pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))))
    if pt.is_struct(kind):
        return _struct(array)
    if pt.is_fixed_size_list(kind):
        return _fixed_size_list(array)
    return _list(array) if hasattr(kind, "value_type") else array.cast(plain_type(kind))


def _of_runs(array: pa.RunEndEncodedArray) -> pa.Array:
    """The value of each run as often as it counts; Arrow's own decoding knows no views."""
    import numpy as np
    import pyarrow as pa

    ends = np.clip(array.run_ends.to_numpy().astype(np.int64) - array.offset, 0, len(array))
    runs = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    return plain_array(array.values).take(pa.array(runs))


def _from_extension(array: pa.ExtensionArray) -> pa.Array:
    import pyarrow as pa

    if isinstance(array.type, pa.UuidType):
        given = array.storage.to_pylist()
        return pa.array([None if value is None else str(UUID(bytes=value)) for value in given], pa.string())
    if isinstance(array.type, pa.Bool8Type):
        return array.storage.cast(pa.bool_())
    return plain_array(array.storage)


def _struct(array: pa.StructArray) -> pa.Array:
    import pyarrow as pa

    parts = [plain_array(part) for part in array.flatten()]
    return pa.StructArray.from_arrays(parts, fields=list(plain_type(array.type)), mask=array.is_null())


def _fixed_size_list(array: pa.FixedSizeListArray) -> pa.Array:
    import pyarrow as pa

    size = array.type.list_size
    values = array.values.slice(array.offset * size, len(array) * size)
    return pa.FixedSizeListArray.from_arrays(plain_array(values), type=plain_type(array.type), mask=array.is_null())


def _list(array: pa.Array) -> pa.Array:
    """A list, or a view of one, whose values lie in any order: the lists one after the other."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as pt

    kind = plain_type(array.type)
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    of = (pa.LargeListArray, pa.int64()) if pt.is_large_list(kind) else (pa.ListArray, pa.int32())
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), of[1])
    return of[0].from_arrays(offsets, plain_array(array.flatten()), type=kind, mask=array.is_null())
