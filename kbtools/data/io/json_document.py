"""JSON that is not one object a line: an array of rows, rows over several lines, `{"data": [...]}`.

Read a value at a time and as strictly as lines are (`kbtools.data.io.jsonl`), of which this is the other half.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from kbtools.data.io import agent_traces, jsonl
from kbtools.data.io.data_file import DataFile
from kbtools.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_PEEK_BYTES = 1 << 18
_READ_BYTES = 1 << 22
_TABLE_ROWS = 2_000
_HOLDS_ROWS = "data"
_HOLDERS = ("data", "rows", "records", "examples", "instances", "items", "samples", "train", "validation", "test")
_SINGLE = "A single row is read from a file that is named .jsonl."
_BLANK = " \t\r\n"


def is_document(file: DataFile) -> bool:
    """Whether a file is to be read as values that may go over several lines, rather than as a value a line."""
    with file.opened() as stream:
        head = file.read(stream, _PEEK_BYTES)
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    line, newline, rest = text.partition(b"\n")
    if text[:1] != b"{":
        return text[:1] == b"["
    if line.rstrip()[-1:] in (b"{", b"[", b","):
        return True
    return file.is_one_document and not (newline and rest.strip())


def tables(file: DataFile, known: pa.Schema | None = None) -> Iterator[pa.Table]:
    """The rows as Arrow tables; DataError names the item that is wrong. `known` is what earlier reading has shown."""
    of_traces: bool | None = None
    with file.opened() as stream:
        numbered = enumerate(_Values(file, stream).rows(), start=1)
        while some := list(islice(numbered, _TABLE_ROWS)):
            rows = [_row(value, file, number) for number, value in some]
            of_traces = agent_traces.is_trace(rows[0]) if of_traces is None else of_traces
            rows = [agent_traces.as_text(row) for row in rows] if of_traces else rows
            yield jsonl.table(rows, file.path, [number for number, _ in some], "item", known)


def _row(value: object, file: DataFile, number: int) -> dict[str, object]:
    if not isinstance(value, dict):
        raise DataError(f"{file.path}, item {number}: a row must be a JSON object, but this is {jsonl.kind(value)}.")
    return value


class _Values:
    """The values of a JSON text, read from a stream as far as the next one needs."""

    def __init__(self, file: DataFile, stream: IO[bytes]) -> None:
        self._file, self._stream = file, stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder(object_pairs_hook=jsonl.each_key_once)
        self._text, self._at, self._count = "", 0, 0

    def rows(self) -> Iterator[Any]:
        """The elements of an array, or of the values one after the other."""
        if self._next() == "[":
            self._at += 1
            yield from self._elements()
        else:
            first = self._value() if self._next() else None
            if first is not None:
                yield from [first] if self._next() else _unwrapped(first, self._file)
        while self._next():
            yield self._value()

    def _elements(self) -> Iterator[object]:
        if self._next() == "]":
            self._at += 1
            return
        while True:
            yield self._value()
            mark = self._next()
            self._at += 1
            if mark == "]":
                return
            if mark != ",":
                raise self._broken("a comma or the end of the array should come after it")

    def _next(self) -> str:
        """The next character that is not blank; nothing at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def _value(self) -> object:
        self._next()
        self._count += 1
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if self._more():
                    continue
                raise self._broken(str(error)) from error
            if end < len(self._text) or not self._more():  # a number may go on
                self._at = end
                return value

    def _more(self) -> bool:
        """Read on, ever more at once, so that a long value is not begun anew too often."""
        rest = self._text[self._at :]
        if len(rest) > jsonl.MOST_BYTES:
            raise jsonl.too_long(f"{self._file.path}, item {self._count}")
        block = self._file.read(self._stream, max(_READ_BYTES, len(rest)))
        try:
            self._text, self._at = rest + self._decode.decode(block, final=not block), 0
        except UnicodeDecodeError as error:
            raise self._broken(str(error)) from error
        return bool(block)

    def _broken(self, why: str) -> DataError:
        return DataError(
            f"{self._file.path}, item {self._count}: not valid JSON ({why}); it begins "
            f"{self._text[self._at : self._at + 60]!r}. The file may be half-written."
        )


def _unwrapped(document: object, file: DataFile) -> list[object]:
    """Rows of the only value of a file: those under `data`, or itself as the only row."""
    if not isinstance(document, dict):
        return [document]
    if {"columns", "index", "data"} == set(document):
        raise _by_columns(file)
    held = [name for name in _HOLDERS if _is_rows(document.get(name))]
    if isinstance(document.get(_HOLDS_ROWS), list) and len(held) <= 1:  # what else is there is said of the whole file
        return list(document[_HOLDS_ROWS])
    if held:
        raise DataError(
            f"{file.path} is one JSON object with the fields {', '.join(document)}, whose rows seem to be in "
            f"{held[0]!r}: take them out with `jq -c '.{held[0]}[]' {file.path.name} > rows.jsonl`."
        )
    if _is_by_column(document) or _is_without_names(document):
        raise _by_columns(file)
    if _is_by_name(document):
        raise DataError(
            f"{file.path} holds rows under their names ({', '.join(list(document)[:3])}, ...): write them one a line "
            f"with `jq -c 'to_entries[] | {{name: .key}} + .value' {file.path.name} > rows.jsonl`. {_SINGLE}"
        )
    return [document]


def _by_columns(file: DataFile) -> DataError:
    return DataError(
        f"{file.path} holds columns rather than rows, as pandas can write it: write it with to_json(..., "
        f"orient='records', lines=True). {_SINGLE}"
    )


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict | list) for item in value)


def _is_without_names(document: dict[str, object]) -> bool:
    """Whether rows, or columns of one length, are there without the names of their fields, as pandas can write them."""
    if document and all(map(str.isdigit, document)) and all(isinstance(value, dict) for value in document.values()):
        return True
    lists = [value for value in document.values() if isinstance(value, list)]
    plain = any(all(not isinstance(item, dict | list) for item in value) for value in lists)
    return len(lists) == len(document) > 1 and len(lists[0]) > 1 and plain and len(set(map(len, lists))) == 1


def _is_by_column(document: dict[str, object]) -> bool:
    """Whether every field maps the numbers of the same rows to values."""
    keys = [list(value) if isinstance(value, dict) else [] for value in document.values()]
    return bool(keys) and bool(keys[0]) and all(key == keys[0] for key in keys) and all(map(str.isdigit, keys[0]))


def _is_by_name(document: dict[str, object]) -> bool:
    """Whether every field is an object of the very same fields, several of each: rows under their names."""
    rows = [set(value) if isinstance(value, dict) else set() for value in document.values()]
    return len(rows) > 1 and len(rows[0]) > 1 and all(row == rows[0] for row in rows)
