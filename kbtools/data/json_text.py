"""Arrow values as JSON, a column at a time: the very text that `json.dumps` gives of each row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pyarrow as pa

Default = Callable[[object], str]
"""Text for a value that JSON has no way to write, as of `json.dumps`."""
_NO_NUMBERS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def lines(table: pa.Table, default: Default) -> Iterator[str]:
    """Each row as an object, without an end of the line."""
    import pyarrow as pa

    for batch in table.to_batches():
        yield from _texts(pa.StructArray.from_arrays(batch.columns, batch.schema.names), default)


def _texts(values: pa.Array, default: Default) -> list[str]:
    import pyarrow.types as pt

    kind = values.type
    texts: list[str | None] | list[str]
    if pt.is_string(kind) or pt.is_large_string(kind):
        texts = [text if text is None else encode_basestring(text) for text in values.to_pylist()]
    elif pt.is_integer(kind) or pt.is_boolean(kind):
        return cast("list[str]", values.cast("string").fill_null("null").to_pylist())
    elif pt.is_float64(kind):
        texts = [_NO_NUMBERS.get(text, text) for text in map(repr, values.to_pylist())]
    elif pt.is_struct(kind):
        texts = _objects(values, default)
    elif pt.is_list(kind) or pt.is_large_list(kind):
        texts = _lists(values, default)
    else:
        texts = list(map(json.JSONEncoder(ensure_ascii=False, default=default).encode, values.to_pylist()))
    return _with_nulls(texts, values)


def _with_nulls(texts: Sequence[str | None], values: pa.Array) -> list[str]:
    if values.null_count:
        texts = ["null" if null else text for null, text in zip(values.is_null().to_pylist(), texts, strict=True)]
    return cast("list[str]", texts)


def _objects(values: pa.StructArray, default: Default) -> list[str]:
    fields = [_texts(part, default) for part in values.flatten()]
    if not fields:
        return ["{}"] * len(values)
    names = [encode_basestring(field.name).replace("%", "%%") for field in values.type]
    form = "{" + ", ".join(f"{name}: %s" for name in names) + "}"
    return [form % row for row in zip(*fields, strict=True)]


def _lists(values: pa.ListArray, default: Default) -> list[str]:
    import pyarrow.compute as pc

    items = _texts(values.flatten(), default)
    lengths: Iterable[int] = pc.fill_null(pc.list_value_length(values), 0).to_pylist()
    texts, done = [], 0
    for length in lengths:
        texts.append(f"[{', '.join(items[done : done + length])}]")
        done += length
    return texts
