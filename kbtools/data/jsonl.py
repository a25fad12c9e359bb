"""JSON lines read strictly: every line counts, every value keeps its type, and a broken line is named.

The readers of `datasets` and pyarrow turn texts that look like dates into timestamps, fail on a field that first
appears late in the file, and do not say which line is broken; reading with `json` line by line does none of that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kbtools.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_LINES = 2_000


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number (from 1) and bytes of each line that is not blank; .gz, .zst and .bz2 are decompressed."""
    import pyarrow as pa

    number, rest = 0, b""
    with pa.input_stream(str(path), compression="detect") as stream:
        while block := _read(stream, path):
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                number += 1
                if line.strip():
                    yield number, line
    if rest.strip():
        yield number + 1, rest


def _read(stream: pa.NativeFile, path: Path) -> bytes:
    try:
        return bytes(stream.read(1 << 22))
    except OSError as error:
        raise DataError(f"{path} cannot be decompressed to its end ({error}): it may be half-written.") from error


def tables(path: Path) -> Iterator[pa.Table]:
    """The whole file as Arrow tables, each with the columns and types that its own lines show."""
    parsed = ((number, _parse(line, path, number)) for number, line in lines(path))
    while chunk := list(islice(parsed, CHUNK_LINES)):
        yield _table([row for _, row in chunk], path, [number for number, _ in chunk])


def _parse(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:  # bad JSON and bad UTF-8 alike
        raise DataError(
            f"{path}, line {number}: not valid JSON ({error}); the line begins {line[:60]!r}. Mend or delete that line."
        ) from error
    if not isinstance(row, dict):
        raise DataError(f"{path}, line {number}: a row must be a JSON object, but this is a {type(row).__name__}.")
    return row


def _table(rows: list[dict[str, Any]], path: Path, numbers: list[int]) -> pa.Table:
    """The rows as one Arrow table whose columns are all fields seen, in order of appearance."""
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))
    arrays = []
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            arrays.append(pa.array(values))
        except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError) as error:
            line = numbers[_odd_one(values)]
            raise DataError(
                f"{path}, line {line}: field {name!r} has values that fit no one type ({str(error).strip()}). "
                "A column must hold one kind of value: mend the file, or store the odd field as JSON text."
            ) from error
    return pa.table(arrays, names=names)


def _odd_one(values: list[Any]) -> int:
    """Index of the first value that does not go with those before it."""
    import pyarrow as pa

    low, high = 1, len(values)
    while low < high:  # the shortest prefix that has no common type
        middle = (low + high) // 2
        try:
            pa.array(values[:middle])
            low = middle + 1
        except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
            high = middle
    return low - 1
