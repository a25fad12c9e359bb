"""The judge `panel`: several models rate every row by one rubric, each verdict in columns of its own.

Beside them stand the aggregate and how far the models disagree. Models of different families err differently.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import kbtools as kb
from kbtools.data.table import map_batches
from kbtools.judge import VerdictField
from kbtools_plugins.model_judge import ModelJudge, aggregate, field_of_schema

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

_OF_ONE = ("judge", "model", "models", "prefix")


class PanelJudge(ModelJudge):
    """Rate every row by several models: each one's verdict, their aggregate, and how far they disagree."""

    judge: Literal["panel"] = "panel"  # type: ignore[assignment]  # every judge has a name of its own
    """Which judge."""
    models: tuple[str, ...]
    """Model specs of the panel, separated by commas."""

    def config(self) -> dict[str, Any]:
        """As of a single judge, whose model does not count here."""
        return {name: value for name, value in super().config().items() if name != "model"}

    def singles(self) -> list[ModelJudge]:
        """The judges of the panel, each with the model's short name before its columns."""
        shared = {name: getattr(self, name) for name in ModelJudge.model_fields if name not in _OF_ONE}
        return [
            ModelJudge(**shared, model=spec, prefix=f"{self.prefix}{slug}_")
            for spec, slug in zip(self.models, slugs(self.models), strict=True)
        ]

    def output_features(self, features: Features) -> Features:
        """The columns of every model, then for each rating the aggregate and the disagreement."""
        if len(self.models) < 2 or self.model:
            raise kb.errors.UsageError("judge 'panel' takes --models with at least two model specs, and no --model.")
        for single in self.singles():
            features = single.output_features(features)
        return self.with_panel(features)

    def with_panel(self, features: Features) -> Features:
        """The features with the aggregate columns."""
        new = {self.prefix + name: field.feature for name, field in self._panel_fields().items()}
        return type(features)({**features, **new})

    def _panel_fields(self) -> dict[str, VerdictField]:
        import datasets

        fields: dict[str, VerdictField] = {}
        for name, kind in self.scores().items():
            fields[name] = field_of_schema(kind, averaged=True)
            fields[f"{name}_disagreement"] = VerdictField(datasets.Value("float64"))
        return fields

    def transform(self, ds: Dataset) -> kb.Result:
        """Ask each model in turn, then put the verdicts together."""
        judged = kb.Pipeline(stages=tuple(self.singles())).run(ds)
        rows: Dataset = judged.dataset
        features = self.with_panel(rows.features)
        done = map_batches(rows, self._combined, features=features, fingerprint=self.fingerprint(rows, "panel"))
        return replace(judged, dataset=done, facts={"models": list(self.models), "rubric": self.prompt().spec})

    def _combined(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa

        for name, kind in self.scores().items():
            ratings = [table.column(single.prefix + name).to_pylist() for single in self.singles()]
            pairs = [_agreed(row, kind.get("enum")) for row in zip(*ratings, strict=True)]
            rated = field_of_schema(kind, averaged=True).feature.pa_type
            table = table.append_column(self.prefix + name, pa.array([pair[0] for pair in pairs], rated))
            spread = pa.array([pair[1] for pair in pairs], pa.float64())
            table = table.append_column(f"{self.prefix}{name}_disagreement", spread)
        return table


def _agreed(ratings: Sequence[Any], labels: Sequence[str] | None) -> tuple[Any, float | None]:
    """The aggregate of a row, null when a model gave no verdict: a panel of fewer is another panel."""
    return (None, None) if None in ratings else aggregate(ratings, labels)


def slugs(specs: Sequence[str]) -> list[str]:
    """A short name for each model that can stand in a column's name, numbered where two would be equal."""
    short = [re.sub(r"[^a-z0-9]+", "_", re.split(r"[/#:]", spec)[-1].lower()).strip("_") for spec in specs]
    return [slug if short.count(slug) == 1 else f"{slug}_{number}" for number, slug in enumerate(short, start=1)]
