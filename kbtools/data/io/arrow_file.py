"""Tables streamed into one Arrow file, whose schema is wide enough for all of them.

Where the tables come from is in `kbtools.data.io.load`; they may differ in their columns, and types may grow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data.io.ahead import ahead
from kbtools.data.io.source import aside
from kbtools.errors import ConfigError, DataError, reason

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetInfo, NamedSplit

Reader = Callable[["pa.Schema | None"], Iterable["pa.Table"]]
"""Gives the tables from the start, told the schema that is known already."""


def mapped(path: Path, fingerprint: str, info: DatasetInfo | None = None, split: NamedSplit | None = None) -> Dataset:
    """The rows of a file, memory-mapped; `Dataset.from_file` would pickle them for a fingerprint."""
    import datasets
    from datasets.table import MemoryMappedTable

    return datasets.Dataset(MemoryMappedTable.from_file(str(path)), info, split, fingerprint=fingerprint)


def write(reader: Reader, target: Path, schema: pa.Schema | None = None) -> None:
    """Stream the tables into a file; when one shows that the schema must be wider, look at the rest and start over."""
    part = aside(target)
    try:
        while (wider := _write_until_wider(ahead(iter(reader(schema))), schema, part)) is not None:
            schema = wider
        part.replace(target)
    except OSError as error:
        raise ConfigError(
            f"the cache {target.parent} could not be written ({reason(error)}). "
            "Make room, or set HF_HOME to another folder."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def unified(schema: pa.Schema, other: pa.Schema) -> pa.Schema:
    """The schema that holds rows of both; DataError where one column would need two types."""
    import pyarrow as pa

    try:
        return pa.unify_schemas([schema, other], promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(f"two parts of the file give one column different types ({error}).") from error


def check_names(names: Iterable[str], path: Path) -> None:
    """DataError when two columns have one name: a row has only one place for both."""
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise DataError(f"{path} has two columns of one name: {', '.join(map(repr, twice))}. Rename one of them.")


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
    try:
        return pa.Table.from_pylist(table.to_pylist(), schema=schema)
    except pa.ArrowException as error:
        raise DataError(f"one part of the file does not fit the types of another ({error}).") from error
