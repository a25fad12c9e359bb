"""Tables streamed into one Arrow file, whose schema is wide enough for all of them; or into several, on all cores.

Where the tables come from is in `kbtools.data.io.load`; they may differ in their columns, and types may grow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

from kbtools.data.cores import usable_cores
from kbtools.data.io.ahead import ahead
from kbtools.data.io.source import aside
from kbtools.data.json_columns import as_text, types_may_be_text
from kbtools.errors import ConfigError, DataError, reason

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetInfo, NamedSplit

Reader = Callable[["pa.Schema | None"], Iterable["pa.Table"]]
"""Gives the tables from the start, told the schema that is known already."""
Part = Callable[["pa.Schema"], Iterable["pa.Table | None"]]
"""Gives the tables of a part of the rows in this schema, and None where they are not of it."""
_PART_BYTES = 1 << 26
_MOST_PARTS = 16
_CONTINUES = b"\xff\xff\xff\xff"
_END = _CONTINUES + bytes(4)
"""Of a stream of Arrow; those of before 2019 end with the four zeros alone."""


def mapped(path: Path, fingerprint: str, info: DatasetInfo | None = None, split: NamedSplit | None = None) -> Dataset:
    """The rows of a file, memory-mapped; `Dataset.from_file` would pickle them for a fingerprint."""
    import datasets
    from datasets.table import MemoryMappedTable

    return datasets.Dataset(MemoryMappedTable.from_file(str(path)), info, split, fingerprint=fingerprint)


class TableReading(NamedTuple):
    """Two ways to the same rows: from the start, and in consecutive parts, where there is more than one."""

    whole: Reader
    parts: Callable[[], Sequence[Part]] = tuple


def part_count(nbytes: int) -> int:
    """How many parts so many bytes are read in; it follows from the content alone, for the files must go together."""
    return max(1, min(_MOST_PARTS, nbytes // _PART_BYTES))


def write(
    reading: TableReading,
    target: Path,
    schema: pa.Schema | None = None,
    settled: Callable[[], Path] | None = None,
) -> None:
    """Stream the tables into files of which `written` knows the names.

    They are written beside the target, and go into its place or to the one that `settled` gives when all are whole.
    When a table shows that the schema must be wider, the rest is looked at and all of it started over.
    """
    parts: list[Path] = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        parts = _in_parts(reading, target, schema) or _in_one(reading.whole, target, schema)
        place = settled() if settled else target
        place.parent.mkdir(exist_ok=True)
        for part, file in reversed([*zip(parts, _names(place, len(parts)), strict=True)]):
            part.replace(file)
    except OSError as error:
        raise cache_error(target.parent, error) from error
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def cache_error(folder: Path, error: OSError) -> ConfigError:
    """A full disk or a missing permission, said of the cache."""
    return ConfigError(
        f"the cache {folder} could not be written ({reason(error)}). Make room, or set HF_HOME to another folder."
    )


def write_one(tables: Iterable[pa.Table], target: Path, schema: pa.Schema) -> None:
    """The tables as one file, which is there when it is whole; errors of the tables stay what they are."""
    import pyarrow as pa

    part = aside(target)
    try:
        with _of_cache(target.parent):
            writer = pa.ipc.new_stream(str(part), schema)
        try:
            for table in tables:
                with _of_cache(target.parent):
                    writer.write_table(table)
        finally:
            with _of_cache(target.parent):
                writer.close()
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _of_cache(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cache_error(folder, error) from error


def written(target: Path) -> list[Path]:
    """The files that `write` has left, in the order of their rows; none until all of them are there."""
    others = list(target.parent.glob(f"{target.stem}-*-of-*{target.suffix}")) if target.exists() else []
    names = _names(target, len(others) + 1)
    return names if target.exists() and set(others) == set(names[1:]) else []


def _names(target: Path, count: int) -> list[Path]:
    others = [f"{target.stem}-{number:02}-of-{count:02}{target.suffix}" for number in range(2, count + 1)]
    return [target, *(target.with_name(name) for name in others)]


def check_ended(source: pa.MemoryMappedFile, path: Path) -> None:
    """DataError for a stream without its end mark, as a writer leaves it that was killed, or with another behind it."""
    end, size = source.tell(), source.size()
    source.seek(0)
    of_today = source.read(len(_CONTINUES)) == _CONTINUES
    source.seek(max(end - len(_END), 0))
    if end < size:
        raise DataError(f"{path} has more behind the end of its Arrow stream: give each stream a file of its own.")
    if of_today and source.read() != _END:
        raise DataError(f"{path} is not a whole Arrow file (its stream has no end mark): it may be half-written.")


def unified(schema: pa.Schema, other: pa.Schema, *, typed: bool = False) -> pa.Schema:
    """The schema that holds rows of both; DataError where one column would need two types.

    A field of JSON then may be text; nothing is, where what was read is `typed`.
    """
    import pyarrow as pa

    odd = set() if typed else {name for name in {*schema.names} & {*other.names} if _is_odd(name, schema, other)}
    both = [
        pa.schema([field.with_type(pa.string()) if field.name in odd else field for field in one])
        for one in (schema, other)
    ]
    try:
        return pa.unify_schemas(both, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(f"two parts of the file give one column different types ({error}).") from error


def _is_odd(name: str, schema: pa.Schema, other: pa.Schema) -> bool:
    """Whether a column's types go together as text alone."""
    import pyarrow as pa

    one, two = schema.field(name), other.field(name)
    if one.type.equals(two.type) or not types_may_be_text(one.type, two.type):
        return False
    try:
        pa.unify_schemas([pa.schema([one]), pa.schema([two])], promote_options="permissive")
    except pa.ArrowException:
        return True
    return False


