"""The stage `lengths`: counts the tokens of every row, adds them as columns, and says what they mean for training.

The counts are a small dataset of their own, cached under the input, the tokenizer and the code; they are put beside the
rows without copying these.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, JsonValue

import kbtools as kb
from kbtools.data.io import own_files
from kbtools.data.table import column, empty, row_name, rows_text
from kbtools.figures.drawing import replaced
from kbtools_plugins.extras import require_analysis
from kbtools_plugins.lengths import drawing, tables
from kbtools_plugins.lengths.conversation import CountedColumns
from kbtools_plugins.lengths.counters import Exact, choose
from kbtools_plugins.lengths.counting import LEFT_OUT, UNSPLIT, RowCounter
from kbtools_plugins.lengths.distribution import budget, distribution
from kbtools_plugins.lengths.figures import LengthFigures, TokenizerRecord
from kbtools_plugins.lengths.tokenizer import load, locate

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, Features

COLUMNS = {
    "conversation": "num_tokens",
    "prompt": "num_tokens_prompt",
    "completion": "num_tokens_completion",
    "reasoning": "num_tokens_reasoning",
    "answer": "num_tokens_answer",
}
"""Column of each part."""
_SAMPLE_ROWS = 32


class Lengths(kb.Stage):
    """Count tokens through the chat template, and say which seq_len the rows ask for."""

    name: ClassVar[str] = "lengths"
    suffix: ClassVar[str] = "lengths"
    scope: ClassVar[kb.stage.Scope] = "dataset"

    tokenizer: str = "Qwen/Qwen3-30B-A3B-Thinking-2507"
    """Folder, tokenizer.json, or Hub id (NAME@REVISION pins it)."""
    chat_template: str | None = None
    """File with the chat template; the tokenizer's own when not given."""
    no_columns: bool = False
    """Leave the dataset as it is instead of adding num_tokens and num_tokens_*."""
    multiple: Annotated[int, Field(ge=1)] = 128
    """What the trainer wants sequence lengths to be a multiple of."""
    fast: bool = True
    """Count with tokie where it is installed and agrees with the tokenizer on a sample of the rows."""
    plots: str | None = None
    """Folder for the distribution of the lengths as PNG and SVG."""

    def preflight(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """Plots of another dataset, and files of somebody else, are not replaced unasked."""
        mark = own_files.mark_of(kb.Recipe.model_validate(before).source)
        return tuple(replaced(self.plots, drawing.NAME, mark)) if self.plots else ()

    def only_reads(self) -> bool:
        """With `no_columns`."""
        return self.no_columns

    def output_features(self, features: Features) -> Features:
        """The input's features and a column of counts for each part, once the tokenizer's files are found."""
        import datasets

        names = [COLUMNS[part] for part in _parts(CountedColumns.of(features, self.columns))]
        require_analysis("counting tokens", "scipy", "tokenizers", plots=self.plots)
        locate(self.tokenizer, self.chat_template)
        if self.no_columns:
            return features
        for name in names:
            if name in features:
                raise kb.errors.SchemaError(f"column {name!r} exists already: leave it out first, or use --no-columns.")
        return type(features)({**features, **{name: datasets.Value("int64") for name in names}})

    @classmethod
    def figures(cls, facts: Mapping[str, JsonValue]) -> kb.figures.Section:
        """The recommendation, and all tables."""
        found = LengthFigures.model_validate(facts)
        return kb.figures.Section("Lengths for training", tables=tables.of(found))

    def transform(self, ds: Dataset) -> kb.Result:
        """Count one dataset."""
        counted = self._count({"": ds})
        return self._result(self._beside(ds, counted.counts[""]), counted)

    def transform_splits(self, splits: DatasetDict) -> kb.Result:
        """Count every split; the figures are those of all rows together."""
        counted = self._count(splits)
        beside = {name: self._beside(ds, counted.counts[name]) for name, ds in splits.items()}
        return self._result(splits if self.no_columns else type(splits)(beside), counted)

    def _count(self, splits: Mapping[str, Dataset]) -> Counted:
        loaded = load(locate(self.tokenizer, self.chat_template), self.chat_template)
        rows = {
            name: RowCounter(ds, CountedColumns.of(ds.features, self.columns), loaded.template, self.columns)
            for name, ds in splits.items()
        }
        sample = [text for some in rows.values() for text in some.sample(_SAMPLE_ROWS)] if self.fast else []
        counter, notes = choose(Exact(loaded.tokenizer), loaded.files.tokenizer, sample, fast=self.fast)
        step = f"{loaded.digest} {counter.name}"
        counts = {name: some.count(counter, self.fingerprint(some.ds, step)) for name, some in rows.items()}
        notes += [note for name, some in rows.items() for note in remarks(some, counts[name], name)]
        files = loaded.files
        record = TokenizerRecord(
            name=self.tokenizer, revision=files.revision, sha256=loaded.digest, counter=counter.name
        )
        return Counted(counts, _parts(next(iter(rows.values())).places), record, loaded.max_length, tuple(notes))

    def _beside(self, ds: Dataset, counts: Dataset) -> Dataset:
        import datasets

        if self.no_columns:
            return ds
        if ds.num_rows == 0:
            return empty(self.output_features(ds.features))
        kept = {part: COLUMNS[part] for part in _parts(CountedColumns.of(ds.features, self.columns))}
        return datasets.concatenate_datasets([ds, counts.select_columns(list(kept)).rename_columns(kept)], axis=1)

    def _result(self, data: Dataset | DatasetDict, counted: Counted) -> kb.Result:
        found = counted.figures(self.multiple)
        notes = counted.notes
        if self.plots:
            notes = (*notes, f"drew {', '.join(drawing.draw(found, self.plots))}")
        return kb.Result(data, notes=notes, facts=found.model_dump(mode="json"), tables=tables.of(found))


@dataclass(frozen=True)
class Counted:
    """The counts of all splits, and how they were made."""

    counts: Mapping[str, Dataset]
    parts: list[str]
    record: TokenizerRecord
    max_length: int | None
    notes: tuple[str, ...]

    def figures(self, multiple: int) -> LengthFigures:
        """The figures of all splits together."""
        import numpy as np

        found = {}
        for part in self.parts:
            values = np.concatenate(
                [column(ds, part).to_numpy().astype(np.float64, copy=False) for ds in self.counts.values()]
            )
            known = values[~np.isnan(values)].astype(np.int64)
            found[part] = (known, len(values) - len(known))
        return LengthFigures(
            tokenizer=self.record,
            parts={part: distribution(lengths, missing) for part, (lengths, missing) in found.items()},
            budget=budget(found["conversation"][0], multiple, self.max_length),
        )


def remarks(rows: RowCounter, counts: Dataset, split: str) -> list[str]:
    """What people have to know beside the counts: rows that are not split, or not rendered whole."""
    unsplit, left_out = (column(counts, name).to_pylist() for name in (UNSPLIT, LEFT_OUT))
    notes = []
    if kinds := Tally(kind for kind in unsplit if kind):
        named = ", ".join(f"{kind} {count:,}" for kind, count in kinds.most_common())
        notes.append(
            f"reasoning and answer cannot be told apart in {rows_text(kinds.total())}, whose num_tokens_reasoning and "
            f"num_tokens_answer are therefore null ({named}; first {_first(rows, unsplit)})"
        )
    for what, count in Tally(what for what in left_out if what).items():
        notes.append(
            f"the chat template does not render the whole {what} of {rows_text(count)}, so that num_tokens lacks it "
            f"(first {_first(rows, [found == what for found in left_out])})"
        )
    apart = [rendered is None for rendered in column(counts, "completion").to_pylist()]
    if any(apart):
        notes.append(
            f"the chat template renders the prompt of {rows_text(sum(apart))} differently when an answer follows, so "
            f"that num_tokens_completion is null (first {_first(rows, apart)})"
        )
    return [f"{split}: {note}" if split else note for note in notes]


def _first(rows: RowCounter, marks: Sequence[object]) -> str:
    return row_name(rows.ds, next(index for index, mark in enumerate(marks) if mark), rows.columns)


def _parts(places: CountedColumns) -> list[str]:
    """Parts that rows with these columns have."""
    parts = ["conversation"]
    parts += ["prompt"] if places.prompt else []
    return parts + (["completion", "reasoning", "answer"] if places.completion else [])
