"""The class `StaticJudge`: the bridge between the columns of a dataset and `assess.score`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import kbtools as kb

from .assess import score
from .difficulty import Label

if TYPE_CHECKING:
    from datasets import Dataset, Features


class StaticVerdict(kb.Verdict):
    """Difficulty and style of one row."""

    difficulty: Label
    """low, medium, high, or unparsable where the reference or the kernel is no Python."""
    difficulty_score: float | None
    """0 (copy) to 10 (FlashAttention); null where unparsable."""
    style: float | None
    """0 (broken) to 10 (optimal and educational); null where the row has no kernel."""


class StaticJudge(kb.Judge):
    """Rate difficulty and style from the syntax tree of the code: no model, no GPU, nothing is run."""

    may_read: ClassVar[tuple[str, ...]] = ("reference_code", "triton_code")
    verdict: ClassVar[type[kb.Verdict]] = StaticVerdict

    judge: str = "static"
    """Which judge: `static`."""

    def output_features(self, features: Features) -> Features:
        """The input's features and the verdict's columns; SchemaError when the dataset holds no code at all."""
        schema = kb.Schema(features, self.columns)
        meanings = (*self.may_read, "completion")
        if not any(schema.has(meaning) for meaning in meanings):
            raise kb.errors.SchemaError(
                f"judge 'static' rates {', '.join(meanings)}, and this dataset has none of them "
                f"(columns: {schema.describe()}). Say where one is with --columns reference_code=COLUMN."
            )
        return super().output_features(features)

    def transform(self, ds: Dataset) -> kb.Result:
        """Rate every row; where a dataset has completions they are the kernels, for all of its rows.

        The Triton code beside a completion is what the dataset gave, not what was generated: a row without a
        completion must not get its style. `--columns triton_code=COLUMN` rates that column all the same.
        """
        schema = kb.Schema(ds.features, self.columns)
        if "triton_code" in self.columns or not schema.has("completion"):
            return super().transform(ds)
        columns = {**self.columns, "triton_code": schema.find("completion")}
        return super(StaticJudge, self.model_copy(update={"columns": columns})).transform(ds)

    def rate(self, material: Mapping[str, str | None]) -> StaticVerdict:
        """The verdict on one row; a row without any code is unparsable, with that as its reason."""
        reference, kernel = material["reference_code"], material["triton_code"]
        found = score(reference, "" if reference is None and kernel is None else kernel)
        return StaticVerdict(
            difficulty=found.difficulty,
            difficulty_score=found.difficulty_score,
            style=found.style,
            evaluation_raw="\n".join(found.reasons),
        )
