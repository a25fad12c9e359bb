"""The stage `near-dedup`: of rows whose code is nearly the same the best one, every removal within the threshold.

Best first: a row is left out only if a row that is kept, and that has at least its score, is that similar. So nothing
is lost to chains of similar rows; chains (`near_cluster`) are for splitting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, JsonValue, model_validator

import kbtools as kb
from kbtools.data.new_columns import free, with_columns
from kbtools.data.table import row_name, rows_text, take
from kbtools.wording import counted
from kbtools_plugins.leaks.comparison import ByText, TextComparison
from kbtools_plugins.leaks.computation.requirements import require_verify
from kbtools_plugins.leaks.near_duplicates import NearDuplicates
from kbtools_plugins.leaks.tokens import Normalise

if TYPE_CHECKING:
    from datasets import Dataset, Features

NO_SCORE = "none"
COMPUTATION = "computation"
_WAYS = (
    ("equal code", ""),
    ("similar text", "text"),
    ("the same operators in order", "trace"),
    ("computation alone", COMPUTATION),
)
"""What finds a row that computes the same, the cheapest way first."""
_REASON = "nearly the code of a row that is kept"
_COLUMNS = {"near_cluster": "string", "near_kept": "bool", "near_similarity": "float64"}
_PAIRS = 8
_BARS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.3)


class _DuplicateFigures(BaseModel):
    """What facts hold of near-duplicates."""

    codes: int
    near_duplicates: int
    found_by: dict[str, int] = {}
    left: int = 0
    """Near-duplicates that were marked and not dropped."""


class NearDedup(kb.Stage):
    """Of rows whose code is nearly the same keep the best."""

    name: ClassVar[str] = "near-dedup"
    suffix: ClassVar[str] = "near-unique"
    scope: ClassVar[kb.stage.Scope] = "dataset"

    threshold: Annotated[float, Field(ge=0.3, le=1)] = 0.8
    """Jaccard similarity of the sets of five tokens in a row from which two codes are nearly the same."""
    on: Literal["reference_code", "completion", "triton_code", "computation"] = "reference_code"
    """Which code is compared; of a completion that in its last answer. `computation` runs the reference codes instead,
    in verify's sandbox: rows are the same if their outputs agree on the same inputs (some tenths of a second for each
    different code, extra `verify`)."""
    by: str = "reward"
    """Role or column of numbers of which the highest is best; `none` where no row is better than another."""
    normalise: Normalise = "names"
    """What does not count: formatting, comments, imports, annotations, and names (names); the same but names (ast);
    white space only (raw). Code that does not parse is always compared by its words and signs."""
    action: Literal["drop", "mark"] = "drop"
    """Drop the rows, or keep all and add near_cluster (rows connected by similar pairs, for split --group-by),
    near_kept and near_similarity (of a row that is not kept, with the nearest better one that is; always of texts)."""
    within: str = ""
    """Role or column: only rows with equal values in it are compared."""
    workers: Annotated[int, Field(ge=1)] = 2
    """Codes that are run at a time where the computation is compared."""

    @model_validator(mode="after")
    def _compares_what_it_normalises(self) -> NearDedup:
        if self._runs and self.normalise != "names":
            raise ValueError("normalise is of texts, so it has no meaning on computation: leave it out")
        return self

    @property
    def _runs(self) -> bool:
        return self.on == COMPUTATION

    def preflight(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """Code is run only where there is a sandbox for it."""
        if self._runs:
            require_verify("running reference code")
        return ()

    def output_features(self, features: Features) -> Features:
        """The same features, with three more where rows are marked; SchemaError where what is compared is missing."""
        self._places(features)
        return features if self.action == "drop" else free(features, _COLUMNS, self.name)

    @classmethod
    def figures(cls, facts: Mapping[str, JsonValue]) -> kb.figures.Section:
        """How many rows there were too many, and how they were found where they were run."""
        found = _DuplicateFigures.model_validate(facts)
        tables = (_by_way(found.found_by),) if found.found_by else ()
        codes = counted(found.codes, "different code")
        text = f"{rows_text(found.near_duplicates)} nearly the same as a better one, {codes}."
        wrong = (f"{rows_text(found.left)} nearly the same as a better one",) if found.left else ()
        return kb.figures.Section("Near-duplicates", (text,), tables=tables, problems=wrong)

    def transform(self, ds: Dataset) -> kb.Result:
        """Rank the rows, compare the different codes best first, and drop or mark the rest."""
        import numpy as np

        code, score, within = self._places(ds.features)
        found = NearDuplicates.find(ds, code, score, within, self._comparison())
        facts, notes, table = self._facts(found), tuple(self._notes(found)), self._table(found)
        if self.action == "mark":
            return kb.Result(self._marked(found), notes=notes, facts=facts, tables=(table,))
        kept, lost = np.flatnonzero(found.kept), np.flatnonzero(~found.kept)
        dropped = (kb.Drop(take(ds, lost, self.fingerprint(ds, _REASON)), _REASON),) if len(lost) else ()
        rows = take(ds, kept, self.fingerprint(ds, "kept"))
        return kb.Result(rows, dropped=dropped, notes=notes, facts=facts, tables=(table,))

    def _comparison(self) -> TextComparison:
        if not self._runs:
            return ByText(self.threshold, self.normalise)
        from kbtools_plugins.leaks.computation.classes import ByComputation  # it takes what verify takes

        return ByComputation(self.threshold, self.workers)

    def _places(self, features: Features) -> tuple[str, str | None, str | None]:
        """Paths of the code, the score and the value within which rows are compared."""
        schema = kb.Schema(features, self.columns)
        code = schema.readable("reference_code" if self._runs else self.on)
        score = None if self.by == NO_SCORE else schema.require(schema.locate(self.by), "number")
        within = schema.require(schema.locate(self.within), "scalar") if self.within else None
        return code, score, within

    def _marked(self, found: NearDuplicates) -> Dataset:
        import pyarrow as pa

        _, similarity = found.nearest()
        columns = {
            "near_cluster": pa.array(found.clusters(), pa.string()),
            "near_kept": pa.array(found.kept),
            "near_similarity": pa.array(similarity, pa.float64(), mask=found.kept),
        }
        ds = found.ds
        return with_columns(ds, columns, self.output_features(ds.features), self.fingerprint(ds, "marked"))

    def _facts(self, found: NearDuplicates) -> dict[str, JsonValue]:
        return {
            "threshold": self.threshold,
            "codes": len(found.matches.matched),
            "kept": int(found.kept.sum()),
            "near_duplicates": int((~found.kept).sum()),
            **({"left": int((~found.kept).sum())} if self.action == "mark" else {}),
            "unparsed": len(found.unparsed),
            **self._found_by(found),
            "code_pairs": [pair.model_dump(mode="json") for pair in found.pairs(_PAIRS, self.columns)],
        }

    def _found_by(self, found: NearDuplicates) -> dict[str, JsonValue]:
        """What running the codes adds to what cheaper ways find."""
        if not self._runs:
            return {}
        ways = found.ways()
        return {"found_by": {way: ways[key] for way, key in _WAYS}, "not_run": len(found.silent)}

    def _table(self, found: NearDuplicates) -> kb.Table:
        """How the rows that are left out were found, or how similar they are to the kept ones."""
        if not self._runs:
            return _similarities(found, self.threshold)
        ways = found.ways()
        return _by_way({way: ways[key] for way, key in _WAYS})

    def _notes(self, found: NearDuplicates) -> Iterator[str]:
        if found.unparsed:
            named = ", ".join(row_name(found.ds, row, self.columns) for row in found.unparsed[:3])
            yield f"codes that do not parse and are compared by their words and signs: {len(found.unparsed)} ({named})."
        if found.silent:
            named = ", ".join(row_name(found.ds, row, self.columns) for row in found.silent[:3])
            yield (
                "codes that could not be run, or gave results that hang on chance, of which only equal code is a "
                f"duplicate: {len(found.silent)} ({named})."
            )
        if without := found.ds.num_rows - found.rows.height:
            yield f"rows without code (null), which are kept: {without}."
        if unrated := found.rows["score"].null_count():
            yield f"rows without score (null or NaN), which count as the worst: {unrated}."


def _by_way(ways: Mapping[str, int]) -> kb.Table:
    rows = tuple((way, f"{count:,}") for way, count in ways.items())
    return kb.Table("rows that compute the same as a kept one", ("the cheapest way to find it", "rows"), rows)


def _similarities(found: NearDuplicates, threshold: float) -> kb.Table:
    _, similarity = found.nearest()
    lost = similarity[~found.kept]
    bars = [bar for bar in _BARS if bar > threshold] + [threshold]
    rows = tuple((f"{bar:g} or more", f"{int((lost >= bar).sum()):,}") for bar in bars)
    return kb.Table("near-duplicates by similarity with the kept row", ("Jaccard", "rows"), rows)
