"""The stage `decontaminate`: rows that hold a problem of an evaluation set are dropped, marked, or an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, JsonValue, model_validator

import kbtools as kb
from kbtools.data.new_columns import free, with_columns
from kbtools.data.table import row_name, rows_text, take
from kbtools.wording import counted
from kbtools_plugins.leaks.computation.requirements import require_verify
from kbtools_plugins.leaks.contamination import codes, sources
from kbtools_plugins.leaks.contamination.hits import HitFigures, Hits
from kbtools_plugins.leaks.contamination.matching import KINDS, Kind
from kbtools_plugins.leaks.contamination.sources import EvaluationSet

if TYPE_CHECKING:
    from datasets import Dataset, Features
    from pydantic import JsonValue

_COLUMNS = {
    "contaminated_by": "string",
    "contamination_kind": "string",
    "contamination_score": "float64",
    "contamination_where": "string",
}
_REACH: dict[str, tuple[Kind, ...]] = {
    "exact": KINDS[:1],
    "task": KINDS[:4],
    "computation": KINDS[:5],
    "similar": (*KINDS[:4], "similar"),
}
"""Kinds of hits that a level looks for."""
_NAMED = 5


class Decontaminate(kb.Stage):
    """Find rows that hold a problem of an evaluation set, and drop them."""

    name: ClassVar[str] = "decontaminate"
    suffix: ClassVar[str] = "decontaminated"
    scope: ClassVar[kb.stage.Scope] = "dataset"

    against: Annotated[tuple[str, ...], Field(min_length=1)]
    """Evaluation sets, each SOURCE[@REVISION][:COLUMN]: a dataset on the Hub, a file, a folder, and the column of its
    code where its layout does not say it."""
    level: Literal["exact", "task", "computation", "similar"] = "task"
    """Equal code but for names, formatting and harness (exact); also the same operators in the same order, or code that
    contains a problem and does all that it does (task); also, with --trace, reference code whose outputs are a
    problem's when both are run on the same inputs in verify's sandbox (computation, extra `verify`); all that task
    finds and code that is only similar (similar), which is marked and never dropped."""
    trace: bool = False
    """Also run each reference code on tensors without data, in verify's sandbox, and compare the operators that it
    really applies: finds rewrites whose text has nothing in common with the problem's (extra `verify`)."""
    workers: Annotated[int, Field(ge=1)] = 2
    """Codes that are run at a time."""
    action: Literal["drop", "mark", "fail"] = "drop"
    """Drop the rows; keep all and add contaminated_by, contamination_kind, contamination_score and contamination_where;
    or fail and name them. Where rows are only similar, these columns are added as well."""

    @model_validator(mode="after")
    def _traces_tasks(self) -> Decontaminate:
        if self.trace and self.level == "exact":
            raise ValueError("a trace finds the same task, so it needs the level task or similar")
        return self

    def preflight(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """Read the evaluation sets: one that is missing or empty ends the run before its first row."""
        if self._runs:
            require_verify("running reference code")
        return tuple(f"against {found.name}: {counted(len(found.problems), 'problem')}" for found in self._sets())

    def output_features(self, features: Features) -> Features:
        """The same features, with four more where rows are marked; SchemaError where there is no code at all."""
        codes.places(features, self.columns)
        return free(features, _COLUMNS, self.name) if self._marks else features

    @classmethod
    def figures(cls, facts: Mapping[str, JsonValue]) -> kb.figures.Section:
        """Hits by set, kind and problem."""
        return HitFigures.model_validate(facts).section()

    def transform(self, ds: Dataset) -> kb.Result:
        """Hold every code of every row against the problems."""
        places = codes.places(ds.features, self.columns)
        found = Hits.of(self._sets(), ds, places, _REACH[self.level], self._runs, self.workers)
        lost = found.certain() if self.action != "mark" else []
        if lost and self.action == "fail":
            raise kb.errors.RowError(self._complaint(ds, found, lost))
        gone = set(lost)
        kept = [row for row in range(ds.num_rows) if row not in gone]
        rows = take(self._marked(ds, found) if self._marks else ds, kept, self._key(ds, found, "kept"))
        reason = "holds a problem of an evaluation set"
        dropped = (kb.Drop(take(ds, lost, self._key(ds, found, reason)), reason),) if lost else ()
        return kb.Result(
            rows,
            dropped=dropped,
            notes=tuple(found.notes()),
            facts={**found.facts(ds, self.columns), **_left(len(found.by_row) - len(lost))},
            tables=(found.table(),),
        )

    @property
    def _marks(self) -> bool:
        return self.action == "mark" or self.level == "similar"

    @property
    def _runs(self) -> tuple[Kind, ...]:
        """Kinds of hits for which codes are run."""
        if self.level == "computation":
            return ("trace", "computation")
        return ("trace",) if self.trace else ()

    def _sets(self) -> list[EvaluationSet]:
        return [sources.read_evaluation_set(text) for text in self.against]

    def _key(self, ds: Dataset, found: Hits, step: str) -> str:
        """A fingerprint that covers what was found, as the evaluation sets may change under their names."""
        return self.fingerprint(ds, f"{step}\0{found.digest()}")

    def _marked(self, ds: Dataset, found: Hits) -> Dataset:
        import pyarrow as pa

        hits = [found.by_row.get(row) for row in range(ds.num_rows)]
        values = {
            "contaminated_by": [found.title(hit) if hit else None for hit in hits],
            "contamination_kind": [hit.kind if hit else None for hit in hits],
            "contamination_score": [hit.score if hit else None for hit in hits],
            "contamination_where": [hit.role if hit else None for hit in hits],
        }
        types = {"contamination_score": pa.float64()}
        columns = {name: pa.array(made, types.get(name, pa.string())) for name, made in values.items()}
        return with_columns(ds, columns, self.output_features(ds.features), self._key(ds, found, "marked"))

    def _complaint(self, ds: Dataset, found: Hits, lost: list[int]) -> str:
        named = "; ".join(
            f"{row_name(ds, row, self.columns)} holds {found.title(found.by_row[row])} ({found.by_row[row].kind})"
            for row in lost[:_NAMED]
        )
        many = f"{len(lost)} of {rows_text(ds.num_rows)}"
        return f"problems of an evaluation set are in {many}: {named}. Use --action drop."


def _left(rows: int) -> dict[str, JsonValue]:
    """For the record: rows that hold a problem and are kept, if there are any."""
    return {"left": rows} if rows else {}
