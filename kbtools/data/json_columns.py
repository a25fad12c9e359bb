"""Fields of JSON as columns of Arrow, in the one type that all values have.

Where there is none, as for a message's content that is text in one turn and a list of parts in another, a field of
lists and objects is kept as JSON text: what is text stays as it is, all else is written as JSON. So are columns of the
type `Json` of `datasets`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger("kbtools")

_MOST_SIGNED = (1 << 63) - 1
_DEEPEST = 60
"""Of types within one another; Arrow writes 64."""
NO_TYPE = (ValueError, TypeError)
"""What pyarrow raises: its own errors derive from these two, bad text from the first."""


def column(values: list[object], path: Path, name: str) -> pa.Array:
    """The values in the one type that holds them; lists and objects that have none as JSON text."""
    try:
        array = array_of(values)
        if not _is_too_deep(array.type):
            return array
    except UnicodeEncodeError:
        raise
    except NO_TYPE:
        if not may_be_text(values):
            raise
    return array_of(in_text(values, path, name))


def array_of(values: Sequence[object]) -> pa.Array:
    """The values in the type that pyarrow finds for them; one of `NO_TYPE` where there is none."""
    import pyarrow as pa

    try:
        array = pa.array(values)
    except OverflowError:
        array = _with_large_integers(values)
    if _truth_as_number(values, array.type):
        raise ValueError("true or false among numbers")
    return array


def _with_large_integers(values: Sequence[object]) -> pa.Array:
    """Values some of which only unsigned numbers of 64 bits can be; ValueError where even they cannot."""
    import pyarrow as pa

    try:
        return pa.array(values, _type_of(values))
    except OverflowError:
        raise ValueError("an integer does not fit into 64 bits") from None


def _type_of(values: Sequence[Any]) -> pa.DataType:
    """The type that pyarrow finds, but unsigned for integers that need it: those, it does not look for."""
    import pyarrow as pa

    some = [value for value in values if value is not None]
    kinds = set(map(type, some))
    if kinds == {int}:
        return pa.uint64() if max(some) > _MOST_SIGNED else pa.int64()
    if kinds == {list}:
        return pa.list_(_type_of([item for value in some for item in value]))
    if kinds == {dict}:
        names = dict.fromkeys(name for value in some for name in value)
        return pa.struct([(name, _type_of([value.get(name) for value in some])) for name in names])
    return pa.infer_type(some)


def _truth_as_number(values: Sequence[Any], kind: pa.DataType) -> bool:
    """Whether pyarrow has taken a `true` among floats for 1.0."""
    import pyarrow.types as pt

    some = [value for value in values if value is not None]
    if pt.is_struct(kind):
        return any(_truth_as_number([value.get(field.name) for value in some], field.type) for field in kind)
    if pt.is_list(kind):
        return _truth_as_number([item for value in some for item in value], kind.value_type)
    return bool(pt.is_floating(kind)) and any(isinstance(value, bool) for value in some)


def may_be_text(values: Sequence[object]) -> bool:
    """Whether values are lists and objects, and text besides: a number among them is a slip."""
    some = [value for value in values if value is not None]
    return all(isinstance(value, str | list | dict) for value in some) and not all(isinstance(v, str) for v in some)


def types_may_be_text(one: pa.DataType, other: pa.DataType) -> bool:
    """As `may_be_text`, of the types that two parts of a column have."""
    import pyarrow.types as pt

    kinds = (one, other)
    return any(map(pt.is_nested, kinds)) and all(pt.is_string(kind) or pt.is_nested(kind) for kind in kinds)


def as_text(value: object) -> str | None:
    """A value of a column that is kept as JSON text."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def in_text(values: list[object], path: Path, name: str) -> list[object]:
    """The values of a field of a file as JSON text, with a warning; themselves where that changes none."""
    if not may_be_text(values):
        return values
    say(path, name)
    return list(map(as_text, values))


def _is_too_deep(kind: pa.DataType) -> bool:
    level = [kind]
    for _ in range(_DEEPEST):
        level = [outer.field(number).type for outer in level for number in range(outer.num_fields)]
    return bool(level)


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


kept_as_text: dict[Path, set[str]] = {}
"""Fields of files that are being read and were found to be kept as JSON text: each reading begins with none."""


def say(path: Path, name: str) -> None:
    """Warn of a field of a file that is kept as JSON text, once in a process."""
    kept_as_text.setdefault(path, set()).add(name)
    _warn(path, name)


@lru_cache(maxsize=1_000)
def _warn(path: Path, name: str) -> None:
    logger.warning("%s: the values of %r fit no one type, so they are kept as JSON text", path, name)
