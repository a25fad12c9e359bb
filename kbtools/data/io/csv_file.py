"""CSV files read strictly: every line has a field for every column, no quote is lost, no blank line becomes a row.

The fast reader finds the types, but fills short lines with nulls, drops quotes that stand inside of quotes, and takes a
blank line for a row of nulls. So the standard library's strict reader goes over the file first, names the line that is
wrong, and cuts the file into blocks of whole records: of these the types are found, and then the rows are read.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kbtools.data.io.arrow_file import check_names
from kbtools.data.io.data_file import DataFile
from kbtools.data.table import rows_text
from kbtools.errors import DataError
from kbtools.wording import counted

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

BLOCK_BYTES = 1 << 24
"""How much of a file is read at once, and a record more at most."""
_SEPARATORS = {"csv": ",", "tsv": "\t"}


def tables(file: DataFile) -> Iterator[pa.Table]:
    """The whole file, a table for each block; DataError names the first line that is wrong."""
    import polars as pl

    cut = _cut(file)
    types = _types(file, cut)
    for block, content in zip(cut.blocks, _contents(file, cut), strict=True):
        frame = _without_blank(_frame(file, content, types), block, file.path)
        yield frame.to_arrow(compat_level=pl.CompatLevel.oldest())


# ---- types -----------------------------------------------------------------------------------------------------------


def _types(file: DataFile, cut: _Cut) -> dict[str, pl.DataType]:
    """The type of each column over all blocks: where they differ, numbers are floats and all else is text."""
    import polars as pl

    found: dict[str, set[pl.DataType]] = {}
    for content in _contents(file, cut):
        frame = _frame(file, content, None)
        codes = _codes(file, content, [column.name for column in frame if column.dtype.is_integer()])
        for column in frame:
            kind = pl.String() if column.name in codes else column.dtype
            found.setdefault(column.name, set()).update({kind} if column.null_count() < column.len() else ())
    for name, kinds in found.items():
        if pl.Int128() in kinds:
            raise DataError(f"{file.path}: column {name!r} has integers that do not fit into 64 bits.")
    return {name: _common(kinds) for name, kinds in found.items()}


def _codes(file: DataFile, content: bytes, names: list[str]) -> set[str]:
    """Columns of digits that are no numbers: `007` would become 7."""
    import polars as pl

    written = _frame(file, content, dict.fromkeys(names, pl.String())) if names else pl.DataFrame()
    return {name for name in names if written[name].str.contains(r"^[+-]?0\d").any()}


def _common(kinds: set[pl.DataType]) -> pl.DataType:
    import polars as pl

    if len(kinds) == 1:
        return next(iter(kinds))
    return pl.Float64() if kinds and kinds <= {pl.Int64(), pl.Float64()} else pl.String()


def _frame(file: DataFile, content: bytes, types: dict[str, pl.DataType] | None) -> pl.DataFrame:
    """The rows of a block, blank lines among them; of the types that they show where none are given."""
    import polars as pl

    length = None if types is None else 0
    separator = _SEPARATORS[file.kind]
    try:
        return pl.read_csv(content, separator=separator, infer_schema_length=length, schema_overrides=types)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{file.path} is not a readable csv file ({str(error).splitlines()[0]}).") from error


def _without_blank(frame: pl.DataFrame, block: _Block, path: Path) -> pl.DataFrame:
    import polars as pl

    if frame.height != block.records:
        raise DataError(
            f"{path} can be read as {rows_text(frame.height)} and as {block.records}: mend its line ends and quotes."
        )
    return frame.filter(~pl.int_range(pl.len()).is_in(block.blank)) if block.blank else frame


# ---- blocks ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Block:
    """Whole records that follow each other."""

    size: int = 0
    records: int = 0
    blank: list[int] = field(default_factory=list)
    """Which of the records are blank lines."""


@dataclass(slots=True)
class _Cut:
    """Where a file is cut: bytes before the line of names, of that line, and of each block behind it."""

    before: int
    names: int
    blocks: list[_Block] = field(default_factory=lambda: [_Block()])

    def add(self, size: int, *, blank: bool) -> None:
        """Note the next record."""
        if self.blocks[-1].size >= BLOCK_BYTES:
            self.blocks.append(_Block())
        block = self.blocks[-1]
        if blank:
            block.blank.append(block.records)
        block.records += 1
        block.size += size


def _contents(file: DataFile, cut: _Cut) -> Iterator[bytes]:
    """The text of each block below the line of names, as if it were a file of its own."""
    with file.opened() as stream:
        file.read(stream, cut.before)
        names = file.read(stream, cut.names)
        for block in cut.blocks:
            yield names + file.read(stream, block.size)


def _cut(file: DataFile) -> _Cut:
    """The blocks of a file; DataError for names or a record that is wrong."""
    csv.field_size_limit(sys.maxsize)
    with file.opened() as stream:
        lines = _Lines(file, stream)
        records = csv.reader(lines, delimiter=_SEPARATORS[file.kind], strict=True)
        try:
            return _cut_records(records, lines, file)
        except (csv.Error, UnicodeDecodeError) as error:
            line = records.line_num + isinstance(error, UnicodeDecodeError)  # which the reader did not get to see
            raise DataError(
                f"{file.path}, line {line}: not a readable csv file ({error}). Fields are parted by commas (in .tsv "
                "by tabs), text with one, a line end or a quote goes into quotes, and a quote in it is written twice "
                '(""); the text is UTF-8.'
            ) from error


def _cut_records(records: Iterator[list[str]], lines: _Lines, file: DataFile) -> _Cut:
    before = 0
    for names in records:
        if names:
            break
        before = lines.size
    else:
        raise DataError(f"{file.path} is empty: a csv file needs at least a line of column names.")
    check_names(names, file.path)
    _check_separator(names, file)
    cut = _Cut(before, lines.size - before)
    start = lines.size
    for fields in records:
        if fields and len(fields) != len(names):
            raise csv.Error(f"{counted(len(fields), 'field')}, but {counted(len(names), 'column')}")
        cut.add(lines.size - start, blank=not fields)
        start = lines.size
    return cut


def _check_separator(names: list[str], file: DataFile) -> None:
    """DataError for a file that seems to part its fields with another sign: it would be one column of lines."""
    if names[0].lower().startswith("sep="):
        raise DataError(f"{file.path} begins with a line {names[0]!r}, a note to Excel, and no names: take it out.")
    others = [sign for sign in (",", ";", "\t", "|") if len(names) == 1 and sign in names[0]]
    if others:
        raise DataError(
            f"{file.path} has one column, {names[0]!r}: its fields seem to be parted by {others[0]!r}. Save it with "
            "commas, or with tabs as .tsv."
        )


class _Lines:
    """The lines of a file as text, and how many bytes they were up to now."""

    def __init__(self, file: DataFile, stream: IO[bytes]) -> None:
        self.size = 0
        self._raw = _raw_lines(file, stream)

    def __iter__(self) -> Iterator[str]:
        encoding = "utf-8-sig"
        for line in self._raw:
            text = line.decode(encoding)
            self.size += len(line)
            encoding = "utf-8"
            yield text


def _raw_lines(file: DataFile, stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := file.read(stream, 1 << 20):
        *lines, rest = (rest + block).split(b"\n")
        yield from (line + b"\n" for line in lines)
    if rest:
        yield rest
