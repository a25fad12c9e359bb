"""The stage `pass-rate`: how often a module is solved, as a measured difficulty beside a judged one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, model_validator

import kbtools as kb
from kbtools.data.new_columns import with_columns
from kbtools.data.table import column, require_values
from kbtools_plugins.training.outcomes import outcome_column, outcomes, wilson

if TYPE_CHECKING:
    from datasets import Dataset, Features

_COLUMNS = {
    "rollouts": "int64",
    "pass_rate": "float64",
    "pass_rate_low": "float64",
    "pass_rate_high": "float64",
    "curriculum": "string",
}
UNSOLVED, SOLVED, UNKNOWN = "unsolved", "solved", None


class PassRate(kb.Stage):
    """Give every row the share of its module's rollouts that are right, with a 95 % interval and a curriculum bucket.

    Buckets are `unsolved` (none right), `hard`, `medium`, `easy` (up to each edge) and `solved` (all right). Rows whose
    verdict is about the reference count neither way. How the rate relates to a judged difficulty, `correlate` says:

        kbtools apply pass-rate correlate --between pass_rate,difficulty --dataset judged.parquet
    """

    name: ClassVar[str] = "pass-rate"
    suffix: ClassVar[str] = "pass-rate"
    scope: ClassVar[kb.stage.Scope] = "dataset"

    per: str = "module_name"
    """Column whose equal values are rollouts of one task."""
    passed: str = ""
    """Column that says which rows are right (verdicts, true and false, or numbers); `verdict`, or else the reward."""
    threshold: float = 0.0
    """Numbers above this are right."""
    edges: tuple[float, float] = Field((1 / 3, 2 / 3))
    """Highest pass rates of the buckets `hard` and `medium`."""

    @model_validator(mode="after")
    def _ascending(self) -> PassRate:
        if not 0 < self.edges[0] < self.edges[1] < 1:
            raise ValueError("edges must be two ascending shares between 0 and 1")
        return self

    def output_features(self, features: Features) -> Features:
        """The input's features and the columns of the rate, which must not be there yet."""
        import datasets

        self._places(features)
        taken = [name for name in _COLUMNS if name in features]
        if taken:
            raise kb.errors.SchemaError(f"column {taken[0]!r} is there already: drop or rename it first.")
        return datasets.Features({**features, **{name: datasets.Value(kind) for name, kind in _COLUMNS.items()}})

    def transform(self, ds: Dataset) -> kb.Result:
        """Count per task, then write each row's figures."""
        import pyarrow as pa

        features = self.output_features(ds.features)
        per, passed = self._places(ds.features)
        keys = column(ds, per).to_pylist()
        missing = [row for row, key in enumerate(keys) if key is None]
        require_values(ds, missing, per, "Drop these rows first with the stage filter.", self.columns)
        found = outcomes(ds, passed, self.threshold)
        tried = Counter(key for key, value in zip(keys, found, strict=True) if value is not None)
        solved = Counter(key for key, value in zip(keys, found, strict=True) if value)
        buckets = {key: self._bucket(solved[key], tried[key]) for key in dict.fromkeys(keys)}
        rows = {key: self._figures(solved[key], tried[key]) for key in buckets}
        columns = {name: pa.array([rows[key][name] for key in keys], features[name].pa_type) for name in _COLUMNS}
        done = with_columns(ds, columns, features, self.fingerprint(ds))
        counts = Counter(bucket or "not decided" for bucket in buckets.values())
        table = kb.Table("modules by pass rate", ("bucket", "modules"), _rows(counts))
        return kb.Result(done, facts={"buckets": {**counts}}, tables=(table,))

    def _places(self, features: Features) -> tuple[str, str]:
        schema = kb.Schema(features, self.columns)
        per = schema.require(schema.locate(self.per), "scalar")
        return per, outcome_column(features, self.columns, self.passed)

    def _figures(self, solved: int, tried: int) -> dict[str, int | float | str | None]:
        if not tried:
            return {**dict.fromkeys(_COLUMNS), "rollouts": 0}
        low, high = wilson(solved, tried)
        bucket = self._bucket(solved, tried)
        figures = (tried, solved / tried, low, high, bucket)
        return dict(zip(_COLUMNS, figures, strict=True))

    def _bucket(self, solved: int, tried: int) -> str | None:
        if not tried:
            return UNKNOWN
        if solved in (0, tried):
            return SOLVED if solved else UNSOLVED
        rate, (hard, medium) = solved / tried, self.edges
        return "hard" if rate <= hard else "medium" if rate <= medium else "easy"


def _rows(counts: Counter[str]) -> tuple[tuple[str, str], ...]:
    order = (UNSOLVED, "hard", "medium", "easy", SOLVED, "not decided")
    return tuple((bucket, f"{counts[bucket]:,}") for bucket in order if counts[bucket])
