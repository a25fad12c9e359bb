"""Summaries drawn: a histogram for each column of numbers or lengths, bars for columns of few values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbtools import drawing
from kbtools_plugins.analysis.summary import ColumnSummary, StatsFigures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANELS = 12
_FEW = 12
_ACROSS = 3


def draw(figures: StatsFigures, folder: str, name: str) -> list[str]:
    """Write a panel for each column that has a distribution as PNG and SVG; returns the files."""
    drawable = [column for column in figures.columns if column.spread or _is_few(column)]
    shown = drawable[:_PANELS]
    lines = max(-(-len(shown) // _ACROSS), 1)
    with drawing.figure(3.9 * _ACROSS, 2.9 * lines) as page:
        for place, column in enumerate(shown):
            draw_column(page.add_subplot(lines, _ACROSS, place + 1), column)
        if len(shown) < len(drawable):
            page.suptitle(f"the first {len(shown)} of {len(drawable)} columns", fontsize=9)
        return drawing.save(page, folder, name)


def _is_few(column: ColumnSummary) -> bool:
    return column.unique <= _FEW and bool(column.frequent) and all(len(item.value) <= 24 for item in column.frequent)


def draw_column(axes: Axes, column: ColumnSummary) -> None:
    """Bars where the frequent values say it all, else a histogram."""
    known = column.rows - column.nulls
    axes.set_title(f"{column.name} (n = {known:,})")
    if _is_few(column) and (column.spread is None or column.spread.of != "value"):
        items = column.frequent
        axes.barh([item.value for item in items], [item.count for item in items], color=drawing.BLUE)
        axes.invert_yaxis()
        axes.set_xlabel("rows")
    elif column.spread:
        axes.stairs(
            column.spread.histogram.counts,
            column.spread.histogram.edges,
            fill=True,
            color=drawing.SKY,
            edgecolor=drawing.BLUE,
        )
        unit = "value" if column.spread.of == "value" else f"{column.spread.of} per row"
        axes.set(xlabel=unit, ylabel="rows")
        axes.ticklabel_format(axis="x", style="plain", useOffset=False)
        axes.tick_params(axis="x", labelrotation=20)
