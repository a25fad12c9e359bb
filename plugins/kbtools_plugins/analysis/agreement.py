"""The stage `agreement`: how far two or more columns of verdicts (judges, samples, a gold column) agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, JsonValue

import kbtools as kb
from kbtools.data.columns import column_type, type_text
from kbtools.data.table import column, row_name
from kbtools.wording import counted
from kbtools_plugins.analysis import scales
from kbtools_plugins.analysis.agreement_plot import draw
from kbtools_plugins.analysis.agreement_tables import charts, coefficients, differences, tables
from kbtools_plugins.analysis.base import Analysis, Findings
from kbtools_plugins.analysis.coefficients import Level
from kbtools_plugins.analysis.ratings import (
    AgreementFigures,
    DisagreeingRow,
    GroupAgreement,
    Verdicts,
    compare,
    most_different,
)
from kbtools_plugins.analysis.scales import Scale
from kbtools_plugins.extras import require_analysis

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset, Features

_MOST_VALUES = 200
_MOST_GROUPS = 100


class Agreement(Analysis):
    """Compare columns of verdicts: percent agreement, kappa, alpha, confusion, and the rows that differ most."""

    name: ClassVar[str] = "agreement"
    file: ClassVar[str] = "agreement"

    between: Annotated[tuple[str, ...], Field(min_length=2)]
    """Two or more columns of verdicts on one scale."""
    labels: tuple[str, ...] = ()
    """The labels of the scale, lowest first; low,medium,high needs no telling, numbers have their own order."""
    ignore: tuple[str, ...] = ("unparsable",)
    """Labels that are not verdicts: such rows count as missing."""
    level: Level = "ordinal"
    """What the scale is: ordinal (an order), interval (numbers with distances), or nominal (mere names)."""
    by: str | None = None
    """Column whose values make groups that are compared each alone as well."""
    worst: Annotated[int, Field(ge=0)] = 10
    """How many of the rows that differ most are named."""
    resamples: Annotated[int, Field(ge=0)] = 1000
    """Bootstrap samples for the intervals; 0 for no intervals."""
    seed: int = 0
    """Seed of the bootstrap."""

    def output_features(self, features: Features) -> Features:
        """The same features, once the columns are known to hold verdicts of one kind."""
        require_analysis("agreement", "krippendorff", "scipy", "sklearn", plots=self.plots)
        if len(set(self.between)) != len(self.between):
            raise kb.errors.UsageError(f"--between {','.join(self.between)} names a column twice.")
        scales.require(features, [*self.between, *([self.by] if self.by else [])], self.columns)
        kinds = {path: type_text(column_type(features, path)) for path in self.between}
        if len({_family(kind) for kind in kinds.values()}) > 1:
            named = ", ".join(f"{path} ({kind})" for path, kind in kinds.items())
            raise kb.errors.SchemaError(f"verdicts of different kinds cannot be compared: {named}.")
        return features

    @classmethod
    def figures(cls, facts: Mapping[str, JsonValue]) -> kb.figures.Section:
        """The coefficients as a chart, a confusion table for each pair, and the rows that differ most."""
        found = AgreementFigures.model_validate(facts)
        return kb.figures.Section("Agreement", charts=charts(found), tables=(coefficients(found), *differences(found)))

    def analyse(self, ds: Dataset) -> Findings:
        """Put the columns on one scale and compare them, over all rows and in each group."""
        found = self._scales(ds)
        module, modules = scales.modules(ds, self.columns)
        verdicts = _verdicts(found, self.level, modules)
        shown = _labels(found, verdicts)
        worst = most_different(verdicts, self.worst)
        spread = _spreads(verdicts, worst)
        figures = AgreementFigures(
            columns=verdicts.names,
            labels=shown,
            level=self.level,
            resampled=module or "rows",
            resamples=self.resamples,
            seed=self.seed,
            whole=compare(verdicts, None, self.resamples, self.seed),
            groups=tuple(self._groups(ds, verdicts)),
            differences=tuple(
                DisagreeingRow(
                    index=index,
                    row=row_name(ds, index, self.columns),
                    values={scale.name: scale.label(scale.values[index]) for scale in found},
                    spread=apart,
                )
                for index, apart in zip(worst, spread, strict=True)
            ),
        )
        return Findings(
            figures,
            tables(figures),
            lambda folder: draw(figures, folder, self.file),
            (*scales.ignored_note(found), *_notes(figures)),
        )

    def _scales(self, ds: Dataset) -> list[Scale]:
        nominal = self.level == "nominal"
        orders = dict.fromkeys(self.between, self.labels) if self.labels else {}
        if nominal and not orders:
            every = [label for label in _all_labels(ds, self.between) if label not in self.ignore]
            orders = dict.fromkeys(self.between, tuple(every))
        reading = scales.LabelReading(orders, self.ignore, nominal)
        return [scales.scale_of(ds, path, reading, self.columns) for path in self.between]

    def _groups(self, ds: Dataset, verdicts: Verdicts) -> Iterator[GroupAgreement]:
        import numpy as np

        if self.by is None:
            return
        encoded = column(ds, self.by).combine_chunks().dictionary_encode(null_encoding="encode")
        names, members = encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False)
        if len(names) > _MOST_GROUPS:
            raise kb.errors.UsageError(
                f"--by {self.by}: {counted(len(names), 'different value')} make too many groups (at most "
                f"{_MOST_GROUPS})."
            )
        for number in sorted(range(len(names)), key=lambda number: str(names[number])):
            some = verdicts.some(np.flatnonzero(members == number))
            yield compare(some, str(names[number]), self.resamples, self.seed)


def _family(kind: str) -> str:
    return "number" if kind.startswith(("int", "uint", "float")) else kind.removeprefix("large_")


def _all_labels(ds: Dataset, paths: Sequence[str]) -> list[str]:
    """Every label in any of the columns; of numbers and truth values none."""
    found = [value for path in paths for value in column(ds, path).unique().to_pylist() if isinstance(value, str)]
    return sorted(set(found))


def _verdicts(found: Sequence[Scale], level: Level, modules: np.ndarray) -> Verdicts:
    """The columns on one scale: every label, every whole number in the range, or else every value there is."""
    import numpy as np

    values = np.stack([scale.values for scale in found], axis=1) if len(modules) else np.empty((0, len(found)))
    domain = _domain(found[0], values[~np.isnan(values)])
    if len(domain) > _MOST_VALUES:
        raise kb.errors.UsageError(
            f"{', '.join(scale.name for scale in found)} hold more than "
            f"{counted(_MOST_VALUES, 'different value')}: agreement is "
            "for verdicts on a scale. Use the stage correlate for measurements."
        )
    known = ~np.isnan(values)
    positions = np.full(values.shape, -1, dtype=np.int64)
    positions[known] = np.searchsorted(domain, values[known])
    return Verdicts(tuple(scale.name for scale in found), positions, domain, level, modules)


def _domain(scale: Scale, values: np.ndarray) -> np.ndarray:
    import numpy as np

    if scale.kind == "boolean":
        return np.array([0.0, 1.0])
    if scale.labels:
        return np.arange(len(scale.labels), dtype=np.float64)
    whole = len(values) and np.isfinite(values).all() and (values == np.round(values)).all()
    if whole and np.ptp(values) < _MOST_VALUES:
        return np.arange(values.min(), values.max() + 1)
    return np.unique(values)


def _labels(found: Sequence[Scale], verdicts: Verdicts) -> tuple[str, ...]:
    return tuple(str(found[0].label(value)) for value in verdicts.domain)


def _spreads(verdicts: Verdicts, rows: Sequence[int]) -> list[float]:
    import numpy as np

    from kbtools_plugins.analysis.ratings import spreads

    return spreads(verdicts.some(np.array(rows, dtype=np.int64))).tolist() if rows else []


def _notes(figures: AgreementFigures) -> tuple[str, ...]:
    if figures.resampled == "rows" and figures.resamples:
        return ("no column names the modules, so the bootstrap draws single rows (--columns module_name=COLUMN)",)
    return ()
