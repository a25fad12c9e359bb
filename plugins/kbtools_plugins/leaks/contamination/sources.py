"""Evaluation sets that rows are held against: from the Hub or a file, with the revision or digest of what was read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kbtools.data import texts
from kbtools.data.columns import Schema
from kbtools.data.io import load
from kbtools.data.io.source import Source
from kbtools.data.table import field_of, tables
from kbtools.errors import DataError, SchemaError

_COLUMN = re.compile(r"(?P<dataset>.+):(?P<column>[A-Za-z_][\w.]*)")


@dataclass(frozen=True)
class BenchmarkProblem:
    """One item of an evaluation set."""

    source: str
    name: str
    code: str

    @property
    def title(self) -> str:
        """How columns and tables call it."""
        return f"{self.source}:{self.name}"


@dataclass(frozen=True)
class EvaluationSet:
    """The items of one set, and what pins them."""

    name: str
    pinned: str
    """Commit of the Hub, or sha256 of the file."""
    problems: tuple[BenchmarkProblem, ...]


def split_column(text: str) -> tuple[str, str | None]:
    """`SOURCE[@REV][:COLUMN]` as the source and the column, if one is named."""
    found = _COLUMN.fullmatch(text)
    return (found["dataset"], found["column"]) if found else (text, None)


def read_evaluation_set(text: str) -> EvaluationSet:
    """All splits of one set; DataError where it holds no code."""
    dataset, column = split_column(text)
    data, found = load.read_source(Source(dataset=dataset))
    problems: list[BenchmarkProblem] = []
    for ds in data.values() if isinstance(data, dict) else [data]:
        schema = Schema(ds.features)
        path = _code_path(schema, column, text)
        name = next((schema.find(role) for role in ("module_name", "row_id") if schema.has(role)), None)
        for table in tables(ds, [path, *([name] if name else [])], 500):
            names = field_of(table, name).to_pylist() if name else [None] * table.num_rows
            problems += _problems(found.short_name, names, texts.of_column(table, path), len(problems))
    if not problems:
        raise DataError(f"--against {text}: no row of it has code, so nothing can be held against it.")
    return EvaluationSet(found.short_name, found.revision or found.sha256 or "", tuple(problems))


def _code_path(schema: Schema, column: str | None, text: str) -> str:
    """The column that is named, that of the reference code, or one called `code`."""
    if column is None and not schema.has("reference_code") and "code" in schema.features:
        column = "code"
    try:
        return schema.require(schema.locate(column), "messages") if column else schema.readable("reference_code")
    except SchemaError as error:
        raise SchemaError(f"--against {text}: {error} Name its column of code as --against SOURCE:COLUMN.") from None


def _problems(source: str, names: Sequence[object], codes: Sequence[str | None], before: int) -> list[BenchmarkProblem]:
    found = zip(names, codes, strict=True)
    return [
        BenchmarkProblem(source, str(before + place if name is None else name), code)
        for place, (name, code) in enumerate(found)
        if code and code.strip()
    ]
