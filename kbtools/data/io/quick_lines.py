"""JSON lines of known types, read fast: exactly as `kbtools.data.io.jsonl` reads them slowly, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_PARSED_BYTES = 1 << 24
"""What one thread of pyarrow's reader parses, and the longest line that it takes."""
_MANY_BLANKS = 64
_EXACT = float(1 << 53)
_NEWLINE, _RETURN, _OPEN, _CLOSE = b"\n\r{}"


def quick_table(block: bytes | memoryview, known: pa.Schema, *, threads: bool = True) -> pa.Table | None:
    """The rows of these lines, all fields exactly of the known types; None if that cannot be, or lines are blank."""
    import numpy as np
    import pyarrow as pa

    lines, types = stripped(block), _types_of(known)
    if types.with_lists_of_nulls or not _is_utf8(lines):
        return None
    text = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero(text == _NEWLINE)
    read = _parsed if len(known) and _is_object_a_line(text, ends) else _parsed_within
    try:
        table = read(lines, known, threads=threads)
    except pa.ArrowException:
        return None
    if table is None or table.num_rows != len(ends) + 1:
        return None
    floats = (chunk for name in types.with_floats for chunk in table.column(name).chunks)
    return None if any(map(_perhaps_rounded, floats)) else table


def stripped(block: bytes | memoryview) -> memoryview:
    """The block without blanks around it, which is copied only where there are many of them."""
    whole = memoryview(block)
    head, tail = bytes(whole[:_MANY_BLANKS]), bytes(whole[-_MANY_BLANKS:])
    before, behind = len(head) - len(head.lstrip()), len(tail) - len(tail.rstrip())
    if before == len(head) or behind == len(tail):
        return memoryview(bytes(whole).strip())
    return whole[before : len(whole) - behind]


def _is_object_a_line(text: np.ndarray, ends: np.ndarray) -> bool:
    """Whether every line begins and ends as an object does; then as many rows as lines are a row a line.

    For no value of JSON goes on from one brace to the next over the end of a line.
    """
    import numpy as np

    last = text[ends - 1]
    last = np.where(last == _RETURN, text[ends - 2], last)
    whole = len(text) > 0 and text[0] == _OPEN and text[-1] == _CLOSE
    return bool(whole and (last == _CLOSE).all() and (text[ends + 1] == _OPEN).all())


def _parsed(lines: memoryview | bytes, types: pa.Schema, *, threads: bool) -> pa.Table:
    import pyarrow as pa
    import pyarrow.json as pj

    return pj.read_json(
        pa.BufferReader(lines),
        read_options=pj.ReadOptions(block_size=_PARSED_BYTES, use_threads=threads),
        parse_options=pj.ParseOptions(explicit_schema=types, unexpected_field_behavior="error"),
        memory_pool=pa.default_memory_pool() if threads else pa.system_memory_pool(),  # others return it each time
    )


def _parsed_within(lines: memoryview, known: pa.Schema, *, threads: bool) -> pa.Table | None:
    """As `_parsed`, where each line is the one field of an object of our own: it cannot be half a row or two."""
    import pyarrow as pa

    wrapped = b"".join((b'{"row":', bytes(lines).replace(b"\n", b'}\n{"row":'), b"}"))
    rows = _parsed(wrapped, pa.schema([("row", pa.struct(list(known)))]), threads=threads).column("row")
    if rows.null_count:
        return None
    return pa.Table.from_batches([pa.RecordBatch.from_struct_array(chunk) for chunk in rows.chunks], known)


def _is_utf8(text: memoryview) -> bool:
    """Pyarrow's reader does not ask."""
    whole = text.obj
    try:
        return (isinstance(whole, bytes) and whole.isascii()) or bool(str(text, "utf-8"))
    except UnicodeDecodeError:
        return False


class _Types(NamedTuple):
    """What has to be known of a schema."""

    with_lists_of_nulls: bool
    with_floats: tuple[str, ...]
    """Columns."""


@lru_cache(maxsize=8)
def _types_of(known: pa.Schema) -> _Types:
    floats = tuple(field.name for field in known if _has_floats(field.type))
    return _Types(any(_lists_nulls(field.type) for field in known), floats)


def _inner(kind: pa.DataType) -> Iterator[pa.DataType]:
    return (kind.field(number).type for number in range(kind.num_fields))


def _has_floats(kind: pa.DataType) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_floating(kind)) or any(map(_has_floats, _inner(kind)))


def _lists_nulls(kind: pa.DataType) -> bool:
    """Whether there are lists of nothing but nulls within a type: pyarrow's reader counts their elements wrongly."""
    import pyarrow.types as pt

    return (bool(pt.is_list(kind)) and bool(pt.is_null(kind.value_type))) or any(map(_lists_nulls, _inner(kind)))


def _perhaps_rounded(values: pa.Array) -> bool:
    """Whether a float is so large that it may have been written as an integer that no float equals."""
    import pyarrow.compute as pc
    import pyarrow.types as pt

    if pt.is_struct(values.type):
        return any(_perhaps_rounded(part) for part in values.flatten())
    if pt.is_list(values.type):
        return _perhaps_rounded(values.flatten())
    return bool(pt.is_floating(values.type)) and bool(pc.any(pc.greater_equal(pc.abs(values), _EXACT)).as_py())
