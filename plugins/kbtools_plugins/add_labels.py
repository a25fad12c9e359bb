"""The stage `add-labels`: labels that people gave on the page of `kbtools label` become a column."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import kbtools as kb
from kbtools.data.columns import Schema
from kbtools.data.io.source import local_path
from kbtools.data.labels import LabelQuestion, Value, keys, read_labels
from kbtools.data.new_columns import with_columns
from kbtools.data.table import rows_text
from kbtools.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features


class AddLabels(kb.Stage):
    """Add the labels of a file that `kbtools label` wrote as a column, null where a row has none.

    A label belongs to the texts that were shown: it is given to every row with these texts, and to none whose text has
    changed since.
    """

    name: ClassVar[str] = "add-labels"
    suffix: ClassVar[str] = "labelled"
    scope: ClassVar[kb.stage.Scope] = "dataset"

    labels: Path
    """File of labels."""
    into: str = ""
    """The new column; that which was asked, with `gold_` before it, when not given."""

    def preflight(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """Read the file: one that is missing or damaged ends the run before its first row."""
        question, values = self._read()
        return (f"{self.labels}: {counted(len(values), 'label')} for {question.column}",)

    def output_features(self, features: Features) -> Features:
        """The input's features and the column of labels, which must not be there yet."""
        import datasets

        question, _ = self._read()
        for path in question.shown:
            Schema(features, self.columns).require(path, "messages")
        if (into := self._into(question)) in features:
            raise kb.errors.SchemaError(f"column {into!r} is there already: name another with --into.")
        return datasets.Features({**features, into: datasets.Value(question.dtype)})

    def transform(self, ds: Dataset) -> kb.Result:
        """Look every row's texts up."""
        import pyarrow as pa

        question, values = self._read()
        features = self.output_features(ds.features)
        shown = keys(ds, question.shown)
        into = self._into(question)
        found = pa.array([values.get(key) for key in shown], features[into].pa_type)
        digest = hashlib.sha256(json.dumps(sorted(values.items())).encode()).hexdigest()
        done = with_columns(ds, {into: found}, features, self.fingerprint(ds, digest))
        facts = {"labels": len(values), "sha256": digest, "labelled": len(found) - found.null_count}
        return kb.Result(done, facts=facts, notes=tuple(self._notes(found, set(values) - set(shown))))

    def _notes(self, found: pa.Array, lost: set[str]) -> list[str]:
        notes = [f"labels for {rows_text(len(found) - found.null_count)} of {len(found):,}."]
        if lost:
            notes.append(f"labels left over, for texts that no row has (other rows, or changed since): {len(lost):,}.")
        return notes

    def _into(self, question: LabelQuestion) -> str:
        return self.into or f"gold_{question.column.replace('.', '_')}"

    def _read(self) -> tuple[LabelQuestion, dict[str, Value]]:
        return read_labels(local_path(self.labels))
