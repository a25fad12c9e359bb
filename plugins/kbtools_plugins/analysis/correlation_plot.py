"""Correlations drawn: a heatmap of Spearman's coefficients, and how each pair of columns is distributed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from kbtools.figures import drawing
from kbtools.wording import counted
from kbtools_plugins.analysis.correlation import ColumnPair, CorrelationFigures
from kbtools_plugins.analysis.scales import Scale

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

_PANELS = 6
"""Pairs that are drawn; of more, the strongest."""
_LEVELS = 12
"""Columns with at most so many different values are drawn level by level."""
_SCATTERED = 3000
"""Points that a scatter plot can hold before it turns into a density."""


def draw(figures: CorrelationFigures, scales: Sequence[Scale], folder: str, name: str) -> list[str]:
    """Write a panel for each pair as PNG and SVG, and a heatmap where it has more than one cell; returns the files."""
    strongest = sorted(figures.pairs, key=lambda pair: -abs(pair.spearman.value or 0))
    shown = [pair for pair in figures.pairs if pair in strongest[:_PANELS] and pair.n]
    heatmaps = int(len(figures.pairs) > 1)
    panels = max(1, heatmaps + len(shown))
    columns = 1 if panels == 1 else 2 if panels < 5 else 3
    lines = -(-panels // columns)
    by_name = {scale.name: scale for scale in scales}
    with drawing.figure(3.6 * columns, 3.2 * lines) as page:
        grid = page.add_gridspec(lines, columns)
        if heatmaps or not shown:
            draw_heatmap(page.add_subplot(grid[0, 0]), figures)
        for place, pair in enumerate(shown, start=heatmaps):
            axes = page.add_subplot(grid[place // columns, place % columns])
            draw_pair(axes, pair, by_name[pair.x], by_name[pair.y])
        if len(shown) < len(figures.pairs):
            page.suptitle(f"the {len(shown)} strongest of {counted(len(figures.pairs), 'pair')}", fontsize=9)
        return drawing.save(page, folder, name)


def draw_heatmap(axes: Axes, figures: CorrelationFigures) -> None:
    """Spearman's coefficients below the diagonal, each with its interval and n."""
    import numpy as np

    names = [column.name for column in figures.columns]
    values = np.full((len(names), len(names)), np.nan)
    for pair in figures.pairs:
        values[names.index(pair.y), names.index(pair.x)] = (
            np.nan if pair.spearman.value is None else pair.spearman.value
        )
    shown = values[1:, :-1]
    image = axes.imshow(shown, cmap="PuOr_r", vmin=-1, vmax=1)
    for pair in figures.pairs:
        axes.text(
            names.index(pair.x),
            names.index(pair.y) - 1,
            _cell(pair, small=len(names) > 5),
            ha="center",
            va="center",
            fontsize=7 if len(names) <= 5 else 6,
            color="white" if abs(pair.spearman.value or 0) > 0.6 else "black",
        )
    axes.set_xticks(range(len(names) - 1), names[:-1], rotation=30, ha="right")
    axes.set_yticks(range(len(names) - 1), names[1:])
    axes.grid(visible=False)
    axes.set_title("Spearman's rho with 95% interval" if figures.resamples else "Spearman's rho")
    axes.figure.colorbar(image, ax=axes, shrink=0.7, label="rho")


def _cell(pair: ColumnPair, *, small: bool) -> str:
    found = pair.spearman
    if found.value is None:
        return "undef."
    interval = "" if found.low is None or small else f"\n[{found.low:+.2f}, {found.high:+.2f}]\nn = {pair.n:,}"
    return f"{found.value:+.2f}{interval}".replace("-0.00", "0.00").replace("+0.00", "0.00")


def draw_pair(axes: Axes, pair: ColumnPair, x: Scale, y: Scale) -> None:
    """A scatter or density of numbers, violins of numbers by level, or a table of levels by levels."""
    import numpy as np

    if _levels(y) and not _levels(x):
        x, y = y, x
    both = ~np.isnan(x.values) & ~np.isnan(y.values) & np.isfinite(x.values) & np.isfinite(y.values)
    a, b = x.values[both], y.values[both]
    if _levels(x) and _levels(y):
        legend = _draw_counts(axes, a, b, x, y)
    elif _levels(x):
        legend = _draw_violins(axes, a, b, x)
    else:
        legend = _draw_points(axes, a, b)
    value = "undefined" if pair.spearman.value is None else f"{pair.spearman.value:+.2f}".replace("-0.00", "0.00")
    axes.set(xlabel=x.name + legend, ylabel=y.name, title=f"{x.name} and {y.name}\nrho = {value}, n = {pair.n:,}")


def _levels(scale: Scale) -> bool:
    import numpy as np

    values = np.unique(scale.values[~np.isnan(scale.values)])
    return bool(len(values) <= _LEVELS and (values == np.round(values)).all())


def _draw_violins(axes: Axes, a: np.ndarray, b: np.ndarray, x: Scale) -> str:
    """Only levels with different values have a shape; every level shows its median and its n."""
    import numpy as np

    levels = np.unique(a)
    groups = [b[a == level] for level in levels]
    shaped = [place for place, group in enumerate(groups) if len(np.unique(group)) > 1]
    if shaped:
        parts = axes.violinplot([groups[place] for place in shaped], positions=shaped, widths=0.8, showextrema=False)
        for body in cast("Iterable[Any]", parts["bodies"]):
            body.set(facecolor=drawing.SKY, edgecolor=drawing.BLUE, alpha=0.9)
    axes.plot(range(len(levels)), [np.median(group) for group in groups], "o", color=drawing.VERMILION)
    labels = [f"{x.label(level)}\n{len(group):,}" for level, group in zip(levels, groups, strict=True)]
    axes.set_xticks(range(len(levels)), labels, fontsize=8 if len(levels) <= 5 else 7)
    return " (below: rows; dot: median)"


def _draw_counts(axes: Axes, a: np.ndarray, b: np.ndarray, x: Scale, y: Scale) -> str:
    """Rows in each cell, coloured by their share of the level of x."""
    import numpy as np

    across, up = np.unique(a), np.unique(b)
    counts = np.array([[((a == i) & (b == j)).sum() for i in across] for j in up])
    shares = counts / counts.sum(axis=0, keepdims=True)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, origin="lower", aspect="auto")
    for (line, place), count in np.ndenumerate(counts):
        dark = shares[line, place] > 0.55
        axes.text(
            place,
            line,
            f"{count:,}",
            ha="center",
            va="center",
            fontsize=8 if len(across) <= 5 else 6,
            color="white" if dark else "black",
        )
    axes.set_xticks(range(len(across)), [str(x.label(value)) for value in across])
    axes.set_yticks(range(len(up)), [str(y.label(value)) for value in up])
    axes.grid(visible=False)
    return " (numbers: rows; shade: share of the level)"


def _draw_points(axes: Axes, a: np.ndarray, b: np.ndarray) -> str:
    """Single rows, or how many there are in each place when they are many."""
    if len(a) <= _SCATTERED:
        axes.scatter(a, b, s=9, color=drawing.BLUE, alpha=0.35, linewidths=0)
        return " (dot: a row)"
    image = axes.hexbin(a, b, gridsize=40, mincnt=1, bins="log", cmap="cividis")
    axes.figure.colorbar(image, ax=axes, label="rows", shrink=0.8)
    return ""
