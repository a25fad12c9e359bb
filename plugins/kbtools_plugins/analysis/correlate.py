"""The stage `correlate`: how strongly difficulty, style and reward (or any other columns) go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, JsonValue

import kbtools as kb
from kbtools.data.columns import column_type, type_text
from kbtools.data.table import rows_text
from kbtools.wording import counted
from kbtools_plugins.analysis import scales
from kbtools_plugins.analysis.base import Analysis, Findings
from kbtools_plugins.analysis.correlation import (
    METHODS,
    Coefficient,
    ColumnPair,
    CorrelationFigures,
    correlate,
)
from kbtools_plugins.analysis.correlation_plot import draw
from kbtools_plugins.extras import require_analysis

if TYPE_CHECKING:
    from datasets import Dataset, Features

_USUAL = ("difficulty", "difficulty_score", "style", "style_score", "reward")
"""Columns that are correlated when none are named, as the rubrics and the datasets call them."""
_AKIN = ("difficulty", "style", "reward", "speedup", "score")


class Correlate(Analysis):
    """Correlate columns: Spearman, Pearson and Kendall with intervals, p and q, drawn as heatmap and distributions."""

    name: ClassVar[str] = "correlate"
    file: ClassVar[str] = "correlation_analysis"

    between: tuple[str, ...] = ()
    """Columns of numbers, labels or truth values; when not given difficulty, style (each as labels or as a score) and
    reward, as far as they are there."""
    labels: dict[str, str] = {}
    """Order of a column's labels, lowest first, as COLUMN=LABEL,LABEL,...; low,medium,high needs no telling."""
    ignore: tuple[str, ...] = ("unparsable",)
    """Labels that are not verdicts: such rows count as missing."""
    resamples: Annotated[int, Field(ge=0)] = 1000
    """Bootstrap samples for the intervals of the rank correlations; 0 for no intervals."""
    seed: int = 0
    """Seed of the bootstrap."""
    plots: str | None = "plots"
    """Folder for correlation_analysis.png, .svg and .json; nothing is written when it is empty."""

    def output_features(self, features: Features) -> Features:
        """The same features, once there are two columns to correlate."""
        require_analysis("correlations", "scipy", plots=self.plots)
        names = self._columns(features)
        scales.require(features, names, self.columns)
        if len(set(names)) < 2:
            schema = kb.Schema(features, self.columns)
            raise kb.errors.SchemaError(
                f"correlations need two different columns, and {' and '.join(names) or 'none'} is what was given or "
                f"found: say which with --between COLUMN,COLUMN. Columns: {schema.describe()}."
            )
        return features

    @classmethod
    def figures(cls, facts: Mapping[str, JsonValue]) -> kb.figures.Section:
        """Spearman's rho of every pair as a chart, and all coefficients."""
        found = CorrelationFigures.model_validate(facts)
        return kb.figures.Section("Correlations", charts=(chart(found),), tables=tables(found))

    def analyse(self, ds: Dataset) -> Findings:
        """Read the columns, correlate every pair."""
        orders = {path: [label.strip() for label in labels.split(",")] for path, labels in self.labels.items()}
        reading = scales.LabelReading(orders, self.ignore)
        found = [scales.scale_of(ds, path, reading, self.columns) for path in dict.fromkeys(self._columns(ds.features))]
        module, groups = scales.modules(ds, self.columns)
        figures = correlate(found, groups, resampled=module or "rows", resamples=self.resamples, seed=self.seed)
        return Findings(
            figures,
            tables(figures),
            lambda folder: draw(figures, found, folder, self.file),
            (*self._left_out(ds.features), *scales.ignored_note(found), *notes(figures)),
        )

    def _columns(self, features: Features) -> list[str]:
        schema = kb.Schema(features, self.columns)
        if self.between:
            return [schema.find(word) if word in self.columns else schema.path(word) for word in self.between]
        usual = [self.columns.get(word, word) for word in _USUAL]
        return [path for path in usual if scales.is_measurable(column_type(features, path))]

    def _left_out(self, features: Features) -> tuple[str, ...]:
        """Columns that one might look for here, and why they are not correlated."""
        if self.between:
            return ()
        taken = self._columns(features)
        usual = {self.columns.get(word, word) for word in _USUAL}
        akin = [name for name in features if name not in taken and any(word in name for word in _AKIN)]
        wrong = [f"{name} ({type_text(features[name])})" for name in akin if name in usual]
        others = [name for name in akin if name not in usual and scales.is_measurable(features[name])]
        reasons = [f"neither numbers nor labels: {', '.join(wrong)}"] if wrong else []
        reasons += [f"not asked for, --between names them: {', '.join(others)}"] if others else []
        return tuple(f"not correlated, since {reason}" for reason in reasons)


