"""JSON lines read strictly: every line counts, every value keeps its type, and a broken line is named.

The readers of `datasets` and pyarrow turn texts that look like dates into timestamps, fail on a field that first
appears late in the file, and do not say which line is broken. So types come from reading with `json`, line by line;
pyarrow's fast reader is given the types that are known by then, and what does not fit them exactly is read slowly.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data.io import agent_traces, arrow_file
from kbtools.data.io.arrow_file import unified
from kbtools.data.io.data_file import DataFile
from kbtools.data.io.quick_lines import quick_table, stripped
from kbtools.data.json_columns import NO_TYPE, array_of, column, in_text
from kbtools.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_BYTES = 1 << 24
"""How much of a file is read at once; a table holds the lines that end in it. The first blocks are smaller."""
_FIRST_BYTES = 1 << 18
MOST_BYTES = 1 << 29
"""Of a row: to read one takes six times as much memory."""
_BYTES_IN_PART = 1 << 23
"""How much is parsed at once where several threads read."""


def tables(file: DataFile, known: pa.Schema | None = None) -> Iterator[pa.Table]:
    """The whole file as Arrow tables, a block each, with the columns and types that its lines show.

    `known` is what earlier reading has shown: a block that fits it has all of its columns.
    """
    path, of_traces = file.path, False
    for number, (first, block) in enumerate(_blocks(file)):
        of_traces = _begins_with_trace(block) if number == 0 else of_traces
        table = None if known is None or of_traces else quick_table(block, known)
        if table is None:
            table = _unsigned(strict_table(path, first, block, of_traces=of_traces, known=known), known)
            known = table.schema if known is None else _widened(known, table.schema, path, first)
        yield table


def parts(file: DataFile) -> list[arrow_file.Part]:
    """Readers of the lines of a large file, for the types that the first ones show; none for other files."""
    count = 1 if file.compression else arrow_file.part_count(file.path.stat().st_size)
    if count == 1 or _begins_with_trace(next(_blocks(file), (1, b""))[1]):
        return []
    return [partial(_quick_tables, file, start, stop) for start, stop in pairwise(_cuts(file.path, count))]


def _cuts(path: Path, count: int) -> list[int]:
    """Where about as many parts of a file begin, each with a line, and where the last one ends."""
    size = path.stat().st_size
    cuts = {0, size}
    with path.open("rb") as stream:
        for number in range(1, count):
            stream.seek(size * number // count)
            if stream.readline(size // count).endswith(b"\n"):
                cuts.add(stream.tell())
    return sorted(cuts)


def _quick_tables(file: DataFile, start: int, stop: int, known: pa.Schema) -> Iterator[pa.Table | None]:
    """The lines of a part as tables; None behind those that fit no more."""
    import pyarrow as pa

    for lines in _lines(file.path, start, stop):
        table = quick_table(lines, known, threads=False) if stripped(lines) else known.empty_table()
        yield None if table is None else table.combine_chunks(pa.system_memory_pool())
        if table is None:
            return


def _lines(path: Path, start: int, stop: int) -> Iterator[memoryview]:
    """Whole lines of a part of a file, uncopied: the beginning of one that goes on is read again."""
    with path.open("rb") as stream:
        stream.seek(start)
        while (left := stop - stream.tell()) > 0 and (block := stream.read(min(_BYTES_IN_PART, left))):
            end = len(block) if len(block) == left else block.rfind(b"\n") + 1
            if not end:
                block += stream.readline(MOST_BYTES)
                end = len(block)
                if end > MOST_BYTES:
                    raise too_long(str(path))
            stream.seek(end - len(block), os.SEEK_CUR)
            yield memoryview(block)[:end]


def _unsigned(table: pa.Table, known: pa.Schema | None) -> pa.Table:
    """The table with unsigned numbers where earlier lines have shown ones that are too large for others."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        wanted = field.type if known is None or field.name not in known.names else known.field(field.name).type
        if "uint64" in str(wanted) and wanted != field.type:
            with suppress(pa.ArrowException):  # some are negative, which is said when they are written
                table = table.set_column(place, field.name, table.column(place).cast(wanted))
    return table


def _widened(known: pa.Schema, found: pa.Schema, path: Path, first: int) -> pa.Schema:
    try:
        return unified(known, found)
    except DataError as error:
        raise DataError(f"{path}, from line {first} on: {error}") from error


