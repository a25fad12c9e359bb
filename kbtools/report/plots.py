"""The report's charts for a paper: the same data as on the page, drawn by matplotlib as PNG and SVG."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data.table import rows_text
from kbtools.figures import Bars, Estimate, Histogram, Intervals, Matrix, drawing
from kbtools.report.charts import Drawing, Funnel
from kbtools.report.svg import caption
from kbtools.report.text import clipped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 4.5
"""Inches: a column of a paper."""


def save(sections: Mapping[str, Sequence[Drawing]], folder: Path) -> list[str]:
    """Draw every chart into a folder, named by its section and title; returns the files."""
    files: list[str] = []
    names: set[str] = set()
    for section, charts in sections.items():
        for chart in charts:
            name = next(name for name in _names(section, chart.title) if name not in names)
            names.add(name)
            files += _save_one(chart, folder, name)
    return files


def _plain(text: str, length: int) -> str:
    """At most so many characters, in which matplotlib finds no formulas."""
    return clipped(text, length).replace("$", r"\$")


def _names(section: str, title: str) -> Iterator[str]:
    """Names that a file may have: titles that differ in nothing but signs get numbers."""
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    name = f"{section}-{words}"[:80]
    yield name
    for number in range(2, 1000):
        yield f"{name}-{number}"


def _save_one(chart: Drawing, folder: Path, name: str) -> list[str]:
    with drawing.figure(_WIDTH, _height(chart)) as page:
        axes = page.subplots()
        draw(axes, chart)
        axes.set_title(_plain(chart.title, 60))
        return drawing.save(page, folder, name)


def _height(chart: Drawing) -> float:
    if isinstance(chart, Histogram):
        return 3.0
    if isinstance(chart, Matrix):
        return 1.3 + 0.4 * len(chart.labels)
    lines = chart.labels if isinstance(chart, Bars) else chart.steps if isinstance(chart, Funnel) else chart.estimates
    return 1.2 + (0.42 if isinstance(chart, Intervals) else 0.26) * len(lines)


def draw(axes: Axes, chart: Drawing) -> None:
    """One chart on its axes, with units and n."""
    if isinstance(chart, Histogram):
        _histogram(axes, chart)
    elif isinstance(chart, Bars):
        _bars(axes, chart)
    elif isinstance(chart, Funnel):
        _funnel(axes, chart)
    elif isinstance(chart, Intervals):
        _intervals(axes, chart)
    else:
        _matrix(axes, chart)


def _histogram(axes: Axes, chart: Histogram) -> None:
    axes.stairs(chart.counts, chart.edges, fill=True, color=drawing.SKY, edgecolor=drawing.BLUE)
    median = chart.quartiles[1]
    axes.axvline(median, color=drawing.VERMILION, linestyle="--", label=f"median {median:,.4g}")
    if chart.log:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set(xlabel=f"{_plain(chart.unit, 50)}\n(n = {chart.n:,}{_without(chart.missing)})", ylabel="rows")
    axes.legend()


def _without(missing: int) -> str:
    return f", {missing:,} without a value" if missing else ""


def _bars(axes: Axes, chart: Bars) -> None:
    places = range(len(chart.labels))
    drawn = axes.barh(places, chart.counts, color=drawing.BLUE)
    axes.bar_label(drawn, [f"{count:,}" for count in chart.counts], padding=3, fontsize=8)
    axes.set_yticks(places, [_plain(label or "(empty)", 28) for label in chart.labels])
    axes.set(xlabel=f"rows ({caption(chart)})")
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")


def _funnel(axes: Axes, chart: Funnel) -> None:
    names = ["source", *(f"{place}. {step.name}" for place, step in enumerate(chart.steps, start=1))]
    rows = [chart.steps[0].rows_in, *(step.rows_out for step in chart.steps)]
    drawn = axes.barh(range(len(names)), rows, color=[drawing.GREY, *[drawing.BLUE] * len(chart.steps)])
    axes.bar_label(drawn, [f"{count:,}" for count in rows], padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), [_plain(name, 28) for name in names])
    axes.set(xlabel="rows")
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")


def _intervals(axes: Axes, chart: Intervals) -> None:
    """Names stand over their lines: beside them long ones would leave no room for the figures."""
    for place, item in enumerate(chart.estimates):
        axes.text(-1, place - 0.28, f"{_plain(item.label, 60)} (n = {item.n:,})", fontsize=8, va="center")
        _estimate(axes, place, item)
    axes.set_yticks([])
    axes.axvline(0, color=drawing.GREY, linewidth=0.8, zorder=0)
    axes.set(xlabel=chart.unit, xlim=(-1.02, 1.02), ylim=(len(chart.estimates) - 0.5, -0.6))


def _estimate(axes: Axes, place: int, item: Estimate) -> None:
    middle = place + 0.12
    if item.value is None:
        axes.text(-1, middle, "undefined", fontsize=7, va="center")
        return
    if item.low is not None and item.high is not None:
        axes.plot([item.low, item.high], [middle, middle], color=drawing.BLUE, linewidth=1.6)
    axes.plot([item.value], [middle], "o", color=drawing.BLUE, markersize=5)


def _matrix(axes: Axes, chart: Matrix) -> None:
    import numpy as np

    counts = np.array(chart.counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (line, place), count in np.ndenumerate(counts):
        colour = "white" if shares[line, place] > 0.55 else "black"
        axes.text(place, line, f"{count:,}", ha="center", va="center", fontsize=8, color=colour)
    labels = [_plain(label, 14) for label in chart.labels]
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel=f"{_plain(chart.across, 40)} (n = {rows_text(chart.n)})", ylabel=_plain(chart.down, 40))
    axes.grid(visible=False)
