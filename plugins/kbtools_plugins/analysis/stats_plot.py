"""Summaries drawn: a histogram for each column of numbers or lengths, bars for columns of few values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbtools.figures import drawing
from kbtools.wording import counted
from kbtools_plugins.analysis.scales import KNOWN_ORDERS
from kbtools_plugins.analysis.summary import ColumnSummary, Frequent, StatsFigures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANELS = 12
_FEW = 12
_ACROSS = 3


def draw(figures: StatsFigures, folder: str, name: str) -> list[str]:
    """Write a panel for each column that has a distribution as PNG and SVG; returns the files."""
    drawable = [column for column in figures.columns if _varies(column)]
    shown = drawable[:_PANELS]
    lines = max(-(-len(shown) // _ACROSS), 1)
    with drawing.figure(2.5 * _ACROSS, 2.2 * lines) as page:
        for place, column in enumerate(shown):
            draw_column(page.add_subplot(lines, _ACROSS, place + 1), column)
        if len(shown) < len(drawable):
            page.suptitle(f"the first {len(shown)} of {counted(len(drawable), 'column')}", fontsize=9)
        return drawing.save(page, folder, name)


def _varies(column: ColumnSummary) -> bool:
    """A column of one value, or of lists of one length, needs no picture."""
    return column.unique > 1 and (_is_few(column) or bool(column.spread and column.spread.min != column.spread.max))


def _is_few(column: ColumnSummary) -> bool:
    """Whether the frequent values are all that there are."""
    return column.unique == len(column.frequent) <= _FEW and all(len(item.value) <= 24 for item in column.frequent)


def _in_order(column: ColumnSummary) -> list[Frequent]:
    """Numbers by size, labels of a known scale from the lowest, others from the most frequent."""
    items = list(column.frequent)
    if column.spread and column.spread.of == "value":
        return sorted(items, key=lambda item: float(item.value))
    for order in KNOWN_ORDERS:
        if {item.value for item in items} <= set(order):
            return sorted(items, key=lambda item: order.index(item.value))
    return items


def draw_column(axes: Axes, column: ColumnSummary) -> None:
    """Bars where the frequent values say it all, else a histogram."""
    known = column.rows - column.nulls
    axes.set_title(f"{column.name}\n(n = {known:,})", fontsize=9)
    if _is_few(column):
        items = _in_order(column)
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