def _blocks(file: DataFile) -> Iterator[tuple[int, bytes]]:
    """Whole lines, not all blank, with the number (from 1) of the first."""
    first, size = 1, min(_FIRST_BYTES, BLOCK_BYTES)
    begun: list[bytes] = []  # put together once: a line may be as long as many blocks
    with file.opened() as stream:
        while block := file.read(stream, size):
            size = min(4 * size, BLOCK_BYTES)
            ended, newline, rest = block.rpartition(b"\n")
            if not newline:
                begun.append(block)
                if sum(map(len, begun)) > MOST_BYTES:
                    raise too_long(f"{file.path}, line {first}")
                continue
            lines = b"".join([*begun, ended])
            begun = [rest]
            if lines.strip():
                yield first, lines
            first += lines.count(b"\n") + 1
    if (last := b"".join(begun)).strip():
        yield first, last


def too_long(place: str) -> DataError:
    """What is said of a row that would take all memory."""
    return DataError(
        f"{place}: this row is longer than {MOST_BYTES >> 20} MiB, the most that one may have. Rows go one a line."
    )


# ---- slowly, line by line --------------------------------------------------------------------------------------------


def _begins_with_trace(block: bytes) -> bool:
    try:
        row = json.loads(block.lstrip().partition(b"\n")[0].decode("utf-8-sig"))
        return isinstance(row, dict) and agent_traces.is_trace(row)
    except (ValueError, RecursionError):  # the line is named where it is read
        return False


def strict_table(
    path: Path, first: int, block: bytes, *, of_traces: bool = False, known: pa.Schema | None = None
) -> pa.Table:
    """The lines as one Arrow table of all fields seen, in order of appearance; DataError names a line."""
    numbered = [(number, line) for number, line in enumerate(block.split(b"\n"), start=first) if line.strip()]
    rows = [_parse(line, path, number) for number, line in numbered]
    rows = [agent_traces.as_text(row) for row in rows] if of_traces else rows
    return table(rows, path, [number for number, _ in numbered], "line", known)


def _parse(line: bytes, path: Path, number: int) -> dict[str, object]:
    try:
        row = json.loads(line.decode("utf-8-sig"), object_pairs_hook=each_key_once)
    except (ValueError, RecursionError) as error:  # bad JSON and bad UTF-8 alike
        raise DataError(
            f"{path}, line {number}: not valid JSON ({error}); the line begins {line[:60]!r}. "
            "Each line must be one object: mend or delete that line."
        ) from error
    if not isinstance(row, dict):
        raise DataError(
            f"{path}, line {number}: a row must be a JSON object, but this is {kind(row)}. "
            "Each line must be one object."
        )
    return row


def kind(value: object) -> str:
    """What a value of JSON is, in the words of JSON."""
    if value is None:
        return "null"
    return {bool: "a truth value", str: "text", list: "an array", dict: "an object"}.get(type(value), "a number")


def each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON; ValueError when a key is there twice, or is not text."""
    found = dict(pairs)
    for name in found:
        name.encode()
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(
            f"the key {next(name for name in names if names.count(name) > 1)!r} occurs twice in one object"
        )
    return found


def table(
    rows: list[dict[str, object]], path: Path, numbers: list[int], unit: str, known: pa.Schema | None = None
) -> pa.Table:
    """Rows as an Arrow table, in text what is text in what is `known`; errors name the line or item by its number."""
    import pyarrow as pa

    arrays = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        if known is not None and _is_text(name, known):
            values = in_text(values, path, name)
        try:
            arrays[name] = column(values, path, name)
        except NO_TYPE as error:
            place = f"{path}, {unit} {numbers[_odd_one(values)]}: field {name!r}"
            raise DataError(f"{place} {_why_not(error)}") from error
    if not arrays:
        raise DataError(f"{path}, {unit}s {numbers[0]} to {numbers[-1]}: none of these rows has a field.")
    return pa.table(arrays)


def _is_text(name: str, known: pa.Schema) -> bool:
    return name in known.names and str(known.field(name).type) == "string"


def _why_not(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        half = f"\\u{ord(error.object[error.start]):04x}"
        return (
            f"holds {half} at character {error.start}, half of a pair of escapes, which is not text. "
            "Whatever wrote it has cut a character in two: mend that value, or delete it."
        )
    return (
        f"has values that fit no one type ({str(error).strip()}). "
        "A column must hold one kind of value: mend the file, or store the odd field as JSON text."
    )


def _odd_one(values: list[object]) -> int:
    """Index of the first value that does not go with those before it."""
    low, high = 1, len(values)
    while low < high:  # the shortest prefix that has no common type
        middle = (low + high) // 2
        try:
            array_of(values[:middle])
            low = middle + 1
        except NO_TYPE:
            high = middle
    return low - 1
