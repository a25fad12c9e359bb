"""The tasks of a dataset: its different references, each under a name of its own.

A task is called as its module; where different references share that name, each gets a digest of its code behind it,
so that a name means the same reference whatever else is in the dataset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kbtools.data import texts
from kbtools.data.columns import Schema
from kbtools.data.table import batches, field_of
from kbtools.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Task:
    """One reference, the name of its class where that is known, and the first row that has it."""

    row: int
    reference: str
    entry_point: str | None


def tasks_of(ds: Dataset, column: str) -> Mapping[str, Task]:
    """Every task by its name, in the order of the rows; `column` is a role or path that names modules."""
    schema = Schema(ds.features)
    name, reference = schema.require(schema.locate(column), "scalar"), schema.find("reference_code")
    entry = next((schema.find(role) for role in ("entry_point", "module_name") if schema.has(role)), name)
    found: dict[str, dict[str, Task]] = {}
    row = 0
    for table in batches(ds, list(dict.fromkeys((name, reference, entry)))):
        cells = (
            field_of(table, name).to_pylist(),
            texts.of_column(table, reference),
            field_of(table, entry).to_pylist(),
        )
        for module, code, point in zip(*cells, strict=True):
            if module is not None and code:
                found.setdefault(str(module), {}).setdefault(code, Task(row, code, defined(code, point)))
            row += 1
    if not found:
        raise DataError("the dataset has no row with the name and the reference of a task.")
    named = {_name(module, task, len(tasks)): task for module, tasks in found.items() for task in tasks.values()}
    return dict(sorted(named.items(), key=lambda item: item[1].row))


def _name(module: str, task: Task, sharing: int) -> str:
    digest = hashlib.sha256(task.reference.encode("utf-8", "surrogatepass")).hexdigest()
    return module if sharing == 1 else f"{module}-{digest[:8]}"


def defined(code: str, name: object) -> str | None:
    """The name if the reference defines it: a column of names need not be one of entry points."""
    return name if isinstance(name, str) and (f"class {name}" in code or f"def {name}" in code) else None
