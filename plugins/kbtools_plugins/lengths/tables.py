"""The figures of `lengths` as tables for a terminal."""

from __future__ import annotations

import kbtools as kb
from kbtools_plugins.lengths.figures import Distribution, LengthFigures, Limit, TrainingCosts


def of(figures: LengthFigures) -> tuple[kb.Table, ...]:
    """The lengths of the parts, the cost of limits, the lengths that cover nearly all rows, and the recommendation."""
    counted = figures.tokenizer
    title = f"tokens of {counted.name} (counted by {counted.counter}, sha256 {counted.sha256[:12]})"
    parts = kb.Table(title, _PARTS, tuple(_part(name, part) for name, part in figures.parts.items()))
    return (parts, *(_budget(figures.budget) if figures.budget else ()))


_PARTS = ("part", "rows", "min", "mean", "median", "p90", "p95", "p99", "p99.5", "p99.9", "max", "total")
_LIMIT = ("seq_len", "rows over", "%", "lost if cut", "lost if dropped", "padding, not packed", "packed full")


def _part(name: str, part: Distribution) -> tuple[str, ...]:
    values = {percentile.percent: percentile.value for percentile in part.percentiles}
    shown = [part.min, part.mean, part.median, *(values.get(percent) for percent in (90, 95, 99, 99.5, 99.9))]
    return (name, *(_number(value) for value in (part.count, *shown, part.max, part.total)))


def _budget(budget: TrainingCosts) -> list[kb.Table]:
    covering = [(f"{cover.percent:g}%", f"{cover.needed:,}", *_limit(cover.limit)) for cover in budget.coverage]
    chosen = budget.recommendation
    marked = tuple(n for n, limit in enumerate(budget.limits) if limit.seq_len == chosen.limit.seq_len)
    return [
        kb.Table("cost of a limit", _LIMIT, tuple(_limit(limit) for limit in budget.limits), marked=marked),
        kb.Table("seq_len that covers the rows", ("rows", "needed", *_LIMIT), tuple(covering)),
        kb.Table(
            f"recommended seq_len: {chosen.limit.seq_len:,}", ("because",), tuple((why,) for why in chosen.reasons)
        ),
    ]


def _limit(limit: Limit) -> tuple[str, ...]:
    cut, dropped = limit.truncated, limit.dropped
    return (
        f"{limit.seq_len:,}",
        f"{limit.rows_over:,}",
        f"{limit.rows_over_share:.2%}",
        f"{cut.tokens_lost_share:.2%}",
        f"{dropped.tokens_lost_share:.2%}",
        _share(cut.padding_waste),
        _share(cut.packing_efficiency),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
