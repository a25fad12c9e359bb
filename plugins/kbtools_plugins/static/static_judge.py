"""The class `StaticJudge`: the bridge between the columns of a dataset and `assess.score`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import kbtools as kb

from .assess import score
from .difficulty import Label

if TYPE_CHECKING:
    from datasets import Features


class StaticVerdict(kb.Verdict):
    """Difficulty and style of one row."""

    difficulty: Label
    """low, medium, high, or unparsable where the reference or the kernel is not Python."""
    difficulty_score: float | None
    """0 (copy) to 10 (FlashAttention); null where unparsable."""
    style: float | None
    """0 (broken) to 10 (optimal and educational); null where the row has no kernel."""


class StaticJudge(kb.Judge):
    """Rate difficulty and style from the syntax tree of the code: no model, no GPU, nothing is run."""

    scope: ClassVar[kb.stage.Scope] = "row"
    may_read: ClassVar[tuple[str, ...]] = ("reference_code", "completion", "triton_code")
    verdict: ClassVar[type[kb.Verdict]] = StaticVerdict

    judge: Literal["static"] = "static"
    """Which judge."""

    def output_features(self, features: Features) -> Features:
        """The input's features and the verdict's columns; SchemaError when the dataset holds no code at all."""
        schema = kb.Schema(features, self.columns)
        if not any(schema.has(role) for role in self.may_read):
            raise kb.errors.SchemaError(
                f"judge 'static' rates {', '.join(self.may_read)}, and this dataset has none of them "
                f"(columns: {schema.describe()}). Say where one is with --columns reference_code=COLUMN."
            )
        return super().output_features(features)

    def rate(self, material: Mapping[str, str | None]) -> StaticVerdict:
        """The verdict on one row; a row without any code is unparsable, with that as its reason.

        Where a dataset has completions they are the kernels, for all of its rows: the Triton code beside them is what
        the dataset gave, and a row whose completion is null must not get its style.
        """
        reference = material.get("reference_code")
        kernel = material["completion"] if "completion" in material else material.get("triton_code")
        found = score(reference, "" if reference is None and kernel is None else kernel)
        return StaticVerdict(
            difficulty=found.difficulty,
            difficulty_score=found.difficulty_score,
            style=found.style,
            evaluation_raw="\n".join(found.reasons),
        )
