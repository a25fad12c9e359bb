"""The tasks of a server: references by name, read once from a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import kbtools as kb
from kbtools.data import texts
from kbtools.data.table import batches, field_of

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Task:
    """One reference and the name of its class."""

    reference: str
    entry_point: str | None


def tasks_of(ds: Dataset, column: str) -> Mapping[str, Task]:
    """The reference of each task; UsageError where one name has several."""
    schema = kb.Schema(ds.features)
    name, reference = schema.require(schema.locate(column), "scalar"), schema.find("reference_code")
    entry = next((schema.find(role) for role in ("entry_point", "module_name") if schema.has(role)), None)
    found: dict[str, Task] = {}
    for table in batches(ds, list(dict.fromkeys((name, reference, *([entry] if entry else []))))):
        names = field_of(table, name).to_pylist()
        entries = field_of(table, entry).to_pylist() if entry else names
        for task, code, point in zip(names, texts.of_column(table, reference), entries, strict=True):
            if task is not None and code:
                _add(found, str(task), Task(code, _defined(code, point)), column)
    if not found:
        raise kb.errors.DataError("the dataset has no row with a task's name and a reference.")
    return found


def _add(found: dict[str, Task], name: str, task: Task, column: str) -> None:
    if found.setdefault(name, task) != task:
        raise kb.errors.UsageError(
            f"task {name!r} has several references: use --task-column with a column that tells them apart, "
            f"{column!r} does not."
        )


def _defined(code: str, name: object) -> str | None:
    return name if isinstance(name, str) and (f"class {name}" in code or f"def {name}" in code) else None
