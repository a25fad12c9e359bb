"""The stage `select`: the best few rows of each module, each answer once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

import kbtools as kb
from kbtools.data.new_columns import free, with_columns
from kbtools.data.table import frame, require_values, take, top_column
from kbtools_plugins.leaks.comparison import ByText
from kbtools_plugins.leaks.near_duplicates import NearDuplicates
from kbtools_plugins.training.answers import digests_and_lengths

if TYPE_CHECKING:
    import polars as pl
    from datasets import Dataset, Features

_AGAIN = "the same answer as a better row of its module"
_NEARLY = "nearly the answer of a better row of its module"
_RANK = "__kbtools_rank__"
_WORSE = "worse than the best rows of its module"
_UNSCORED = "without a score"
_EMPTY = "without an answer"


class Select(kb.Stage):
    """Keep the best N rows of each module; of equally good rows the shorter answer, then the first.

    An answer that only differs in comments and formatting from a better one is left out, so that N rows are N answers;
    with `--repeats near` so is one that is nearly the same, as near-dedup finds it:

        kbtools apply filter --where 'reward > 0' select --best 4 --repeats near --dataset rollouts.jsonl
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
    repeats: Literal["drop", "near", "keep"] = "drop"
    """Drop an answer whose code a better row of its module has too (near: or nearly has), or keep all."""
    threshold: Annotated[float, Field(ge=0.3, le=1)] = 0.8
    """Similarity from which two codes are nearly the same, as of near-dedup."""

    def output_features(self, features: Features) -> Features:
        """The same features, once task, answer and score are known to be there."""
        self._places(features)
        return features

    def transform(self, ds: Dataset) -> kb.Result:
        """Rank the rows of each task and keep the first few, in the order in which they came."""
        every = self._rows(ds)
        empty, rest = every.filter(every["code"] == ""), every.filter(every["code"] != "")
        unscored, rows = rest.filter(rest["score"].is_null()), _ranked(rest)
        first = rows if self.repeats == "keep" else rows.unique(["per", "code"], keep="first", maintain_order=True)
        unlike = self._unlike(ds, first) if self.repeats == "near" else first
        kept = unlike.group_by("per", maintain_order=True).head(self.best)
        again, nearly, worse = (
            more.join(fewer, on="row", how="anti") for more, fewer in ((rows, first), (first, unlike), (unlike, kept))
        )
        drops = [(_EMPTY, empty), (_UNSCORED, unscored), (_AGAIN, again), (_NEARLY, nearly), (_WORSE, worse)]
        return kb.Result(
            take(ds, kept["row"].sort().to_numpy(), self.fingerprint(ds, "kept")),
            dropped=tuple(self._drop(ds, some, reason) for reason, some in drops if some.height),
            facts={"modules": kept["per"].n_unique(), "repeated answers": again.height + nearly.height},
        )

    def _unlike(self, ds: Dataset, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows without those whose code is nearly that of a better row of their module."""
        import polars as pl

        per, completion, _ = self._places(ds.features)
        view = take(ds, rows["row"].to_numpy(), self.fingerprint(ds, "ranked"))
        view = view.select_columns(sorted({top_column(ds.features, path) for path in (per, completion)}))
        places = pl.Series(range(0, -rows.height, -1), dtype=pl.Float64)
        features = free(view.features, {_RANK: "float64"}, self.name)
        view = with_columns(view, {_RANK: places.to_arrow()}, features, self.fingerprint(view, "places"))
        found = NearDuplicates.find(view, completion, _RANK, per, ByText(self.threshold, "names"))
        return rows.filter(pl.Series(found.kept))

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
