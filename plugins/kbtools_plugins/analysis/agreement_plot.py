"""Agreement drawn: the coefficients with their intervals, and a confusion table for each pair of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbtools.data.table import rows_text
from kbtools.figures import drawing
from kbtools.wording import counted
from kbtools_plugins.analysis.ratings import AgreementEstimate, AgreementFigures, PairAgreement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TABLES = 5
"""Confusion tables that are drawn."""


def draw(figures: AgreementFigures, folder: str, name: str) -> list[str]:
    """Write coefficients and confusion tables as PNG and SVG; returns the files."""
    pairs = figures.whole.pairs[:_TABLES]
    columns = 2 if len(pairs) < 4 else 3
    lines = -(-(1 + len(pairs)) // columns)
    estimates = sum(len(group.pairs) + 1 for group in (figures.whole, *figures.groups))
    with drawing.figure(3.6 * columns, max(3.2 * lines, 0.4 * estimates)) as page:
        grid = page.add_gridspec(lines, columns)
        draw_coefficients(page.add_subplot(grid[0, 0]), figures)
        for place, pair in enumerate(pairs, start=1):
            draw_confusion(page.add_subplot(grid[place // columns, place % columns]), pair, figures.labels)
        if len(pairs) < len(figures.whole.pairs):
            page.suptitle(
                f"confusion of the first {len(pairs)} of {counted(len(figures.whole.pairs), 'pair')}", fontsize=9
            )
        return drawing.save(page, folder, name)


def draw_coefficients(axes: Axes, figures: AgreementFigures) -> None:
    """Kappa of each pair and alpha of all columns, for all rows and each group, with 95% intervals."""
    labels: list[str] = []
    for group in (figures.whole, *figures.groups):
        where = "" if group.group is None else f"{group.group}: "
        for pair in group.pairs:
            _draw_estimate(axes, len(labels), pair.kappa, drawing.BLUE, "o")
            labels.append(f"{where}{pair.x}, {pair.y} (kappa, n = {pair.n:,})")
        _draw_estimate(axes, len(labels), group.alpha, drawing.VERMILION, "s")
        labels.append(f"{where}all columns (alpha, n = {group.rated:,})")
    left = min(-0.02, axes.get_xlim()[0])
    for place, label in enumerate(labels):  # over its line: beside it a long name leaves no room for the figures
        axes.text(left, place - 0.3, label, fontsize=7, va="center")
    axes.set_yticks([])
    axes.axvline(0, color=drawing.GREY, linewidth=0.8, zorder=0)
    axes.set(xlabel="coefficient, with 95% interval", title="kappa (●) and alpha (■)")
    axes.set(xlim=(left, 1.02), ylim=(len(labels) - 0.5, -0.7))


def _draw_estimate(axes: Axes, place: int, found: AgreementEstimate, colour: str, mark: str) -> None:
    if found.value is None:
        axes.text(0.02, place, "undefined", fontsize=7, va="center")
        return
    if found.low is not None and found.high is not None:
        axes.plot([found.low, found.high], [place, place], color=colour, linewidth=1.6)
    axes.plot([found.value], [place], mark, color=colour, markersize=5)


def draw_confusion(axes: Axes, pair: PairAgreement, labels: tuple[str, ...]) -> None:
    """Rows by the labels of both columns, shaded by their share of the row's label."""
    import numpy as np

    counts = np.array(pair.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if len(labels) <= 12:
        for (line, place), count in np.ndenumerate(counts):
            colour = "white" if shares[line, place] > 0.55 else "black"
            axes.text(place, line, f"{count:,}", ha="center", va="center", fontsize=8, color=colour)
        axes.set_xticks(range(len(labels)), labels)
        axes.set_yticks(range(len(labels)), labels)
    axes.grid(visible=False)
    axes.set(xlabel=f"{pair.y} (numbers: rows)", ylabel=pair.x, title=f"n = {rows_text(pair.n)}")
