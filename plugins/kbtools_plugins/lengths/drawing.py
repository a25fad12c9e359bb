"""The figures of `lengths` drawn: how long the parts are, and what each limit costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data.table import rows_text
from kbtools.figures import drawing
from kbtools_plugins.lengths.figures import Distribution, LengthFigures, TrainingCosts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "lengths"


def draw(figures: LengthFigures, folder: str | Path) -> list[str]:
    """Write lengths.png and lengths.svg; returns the files."""
    with drawing.figure(7.2, 3.9) as page:
        left, right = page.subplots(1, 2)
        draw_distribution(left, figures.parts["conversation"])
        if figures.budget:
            draw_costs(right, figures.budget, figures.parts["conversation"].count)
        page.suptitle(f"Tokens of whole conversations ({figures.tokenizer.name})", fontsize=10)
        return drawing.save(page, folder, NAME)


def draw_distribution(axes: Axes, part: Distribution) -> None:
    """Histogram, with the lengths that half and 99% of the rows do not exceed."""
    axes.set(xlabel="tokens per row", ylabel="rows", title=f"Distribution (n = {rows_text(part.count)})")
    if part.histogram is None:
        return
    edges = part.histogram.edges
    axes.stairs(part.histogram.counts, edges, fill=True, color=drawing.SKY, edgecolor=drawing.BLUE)
    values = {percentile.percent: percentile.value for percentile in part.percentiles}
    for percent, colour, dash in ((50, drawing.BLUE, "-"), (99, drawing.VERMILION, "--")):
        label = f"{percent}% of rows: {values[percent]:,}"
        axes.axvline(values[percent], color=colour, linestyle=dash, label=label)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(axis="x", labelrotation=20)
    axes.legend()


def draw_costs(axes: Axes, budget: TrainingCosts, rows: int) -> None:
    """Share of rows and tokens lost at each limit, and what padding and packing make of the rest."""
    limits = budget.limits
    lengths = [limit.seq_len for limit in limits]
    lines = (
        ("rows over the limit", [limit.rows_over_share for limit in limits], drawing.BLUE, "o-"),
        ("tokens lost by truncating", [limit.truncated.tokens_lost_share for limit in limits], drawing.VERMILION, "s-"),
        ("tokens lost by dropping", [limit.dropped.tokens_lost_share for limit in limits], drawing.ORANGE, "^-"),
        ("padding without packing", [limit.truncated.padding_waste or 0 for limit in limits], drawing.GREY, "d:"),
    )
    for label, shares, colour, style in lines:
        axes.plot(lengths, [100 * share for share in shares], style, color=colour, label=label, markersize=4)
    chosen = budget.recommendation.limit.seq_len
    axes.axvline(chosen, color=drawing.GREEN, linestyle="--", label=f"recommended: {chosen:,}")
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [f"{length // 1024}k" if place % 2 == 0 else "" for place, length in enumerate(lengths)])
    axes.set(xlabel="seq_len (tokens)", ylabel="share (%)", title=f"Cost of a limit (n = {rows_text(rows)})")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
