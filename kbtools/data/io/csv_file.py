"""CSV files read strictly: every line has a field for every column, no quote is lost, no blank line becomes a row.

The fast reader finds the types, but fills short lines with nulls, drops quotes that stand inside of quotes, and takes a
blank line for a row of nulls. So the standard library's strict reader goes over the file first, and names the line.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
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

_SEPARATORS = {"csv": ",", "tsv": "\t"}


def tables(file: DataFile) -> Iterator[pa.Table]:
    """The whole file as one table; DataError names the first line that is wrong."""
    import polars as pl

    path = file.path
    whether_blank = list(_blank_records(file))
    try:
        frame = pl.read_csv(_source(file), separator=_SEPARATORS[file.kind], infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} is not a readable csv file ({str(error).splitlines()[0]}).") from error
    if frame.height != len(whether_blank):
        raise DataError(
            f"{path} can be read as {rows_text(frame.height)} and as {len(whether_blank)}: "
            "mend its line ends and quotes."
        )
    for name, kind in frame.schema.items():
        if kind == pl.Int128:
            raise DataError(f"{path}: column {name!r} has integers that do not fit into 64 bits.")
    yield _without(frame, whether_blank).to_arrow(compat_level=pl.CompatLevel.oldest())


def _source(file: DataFile) -> Path | bytes:
    """What polars is to read: the file itself, or its content where that is packed."""
    if not file.compression:
        return file.path
    with file.opened() as stream:
        return file.read(stream)


def _without(frame: pl.DataFrame, left_out: list[bool]) -> pl.DataFrame:
    import polars as pl

    return frame.filter(~pl.Series(left_out, dtype=pl.Boolean)) if any(left_out) else frame


def _blank_records(file: DataFile) -> Iterator[bool]:
    """Whether it is a blank line, for every record after the names; DataError for names or a record that is wrong."""
    csv.field_size_limit(sys.maxsize)
    path = file.path
    records = csv.reader(_lines(file), delimiter=_SEPARATORS[file.kind], strict=True)
    try:
        names = next((fields for fields in records if fields), None)
        if names is None:
            raise DataError(f"{path} is empty: a csv file needs at least a line of column names.")
        check_names(names, path)
        _check_separator(names, file)
        for fields in records:
            if fields and len(fields) != len(names):
                raise csv.Error(f"{counted(len(fields), 'field')}, but {counted(len(names), 'column')}")
            yield not fields
    except (csv.Error, UnicodeDecodeError) as error:
        line = records.line_num + isinstance(error, UnicodeDecodeError)  # which the reader did not get to see
        raise DataError(
            f"{path}, line {line}: not a readable csv file ({error}). Fields are parted by commas (in .tsv by tabs), "
            'text with one, a line end or a quote goes into quotes, and a quote in it is written twice (""); '
            "the text is UTF-8."
        ) from error


def _check_separator(names: list[str], file: DataFile) -> None:
    """DataError for a file that seems to part its fields with another sign: it would be one column of lines."""
    others = [sign for sign in (",", ";", "\t", "|") if len(names) == 1 and sign in names[0]]
    if others:
        raise DataError(
            f"{file.path} has one column, {names[0]!r}: its fields seem to be parted by {others[0]!r}. Save it with "
            "commas, or with tabs as .tsv."
        )


def _lines(file: DataFile) -> Iterator[str]:
    with file.opened() as stream:
        for number, line in enumerate(_raw_lines(file, stream), start=1):
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")


def _raw_lines(file: DataFile, stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := file.read(stream, 1 << 20):
        *lines, rest = (rest + block).split(b"\n")
        yield from (line + b"\n" for line in lines)
    if rest:
        yield rest
