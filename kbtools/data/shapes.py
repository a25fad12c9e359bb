"""Columns whose values have several shapes, as a message's content is text in one turn and a list of parts in another.

No type of Arrow holds these, so such a column is kept as JSON text: what is text stays as it is, all else is written
as JSON. So are columns of the type `Json` of `datasets`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger("kbtools")


def shapes_differ(values: Sequence[object]) -> bool:
    """Whether an array or an object of JSON stands somewhere where another value has something else."""
    some = [value for value in values if value is not None]
    kinds = {type(value) if isinstance(value, list | dict) else None for value in some}
    if kinds == {list}:
        return shapes_differ([item for value in some if isinstance(value, list) for item in value])
    if kinds == {dict}:
        rows = [value for value in some if isinstance(value, dict)]
        return any(shapes_differ([row.get(name) for row in rows]) for name in {name for row in rows for name in row})
    return len(kinds) > 1


def types_differ(one: pa.DataType, other: pa.DataType) -> bool:
    """As `shapes_differ`, of the types that two parts of a column have."""
    import pyarrow.types as pt

    if pt.is_null(one) or pt.is_null(other):
        return False
    if pt.is_list(one) and pt.is_list(other):
        return types_differ(one.value_type, other.value_type)
    if pt.is_struct(one) and pt.is_struct(other):
        both = {field.name for field in one} & {field.name for field in other}
        return any(types_differ(one.field(name).type, other.field(name).type) for name in both)
    return bool(pt.is_nested(one) or pt.is_nested(other))


def as_text(value: object) -> str | None:
    """A value of a column that is kept as JSON text."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def holds_json(kind: pa.DataType) -> bool:
    """Whether a type is `Json` of `datasets`, or has one within."""
    import pyarrow as pa

    if isinstance(kind, pa.JsonType):
        return True
    return any(holds_json(kind.field(number).type) for number in range(kind.num_fields))


def json_as_text(array: pa.Array) -> pa.Array:
    """A column that holds `Json`, as JSON text."""
    import pyarrow as pa

    return pa.array([as_text(_decoded(value, array.type)) for value in array.to_pylist()], pa.string())


def _decoded(value: object, kind: pa.DataType) -> object:
    import pyarrow as pa

    if value is None:
        return None
    if isinstance(kind, pa.JsonType):
        return json.loads(value) if isinstance(value, str | bytes) else value
    if isinstance(value, list):
        return [_decoded(item, kind.value_type) for item in value]
    if isinstance(value, dict):
        return {name: _decoded(part, kind.field(name).type) for name, part in value.items()}
    return value


@lru_cache(maxsize=1_000)
def say(path: Path, name: str) -> None:
    """Warn of a field of a file that is kept as JSON text, once in a process."""
    logger.warning("%s: the values of %r have several shapes, so they are kept as JSON text", path, name)
