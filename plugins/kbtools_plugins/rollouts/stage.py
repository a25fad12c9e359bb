"""The stage `convert-rollouts`: files of rollouts, of whichever layout, become rows of one shape.

How a row becomes rollouts is said by the layouts beside this module and by those of plugins; here is what becomes of
the rows that cannot be converted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import kbtools as kb
from kbtools.data.made_columns import map_columns
from kbtools.data.table import column, keep, map_batches, rows_text
from kbtools.data.writable import broken_character
from kbtools.failed_rows import ERROR, resolve_failures, with_error
from kbtools.result import merge
from kbtools.rollouts import Rollout, RolloutLayout, Row, Unconvertible, known_layouts, layout_of

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

_COUNTS = ("rollouts", "silent", "failed", "hidden")
"""What is counted in each row: its rollouts, those that say nothing and are left out; of the others, those that failed
and those with reasoning that nobody can read."""
_EMPTY = "no-messages"


class ConvertRollouts(kb.Stage):
    """Turn rollouts into rows: traces of verifiers v1 and prime-rl, ATIF trajectories, results of vf-eval and others.

    Which layout the rows have, their keys say. Each branch of a trace, each agent of an episode is a row:

        kbtools apply convert-rollouts --dataset traces.jsonl
    """

    name: ClassVar[str] = "convert-rollouts"
    suffix: ClassVar[str] = "evals"
    scope: ClassVar[kb.stage.Scope] = "row"

    reasoning_field: str = ""
    """Key of the reasoning in the messages, as synthesize was told; the usual names are tried when not given."""
    on_error: Literal["raise", "drop"] = "raise"
    """What becomes of rows that cannot be converted, or that failed where there is no column `error` to say so."""

    def output_features(self, features: Features) -> Features:
        """The columns that the layout fills; SchemaError when the columns are of no known layout, or of several."""
        return layout_of(features).features()

    def transform(self, ds: Dataset) -> kb.Result:
        """Find the rows that cannot be converted, then write the rollouts of the others."""
        import datasets

        counts = {f"__kbtools_{name}__": datasets.Value("int64") for name in _COUNTS}
        features = datasets.Features({**with_error(ds.features), **counts})
        key = self.fingerprint(ds, "marked")
        marked = map_columns(ds, self._marked, ds.column_names, features=features, fingerprint=key, rows=50)
        totals = {name: sum(column(marked, f"__kbtools_{name}__").to_pylist()) for name in _COUNTS}
        dropped, marked, ds = self._without_empty(ds, marked)
        marked = marked.select_columns([*ds.column_names, ERROR])
        whole = resolve_failures(self, ds, marked, self.on_error, "cannot be converted")
        assert not isinstance(whole.dataset, dict)
        done = map_batches(
            whole.dataset,
            self._converted,
            features=self.output_features(ds.features),
            fingerprint=self.fingerprint(whole.dataset),
            rows=50,
        )
        return _noted(replace(whole, dataset=done, dropped=(*dropped, *whole.dropped)), totals)

    def joined(self, parts: Sequence[kb.Result]) -> kb.Result:
        """What notes tell of is counted over all parts."""
        totals = {name: sum(int(str(part.facts.get(name, 0))) for part in parts) for name in _COUNTS}
        return _noted(merge(parts), totals)

    def _without_empty(self, ds: Dataset, marked: Dataset) -> tuple[tuple[kb.Drop, ...], Dataset, Dataset]:
        """Rows that ended before anybody said anything are left out whatever becomes of errors."""
        import numpy as np

        rollouts = np.array(column(marked, "__kbtools_rollouts__").to_pylist(), dtype=int)
        errors = np.array([error is not None for error in column(marked, ERROR).to_pylist()], dtype=bool)
        empty = (rollouts == 0) & ~errors
        if not empty.any():
            return (), marked, ds
        drop = kb.Drop(keep(ds, empty, self.fingerprint(ds, _EMPTY)), _EMPTY)
        left, rows = (keep(one, ~empty, self.fingerprint(one, "said")) for one in (marked, ds))
        return (drop,), left, rows

    def _marked(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa

        found = [self._read(layout, row) for layout, row in _rows(table)]
        counts = {
            f"__kbtools_{name}__": pa.array([getattr(row, name) for row in found], pa.int64()) for name in _COUNTS
        }
        return pa.table({ERROR: pa.array([row.error for row in found], pa.string()), **counts})

    def _converted(self, table: pa.Table) -> pa.Table:
        import datasets
        import pyarrow as pa

        features = self.output_features(datasets.Features.from_arrow_schema(table.schema))
        rows = [rollout.row() for layout, row in _rows(table) for rollout in self._read(layout, row).said]
        return pa.Table.from_pylist(rows, schema=features.arrow_schema)

    def _read(self, layout: RolloutLayout, row: Row) -> _Read:
        """The rollouts of a row, or why there are none."""
        try:
            seen = frozenset(key for key, value in row.items() if value is not None)
            if not layout.fit(seen) and "error" not in seen:
                keys = ", ".join(sorted(seen)) or "no keys"
                raise Unconvertible("unknown-layout", f"it has {keys}; known are {known_layouts()}")
            rollouts = layout.read(row, self.reasoning_field)
            for rollout in rollouts:
                if (at := broken_character(rollout.row())) is not None:
                    raise Unconvertible("half-surrogate", f"a text holds half a surrogate pair at character {at}")
        except Unconvertible as error:
            return _Read((), str(error))
        return _Read(rollouts, None)


@dataclass(frozen=True)
class _Read:
    """What one row holds."""

    found: Sequence[Rollout]
    error: str | None

    @property
    def said(self) -> list[Rollout]:
        """The rollouts that become rows."""
        return [rollout for rollout in self.found if not rollout.silent]

    @property
    def rollouts(self) -> int:
        """How many become rows."""
        return len(self.said)

    @property
    def silent(self) -> int:
        """How many ended before anybody said anything."""
        return len(self.found) - len(self.said)

    @property
    def failed(self) -> int:
        """How many of the rows say why they failed."""
        return sum(rollout.error is not None for rollout in self.said)

    @property
    def hidden(self) -> int:
        """How many have reasoning that is lost."""
        return sum(rollout.hidden for rollout in self.said)


def _rows(table: pa.Table) -> Iterator[tuple[RolloutLayout, Mapping[str, object]]]:
    import datasets

    layout = layout_of(datasets.Features.from_arrow_schema(table.schema))
    for row in table.to_pylist():
        yield layout, row


def _noted(result: kb.Result, totals: Mapping[str, int]) -> kb.Result:
    notes = tuple(_notes(totals))
    return replace(result, notes=notes, facts=dict(totals)) if notes else result


def _notes(totals: Mapping[str, int]) -> Iterator[str]:
    if count := totals["failed"]:
        yield f"{rows_text(count)} of rollouts that failed: `error` says why, and `error is null` keeps the others"
    if count := totals["silent"]:
        yield f"rollouts that ended before their first message, which are not rows: {count:,}"
    if count := totals["hidden"]:
        yield f"{rows_text(count)} with reasoning that is encrypted or redacted, which cannot be kept"
