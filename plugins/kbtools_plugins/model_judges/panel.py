"""The judge `panel`: several models rate every row by one rubric, each verdict in columns of its own.

Beside them stand the aggregate and how far the models disagree. Models of different families err differently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import JsonValue

import kbtools as kb
from kbtools.data.made_columns import map_columns
from kbtools.data.table import empty
from kbtools.judge import VerdictField
from kbtools.llm.model_stage import NOTHING_SPENT
from kbtools.llm.replay import replay
from kbtools.models.store import ResponseStore
from kbtools_plugins.model_judges.model_judge import ModelJudge, aggregate, field_of_schema

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

    from kbtools.calls import Chain
    from kbtools.models.engine.run import RequestPlan

_OF_ONE = ("judge", "model", "models", "prefix")


class PanelJudge(ModelJudge):
    """Rate every row by several models: each one's verdict, their aggregate, and how far they disagree."""

    judge: Literal["panel"] = "panel"  # type: ignore[assignment]  # every judge has a name of its own
    """Which judge."""
    models: tuple[str, ...]
    """Model specs of the panel, separated by commas."""

    def config(self) -> dict[str, JsonValue]:
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
        self.check_models()
        for single in self.singles():
            features = single.output_features(features)
        return self.with_panel(features)

    def check_models(self) -> None:
        """UsageError for a panel of one."""
        if len(self.models) < 2 or self.model:
            raise kb.errors.UsageError("judge 'panel' takes --models with at least two model specs, and no --model.")

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

    def preflight(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """As of every judge of the panel."""
        self.check_models()
        return tuple(line for single in self.singles() for line in single.preflight(before))

    def transform(self, ds: Dataset) -> kb.Result:
        """Ask every model, on one budget, and only then look at the replies: no model waits for another's failures."""
        if ds.num_rows == 0:
            return kb.Result(empty(self.output_features(ds.features)))
        with ResponseStore(self.store) as store:
            names = self._ask_all(ds, store)
            results = self._replay_all(ds, names, store)
        return self._together(results)

    def _ask_all(self, ds: Dataset, store: ResponseStore) -> list[str]:
        """The name under which each model's replies are stored."""
        names, spent = [], NOTHING_SPENT
        for single in self.singles():
            with closing(single.backend()) as backend:
                names.append(backend.model)
                spent = single.ask(ds, backend, store, spent)
        return names

    def _replay_all(self, ds: Dataset, names: Sequence[str], store: ResponseStore) -> list[kb.Result]:
        """Each model's verdicts beside those of the models before it; RowError for the failed rows of all of them."""
        results: list[kb.Result] = [kb.Result(ds)]
        faults: list[str] = []
        for single, name in zip(self.singles(), names, strict=True):
            try:
                results.append(replay(single, results[-1].dataset, name, store))
            except kb.errors.RowError as error:
                faults.append(f"{single.model}: {error}")
        if faults:
            raise kb.errors.RowError("; ".join(faults))
        return results[1:]

    def _together(self, results: Sequence[kb.Result]) -> kb.Result:
        rows: Dataset = results[-1].dataset
        features = self.with_panel(rows.features)
        rated = [single.prefix + name for single in self.singles() for name in self.scores()]
        key = self.fingerprint(rows, "panel")
        done = map_columns(rows, self._combined, rated, features=features, fingerprint=key)
        named = list(zip(slugs(self.models), results, strict=True))
        facts: dict[str, Any] = {name: dict(result.facts) for name, result in named}
        return kb.Result(
            done,
            dropped=tuple(replace(drop, reason=f"{name}: {drop.reason}") for name, r in named for drop in r.dropped),
            failed=tuple(replace(fault, kind=f"{name}: {fault.kind}") for name, r in named for fault in r.failed),
            notes=tuple(f"{name}: {note}" for name, result in named for note in result.notes),
            facts={"models": list(self.models), "rubric": self.prompt.spec, "judges": facts},
        )

    def plan_calls(self, ds: Dataset, seen: Chain) -> tuple[RequestPlan, ...]:
        """The calls to every model."""
        return tuple(plan for single in self.singles() for plan in single.plan_calls(ds, seen))

    def _combined(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa

        made = {}
        for name, kind in self.scores().items():
            ratings = [table.column(single.prefix + name).to_pylist() for single in self.singles()]
            pairs = [_agreed(row, kind.get("enum")) for row in zip(*ratings, strict=True)]
            rated = field_of_schema(kind, averaged=True).feature.pa_type
            made[self.prefix + name] = pa.array([pair[0] for pair in pairs], rated)
            made[f"{self.prefix}{name}_disagreement"] = pa.array([pair[1] for pair in pairs], pa.float64())
        return pa.table(made)


def _agreed(ratings: Sequence[Any], labels: Sequence[str] | None) -> tuple[object, float | None]:
    """The aggregate of a row, null when a model gave no verdict: a panel of fewer is another panel."""
    return (None, None) if None in ratings else aggregate(ratings, labels)


def slugs(specs: Sequence[str]) -> list[str]:
    """A short name for each model that can stand in a column's name, numbered where two would be equal."""
    short = [re.sub(r"[^a-z0-9]+", "_", re.split(r"[/#:]", spec)[-1].lower()).strip("_") for spec in specs]
    return [slug if short.count(slug) == 1 else f"{slug}_{number}" for number, slug in enumerate(short, start=1)]
