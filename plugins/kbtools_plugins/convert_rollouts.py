"""The stage `convert-rollouts`: files of rollouts, of whichever generation, become the evals layout.

How one rollout becomes one row is in `rollout_rows`; here stand the columns and what becomes of rows that cannot be
converted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import kbtools as kb
from kbtools.data.table import column, map_batches
from kbtools.failed_rows import ERROR, resolve_failures, with_error
from kbtools.result import merge
from kbtools_plugins.rollout_rows import (
    COLUMNS,
    INFO,
    LAYOUTS,
    READ,
    Unconvertible,
    evals_row,
    has_hidden_reasoning,
    known_keys,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features


_HIDDEN = "__kbtools_hidden__"
_FACT = "hidden_reasoning"


class ConvertRollouts(kb.Stage):
    """Turn rollouts of vf-eval, prime-rl's synthesize or newer verifiers into the evals layout.

    Which of them a row is, its keys say:

        kbtools apply convert-rollouts --dataset rollouts.jsonl
    """

    name: ClassVar[str] = "convert-rollouts"
    suffix: ClassVar[str] = "evals"
    scope: ClassVar[kb.stage.Scope] = "row"

    reasoning_field: str = ""
    """Key of the reasoning in the messages, as synthesize was told; the usual names are tried when not given."""
    on_error: Literal["raise", "drop"] = "raise"
    """What becomes of rollouts that failed or cannot be converted."""

    def output_features(self, features: Features) -> Features:
        """The columns of the evals layout, in its order; SchemaError when the columns are of no known rollout."""
        if not known_keys(frozenset(features)):
            raise kb.errors.SchemaError(
                f"these are no rollouts: the columns are {kb.Schema(features).describe()}. Known layouts: {LAYOUTS}."
            )
        return _evals()

    def transform(self, ds: Dataset) -> kb.Result:
        """Convert row by row, then deal with the rows that cannot be."""
        import datasets

        features = with_error(self.output_features(ds.features))
        marked = datasets.Features({**features, _HIDDEN: datasets.Value("bool")})
        done = map_batches(ds, self._converted, features=marked, fingerprint=self.fingerprint(ds), rows=200)
        hidden = column(done, _HIDDEN).to_pylist().count(True)
        done = done.select_columns(list(features))
        return _noted(resolve_failures(self, ds, done, self.on_error, "cannot be converted"), hidden)

    def joined(self, parts: Sequence[kb.Result]) -> kb.Result:
        """Rows with reasoning that nobody can read are counted together."""
        return _noted(merge(parts), sum(int(str(part.facts.get(_FACT, 0))) for part in parts))

    def _converted(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa

        rows: list[dict[str, Any]] = []
        for row in table.select([name for name in table.column_names if name in READ]).to_pylist():
            try:
                rows.append({**evals_row(row, self.reasoning_field), ERROR: None, _HIDDEN: has_hidden_reasoning(row)})
            except Unconvertible as error:
                rows.append({**dict.fromkeys(COLUMNS), ERROR: str(error), _HIDDEN: False})
        schema = with_error(_evals()).arrow_schema.remove_metadata().append(pa.field(_HIDDEN, pa.bool_()))
        return pa.Table.from_pylist(rows, schema=schema)


def _noted(result: kb.Result, hidden: int) -> kb.Result:
    if not hidden:
        return result
    note = f"rows with reasoning that is encrypted or redacted, which cannot be kept: {hidden:,}"
    return replace(result, notes=(note,), facts={_FACT: hidden})


def _evals() -> Features:
    import datasets

    text, number = datasets.Value("string"), datasets.Value("float64")
    turn = {"role": text, "content": text}
    special = {
        "example_id": datasets.Value("int64"),
        "prompt": datasets.List(turn),
        "completion": datasets.List({**turn, "reasoning": text}),
        "info": dict.fromkeys(INFO, text),
        **dict.fromkeys(("task", "answer", "oai_tools"), text),
    }
    return datasets.Features({name: special.get(name, number) for name in COLUMNS})
