"""The stage `select`: the best few rows of each module, each answer once."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

import kbtools as kb
from kbtools.data.table import frame, require_values, take
from kbtools_plugins.training.answers import digests_and_lengths

if TYPE_CHECKING:
    import polars as pl
    from datasets import Dataset, Features

_AGAIN = "the same answer as a better row of its module"
_WORSE = "worse than the best rows of its module"
_UNSCORED = "without a score"
_EMPTY = "without an answer"


class Select(kb.Stage):
    """Keep the best N rows of each module; of equally good rows the shorter answer, then the first.

    An answer that only differs in comments and formatting from a better one is left out, so that N rows are N answers:

        kbtools apply filter --where 'reward > 0' select --best 4 --dataset rollouts.jsonl
    """

    name: ClassVar[str] = "select"
    suffix: ClassVar[str] = "best"
    scope: ClassVar[kb.stage.Scope] = "dataset"

    best: int = Field(1, ge=1)
    """Rows that stay of each module."""
    per: str = "module_name"
    """Column whose equal values are answers to one task."""
    by: str = "reward"
    """Column of numbers of which the highest is best, or `length` for the shortest answer."""
    repeats: Literal["drop", "keep"] = "drop"
    """What becomes of an answer whose code a better row of the module has too."""

    def output_features(self, features: Features) -> Features:
        """The same features, once task, answer and score are known to be there."""
        self._places(features)
        return features

    def transform(self, ds: Dataset) -> kb.Result:
        """Rank the rows of each task and keep the first few, in the order in which they came."""
        every = self._rows(ds)
        empty, rest = every.filter(every["code"] == ""), every.filter(every["code"] != "")
        unscored, rows = rest.filter(rest["score"].is_null()), _ranked(rest)
        first = rows.unique(["per", "code"], keep="first", maintain_order=True) if self.repeats == "drop" else rows
        kept = first.group_by("per", maintain_order=True).head(self.best)
        again, worse = rows.join(first, on="row", how="anti"), first.join(kept, on="row", how="anti")
        drops = [(_EMPTY, empty), (_UNSCORED, unscored), (_AGAIN, again), (_WORSE, worse)]
        return kb.Result(
            take(ds, kept["row"].sort().to_numpy(), self.fingerprint(ds, "kept")),
            dropped=tuple(self._drop(ds, some, reason) for reason, some in drops if some.height),
            facts={"modules": kept["per"].n_unique(), "repeated answers": again.height},
        )

    def _rows(self, ds: Dataset) -> pl.DataFrame:
        """Task, score, and the answer's digest and length, for every row."""
        import polars as pl

        per, completion, score = self._places(ds.features)
        rows = frame(ds, {"per": per, **({"score": score} if score else {})})
        missing = rows.filter(rows["per"].is_null())["row"].to_list()
        require_values(ds, missing, per, "Drop these rows first with the stage filter.", self.columns)
        digests, lengths = digests_and_lengths(ds, completion)
        rows = rows.with_columns(code=pl.Series(digests, dtype=pl.String), length=pl.Series(lengths, dtype=pl.Int64))
        if score is None:
            rows = rows.with_columns(score=-rows["length"])
        return rows

    def _drop(self, ds: Dataset, rows: pl.DataFrame, reason: str) -> kb.Drop:
        return kb.Drop(take(ds, rows["row"].sort().to_numpy(), self.fingerprint(ds, reason)), reason)

    def _places(self, features: Features) -> tuple[str, str, str | None]:
        schema = kb.Schema(features, self.columns)
        per = schema.require(schema.locate(self.per), "scalar")
        completion = schema.require(schema.find("completion"), "messages")
        shortest = self.by == "length" and "length" not in features
        return per, completion, None if shortest else schema.require(schema.locate(self.by), "number")


def _ranked(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with a score, best first."""
    scored = rows.filter(rows["score"].is_not_null())
    return scored.sort(["score", "length", "row"], descending=[True, False, False])