def notes(figures: CorrelationFigures) -> tuple[str, ...]:
    """What limits the figures."""
    found = []
    if figures.resampled == "rows" and figures.resamples:
        found.append("no column names the modules, so the bootstrap draws single rows (--columns module_name=COLUMN)")
    repeated = [pair for pair in figures.pairs if pair.modules < pair.n]
    if repeated:
        found.append(
            f"{rows_text(repeated[0].n)} come from {counted(repeated[0].modules, 'module')}: the intervals and "
            "p-values of "
            "Pearson take rows as independent, those of Spearman and Kendall do not"
        )
    ranked = [coefficient for pair in figures.pairs for coefficient in (pair.spearman, pair.kendall)]
    samples = [coefficient.resamples for coefficient in ranked if coefficient.resamples]
    if samples and min(samples) < figures.resamples:
        found.append(
            f"samples of so many rows take long: the intervals of some rank correlations come from {min(samples):,} of "
            f"them instead of {figures.resamples:,}"
        )
    return tuple(found)


def chart(figures: CorrelationFigures) -> kb.figures.Intervals:
    """Spearman's rho of every pair."""
    estimates = tuple(
        kb.figures.Estimate(
            f"{pair.x}, {pair.y}", pair.n, found.value, found.low, found.high, undefined=found.undefined
        )
        for pair in figures.pairs
        for found in [pair.spearman]
    )
    return kb.figures.Intervals("Rank correlations", "Spearman's rho with 95% interval", estimates)


def tables(figures: CorrelationFigures) -> tuple[kb.Table, ...]:
    """A line for each pair and method."""
    title = (
        f"correlations of {rows_text(figures.rows)} (95% intervals; rank correlations: {figures.resamples:,} bootstrap "
    )
    title += f"samples of {figures.resampled}; q: Benjamini-Hochberg over {counted(len(figures.pairs), 'pair')})"
    header = ("columns", "n", "method", "r", "from", "to", "p", "q")
    return (kb.Table(title, header, tuple(row for pair in figures.pairs for row in _lines(pair))),)


def _lines(pair: ColumnPair) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = []
    reasons = {pair.coefficient(method).undefined for method in METHODS}
    if None not in reasons and len(reasons) == 1:
        return [(f"{pair.x}, {pair.y}", f"{pair.n:,}", f"undefined: {reasons.pop()}", "", "", "", "", "")]
    for method in METHODS:
        found = pair.coefficient(method)
        first = (f"{pair.x}, {pair.y}", f"{pair.n:,}") if method == METHODS[0] else ("", "")
        lines.append((*first, method, *_cells(found)))
    return lines


def _cells(found: Coefficient) -> tuple[str, ...]:
    if found.value is None:
        return ("undefined", "", "", "", "")
    shown = ["-" if value is None else f"{value:+.3f}" for value in (found.value, found.low, found.high)]
    chances = ["-" if value is None else f"{value:.2g}" for value in (found.p_value, found.q_value)]
    return (*shown, *chances)
