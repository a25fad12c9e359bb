"""Rows that a stage cannot process for certain: marked while a batch is worked on, dealt with when all are done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import kbtools as kb
from kbtools.data.table import column, keep, row_name

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset, Features

TROUBLE = "__kbtools_trouble__"
"""Column of a worked batch: null, or what is wrong with the row as `kind: explanation`."""


def with_trouble(features: Features) -> Features:
    """The features with room for what is wrong with a row."""
    import datasets

    return type(features)({**features, TROUBLE: datasets.Value("string")})


def settled(stage: kb.Stage, ds: Dataset, done: Dataset, on_error: str, what: str) -> kb.Result:
    """The worked rows without their marks: rows in trouble are an error, are dropped, or stay as they were worked.

    `what` says in the error what is the matter with the rows, as in "have no certain answer".
    """
    import numpy as np

    clean = done.remove_columns(TROUBLE)
    marks = column(done, TROUBLE)
    if marks.null_count == len(marks):
        return kb.Result(clean)
    troubles = marks.to_pylist()
    kinds = np.array([_kind(trouble) for trouble in troubles])
    failed = tuple(_failures(stage, ds, troubles, kinds))
    if on_error == "raise":
        raise kb.errors.RowError(_message(stage, ds, failed, what))
    if on_error != "drop":
        return kb.Result(clean, failed=failed)
    dropped = tuple(_drop(stage, ds, failure.kind, kinds) for failure in failed)
    return kb.Result(keep(clean, kinds == "", stage.fingerprint(clean, "kept")), dropped=dropped, failed=failed)


def _kind(trouble: str | None) -> str:
    return (trouble or "").partition(":")[0]


def _drop(stage: kb.Stage, ds: Dataset, kind: str, kinds: np.ndarray) -> kb.Drop:
    return kb.Drop(keep(ds, kinds == kind, stage.fingerprint(ds, kind)), kind)


def _failures(stage: kb.Stage, ds: Dataset, troubles: Sequence[Any], kinds: np.ndarray) -> Iterator[kb.Failure]:
    import numpy as np

    for kind, number in Counter(kinds[kinds != ""].tolist()).most_common():
        rows = np.flatnonzero(kinds == kind)[:5]
        examples = tuple(f"{row_name(ds, int(row), stage.columns)}: {troubles[row]}" for row in rows)
        yield kb.Failure(kind, number, examples)


def _message(stage: kb.Stage, ds: Dataset, failed: Sequence[kb.Failure], what: str) -> str:
    counts = ", ".join(f"{failure.count} x {failure.kind}" for failure in failed)
    examples = "; ".join(failure.examples[0] for failure in failed[:5])
    total = sum(failure.count for failure in failed)
    choices: Sequence[str] = type(stage).model_fields["on_error"].annotation.__args__  # type: ignore[union-attr]
    options = " or ".join(f"--on-error {choice}" for choice in choices if choice != "raise")
    return f"{total} of {ds.num_rows} rows {what}: {counts}. {examples}. Say with {options} what shall become of them."