def check_names(names: Iterable[str], path: Path) -> None:
    """DataError when two columns have one name: a row has only one place for both."""
    if twice := _twice(names):
        raise DataError(f"{path} has two columns of one name: {', '.join(map(repr, twice))}. Rename one of them.")


def check_fields(kind: pa.DataType, column: str, path: Path) -> None:
    """As `check_names`, for fields within a column."""
    fields = [kind.field(number) for number in range(kind.num_fields)]
    if twice := _twice(field.name for field in fields):
        raise DataError(f"{path}: column {column!r} has two fields of one name: {', '.join(map(repr, twice))}.")
    for field in fields:
        check_fields(field.type, column, path)


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def _in_one(reader: Reader, target: Path, schema: pa.Schema | None) -> list[Path]:
    part = aside(target)
    try:
        while (wider := _write_until_wider(ahead(iter(reader(schema))), schema, part)) is not None:
            schema = wider
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return [part]


def _in_parts(reading: TableReading, target: Path, schema: pa.Schema | None) -> list[Path]:
    """The parts, each written to a file of its own; none where there are none, or one of them has to be read slowly."""
    readers = reading.parts()
    if readers and schema is None:
        schema = next(iter(reading.whole(None))).schema
    files = [aside(target) for _ in readers]
    done = False
    try:
        done = schema is not None and _write_parts([*zip(readers, files, strict=True)], schema)
    finally:
        for file in [] if done else files:
            file.unlink(missing_ok=True)
    return files if done else []


def _write_parts(parts: Sequence[tuple[Part, Path]], schema: pa.Schema) -> bool:
    """Whether all parts were of this schema; none is read on after one that was not, or that was wrong."""
    stop = Event()
    with ThreadPoolExecutor(min(len(parts) or 1, usable_cores())) as pool:
        jobs = [pool.submit(_write_part, reader, schema, file, stop) for reader, file in parts]
        try:
            return bool(jobs) and all(job.result() for job in jobs)
        finally:
            stop.set()


def _write_part(reader: Part, schema: pa.Schema, file: Path, stop: Event) -> bool:
    import pyarrow as pa

    try:
        with pa.ipc.new_stream(str(file), schema) as writer:
            for table in reader(schema):
                if stop.is_set() or table is None or not table.schema.equals(schema):
                    stop.set()
                    return False
                writer.write_table(table)
    except DataError:  # reading from the start says it in the words of the whole file
        stop.set()
        return False
    except BaseException:
        stop.set()
        raise
    return True


def _write_until_wider(tables: Iterator[pa.Table], schema: pa.Schema | None, part: Path) -> pa.Schema | None:
    """Write the tables with this schema; the schema of them all as soon as a wider one is needed, else None."""
    import pyarrow as pa

    writer = None
    try:
        for table in tables:
            wider = table.schema if schema is None else unified(schema, table.schema)
            if schema is not None and wider != schema:
                return reduce(unified, (rest.schema for rest in tables), wider)
            schema = wider
            writer = writer or pa.ipc.new_stream(str(part), schema)
            writer.write_table(_conformed(table, schema))
        if writer is None:
            pa.ipc.new_stream(str(part), schema or pa.schema([])).close()
    finally:
        if writer is not None:
            writer.close()
    return None


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    if table.schema.equals(schema):
        return table
    for place, field in enumerate(table.schema):
        if pa.types.is_nested(field.type) and schema.field(field.name).type == pa.string():
            cells = pa.array(map(as_text, table.column(place).to_pylist()), pa.string())
            table = table.set_column(place, field.name, cells)
    try:
        return pa.Table.from_pylist(table.to_pylist(), schema=schema)
    except (pa.ArrowException, OverflowError) as error:
        raise DataError(f"one part of the file does not fit the types of another ({error}).") from error
