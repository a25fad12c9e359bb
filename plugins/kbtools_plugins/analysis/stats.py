"""The stage `stats`: a summary of every column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, JsonValue

import kbtools as kb
from kbtools.data.table import rows_text
from kbtools_plugins.analysis.base import Analysis, Findings
from kbtools_plugins.analysis.stats_plot import draw
from kbtools_plugins.analysis.summary import ColumnSummary, StatsFigures, leaves, summarise
from kbtools_plugins.extras import require_analysis

if TYPE_CHECKING:
    from datasets import Dataset, Features


_SHOWN = 24
"""Characters of a frequent value in the table."""


class Stats(Analysis):
    """Summarise columns: type, nulls, distinct values, distribution, frequent values, lengths."""

    name: ClassVar[str] = "stats"
    file: ClassVar[str] = "stats"

    only: tuple[str, ...] = ()
    """Columns to summarise; all, with nested fields one by one, when not given."""
    top: Annotated[int, Field(ge=0)] = 5
    """How many of the most frequent values are named."""

    def output_features(self, features: Features) -> Features:
        """The same features, once the columns are known to exist."""
        require_analysis("drawing plots", plots=self.plots)
        schema = kb.Schema(features, self.columns)
        for path in self.only:
            schema.path(path)
        return features

    @classmethod
    def figures(cls, facts: Mapping[str, JsonValue]) -> kb.figures.Section:
        """The summary of every column."""
        return kb.figures.Section("Columns", tables=(table(StatsFigures.model_validate(facts)),))

    def analyse(self, ds: Dataset) -> Findings:
        """Summarise each column."""
        figures = summarise(ds, list(dict.fromkeys(self.only)) or leaves(ds.features), self.top)
        return Findings(figures, (table(figures),), lambda folder: draw(figures, folder, self.file))


def table(figures: StatsFigures) -> kb.Table:
    """A line for each column."""
    header = ("column", "type", "nulls", "unique", "of", "min", "median", "mean", "max", "most frequent")
    return kb.Table(rows_text(figures.rows), header, tuple(_line(column) for column in figures.columns))


def _line(column: ColumnSummary) -> tuple[str, ...]:
    spread = column.spread
    numbers = ["", "", "", "", ""]
    if spread:
        shown = (spread.min, spread.percentiles["50"], spread.mean, spread.max)
        numbers = [spread.of, *(_number(value) for value in shown)]
    odd = [f"{column.nulls:,}"]
    odd += [f"{column.nan:,} NaN"] if column.nan else []
    odd += [f"{column.infinite:,} inf"] if column.infinite else []
    named = zip(_short([item.value for item in column.frequent]), column.frequent, strict=True)
    frequent = ", ".join(f"{name} ({item.count:,})" for name, item in named)
    return (column.name, column.type, " + ".join(odd), f"{column.unique:,}", *numbers, frequent)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if 1_000 <= abs(value) < 1e15 else f"{value:.4g}"


def _short(texts: list[str]) -> list[str]:
    """The beginnings of texts; of those that begin alike, as code does with its imports, what sets them apart."""
    lines = [" ".join(text.split()) for text in texts]
    places = enumerate(zip(*lines, strict=False)) if len(lines) > 1 else ()
    alike = next((place for place, found in places if len(set(found)) > 1), 0)
    if alike >= _SHOWN:
        lines = [f"…{line[alike:]}" for line in lines]
    return [line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…" for line in lines]
