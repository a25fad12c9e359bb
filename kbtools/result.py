"""What a stage gives back: the dataset, what it left out and why, what failed, and what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pydantic import JsonValue

from kbtools.figures import Table, notebook
from kbtools.spelling import as_python

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


@dataclass(frozen=True)
class Drop:
    """Rows that a stage left out, all for one reason."""

    rows: Dataset
    """The rows as the stage received them (a view: nothing is copied)."""
    reason: str


@dataclass(frozen=True)
class Failure:
    """Rows that a stage could not process, all for one kind of fault, and that stay in the result or were dropped."""

    kind: str
    count: int
    examples: tuple[str, ...] = ()
    """The first few rows, each by index and id."""


@dataclass(frozen=True)
class Result:
    """What a stage gives back: the dataset, and everything that a reader of the run has to know beside it."""

    dataset: Dataset | DatasetDict
    dropped: tuple[Drop, ...] = ()
    failed: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    """Warnings for people."""
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    """Figures for the lineage: sizes, seeds, model names."""
    tables: tuple[Table, ...] = ()
    """Figures for the terminal."""
    merged: int = 0
    """Rows that are not left out although they are fewer now: they became part of other rows, as the two of a pair."""

    def _repr_html_(self) -> str:
        """What a notebook shows: rows kept and left out, notes and figures."""
        splits = self.dataset.items() if isinstance(self.dataset, dict) else [("rows", self.dataset)]
        kept = [(name, f"{ds.num_rows:,}") for name, ds in splits]
        gone = [(f"dropped: {reason}", f"{rows:,}") for reason, rows in self.dropped_counts().items()]
        failed = [(f"failed: {one.kind}", f"{one.count:,}") for one in self.failed]
        return notebook.page(
            Table("", ("", "rows"), (*kept, *gone, *failed)), *self.tables, *map(as_python, self.notes)
        )

    def dropped_counts(self) -> dict[str, int]:
        """Rows dropped by reason."""
        counts: Counter[str] = Counter()
        for drop in self.dropped:
            counts[drop.reason] += drop.rows.num_rows
        return {reason: count for reason, count in counts.items() if count}


def merge(results: Iterable[Result]) -> Result:
    """Several results as one, whose dataset is the first one's; facts are left to the caller."""
    kept = list(results)
    return Result(
        dataset=kept[0].dataset if kept else {},
        dropped=tuple(drop for result in kept for drop in result.dropped),
        failed=_merge_failures([failure for result in kept for failure in result.failed]),
        notes=tuple(dict.fromkeys(note for result in kept for note in result.notes)),
        tables=tuple(table for result in kept for table in result.tables),
        merged=sum(result.merged for result in kept),
    )


def _merge_failures(failures: Sequence[Failure]) -> tuple[Failure, ...]:
    kinds = dict.fromkeys(failure.kind for failure in failures)
    return tuple(
        Failure(
            kind,
            sum(f.count for f in failures if f.kind == kind),
            tuple(example for f in failures if f.kind == kind for example in f.examples)[:5],
        )
        for kind in kinds
    )


def of_splits(results: Mapping[str, Result]) -> Result:
    """What a stage found in each split, as one result."""
    import datasets

    merged = merge([_titled(name, result) for name, result in results.items()])
    facts = {name: dict(result.facts) for name, result in results.items() if result.facts}
    splits = datasets.DatasetDict({name: result.dataset for name, result in results.items()})
    return replace(merged, dataset=splits, facts=facts)


def _titled(split: str, result: Result) -> Result:
    return replace(result, tables=tuple(replace(table, title=f"{split}: {table.title}") for table in result.tables))
