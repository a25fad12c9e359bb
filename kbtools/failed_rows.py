"""Rows for which a stage has no result: marked while a batch is worked on, dealt with when all are done.

Every stage with an `--on-error` ends here, those that ask a model as those that read what is there: a failure is named,
counted by its kind, and then raised, kept or dropped as the user said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kbtools.data.table import column, keep, row_name, rows_text
from kbtools.errors import RowError
from kbtools.result import Drop, Failure, Result
from kbtools.stage import Stage

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset, Features

ERROR = "__kbtools_error__"
"""Column of a worked batch: null, or what is wrong with the row as `kind: explanation`."""
NAMED = 5
"""Rows of a kind that a message names before it only counts."""
LONGEST = 300
"""Characters of an explanation that are shown: it may quote a whole reply."""


def with_error(features: Features) -> Features:
    """The features with room for what is wrong with a row."""
    import datasets

    return type(features)({**features, ERROR: datasets.Value("string")})


def resolve_failures(
    stage: Stage, ds: Dataset, done: Dataset, on_error: str, what: str, remedy: str = "", column_of_errors: str = ""
) -> Result:
    """The worked rows without their marks: failed rows are an error, are dropped, or stay as they were worked.

    `what` says in the error what is the matter with the rows, as in "have no certain answer", and `remedy` what can be
    done about it. With `null` the marks become `column_of_errors`, if there is to be one.
    """
    import numpy as np

    found = column(done, ERROR)
    errors = found.to_pylist() if found.null_count < len(found) else []
    kinds = np.array([_kind(error) for error in errors])
    failed = tuple(_failures(stage, ds, errors, kinds))
    if failed and on_error == "raise":
        raise RowError(_message(stage, ds, failed, what, remedy))
    if on_error == "null" and column_of_errors:
        return Result(done.rename_column(ERROR, column_of_errors), failed=failed)
    clean = done.remove_columns(ERROR)
    if on_error != "drop" or not failed:
        return Result(clean, failed=failed)
    dropped = tuple(_drop(stage, ds, failure.kind, kinds) for failure in failed)
    return Result(keep(clean, kinds == "", stage.fingerprint(clean, "kept")), dropped=dropped, failed=failed)


def _kind(error: str | None) -> str:
    return (error or "").partition(":")[0]


def _drop(stage: Stage, ds: Dataset, kind: str, kinds: np.ndarray) -> Drop:
    return Drop(keep(ds, kinds == kind, stage.fingerprint(ds, kind)), kind)


def _failures(stage: Stage, ds: Dataset, errors: Sequence[object], kinds: np.ndarray) -> Iterator[Failure]:
    import numpy as np

    for kind, number in Counter(kinds[kinds != ""].tolist()).most_common():
        rows = np.flatnonzero(kinds == kind)[:NAMED]
        examples = tuple(f"{row_name(ds, int(row), stage.columns)}: {_shown(errors[row])}" for row in rows)
        yield Failure(kind, number, examples)


def _shown(error: str) -> str:
    return error if len(error) <= LONGEST else f"{error[:LONGEST]} ..."


def _message(stage: Stage, ds: Dataset, failed: Sequence[Failure], what: str, remedy: str) -> str:
    total = sum(failure.count for failure in failed)
    counts = ", ".join(f"{failure.count} x {failure.kind}" for failure in failed)
    each = max(1, NAMED // len(failed))
    examples = "; ".join(example for failure in failed[:NAMED] for example in failure.examples[:each])
    choices: Sequence[str] = type(stage).model_fields["on_error"].annotation.__args__  # type: ignore[union-attr]
    options = " or ".join(f"--on-error {choice}" for choice in choices if choice != "raise")
    advice = f"{remedy}, or use {options}" if remedy else f"Use {options}"
    what = what.replace("have ", "has ", 1) if total == 1 else what
    return f"{total} of {rows_text(ds.num_rows)} {what}: {counts}. {examples}. {advice} to continue without them."
