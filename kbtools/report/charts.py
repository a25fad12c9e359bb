"""The charts of columns and of the pipeline, as data: `svg` draws them for the page, `plots` for a paper.

What a chart is, `kbtools.figures` says; here charts are made of columns.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kbtools.figures import Bars, Chart, Histogram
from kbtools.report.columns import Column, Labels, Numbers, missing

if TYPE_CHECKING:
    import numpy as np

MOST_BARS = 12
_BINS = 32
_FEW_VALUES = 12


@dataclass(frozen=True)
class StageStep:
    """Rows that reached a stage and rows that left it."""

    name: str
    rows_in: int
    rows_out: int


@dataclass(frozen=True)
class Funnel:
    """Rows after each stage of a pipeline."""

    title: str
    steps: tuple[StageStep, ...]


Drawing = Chart | Funnel
"""What is drawn on the page and for papers."""


def distribution(column: Column, title: str = "", unit: str = "") -> Histogram | Bars | None:
    """How the values of a column are distributed; None when there are none, or when they are names that differ."""
    if isinstance(column, Labels):
        return (
            label_bars(column, title) if column.labels and column.distinct <= max(3, len(column.codes) // 2) else None
        )
    if not len(column.known):
        return None
    repeated = column.distinct <= min(_FEW_VALUES, len(column.known) // 2)
    return value_bars(column, title) if repeated else histogram(column, title, unit or unit_of(column.path))


def unit_of(path: str) -> str:
    """What the numbers of a column count, as far as its name says so; otherwise the name."""
    name = path.rpartition(".")[2]
    if "tokens" in name.split("_"):
        return "tokens"
    if name.endswith("_ms"):
        return "milliseconds"
    return "speedup over the reference (1: as fast)" if name == "speedup" else path


def label_bars(column: Labels, title: str = "") -> Bars:
    """A bar for each label in its order, or for the most frequent ones when there are many."""
    counts = column.counts
    shown = list(range(len(counts)))
    if len(shown) > MOST_BARS:
        shown = sorted(shown, key=lambda place: (-counts[place], place))[:MOST_BARS]
    return Bars(
        title or column.path,
        tuple(column.labels[place] for place in shown),
        tuple(counts[place] for place in shown),
        sum(counts),
        missing(column),
        other=len(counts) - len(shown),
        other_rows=sum(counts) - sum(counts[place] for place in shown),
        path=column.path,
    )


def value_bars(column: Numbers, title: str = "") -> Bars:
    """A bar for each of a few different numbers."""
    import numpy as np

    values, counts = np.unique(column.values[~np.isnan(column.values)], return_counts=True)
    labels = tuple(exact_text(float(value)) for value in values)
    rows = tuple(counts.tolist())
    return Bars(title or column.path, labels, rows, sum(rows), missing(column), path=column.path)


def exact_text(value: float) -> str:
    """A number in as few digits as name it exactly."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def histogram(column: Numbers, title: str = "", unit: str = "") -> Histogram:
    """Bins at round numbers; where the largest value is 200 times the smallest or more, bins that grow by a factor."""
    import numpy as np

    known = column.known
    low, high = float(known.min()), float(known.max())
    log = low > 0 and 200 < high / low <= 1e15
    edges = _log_edges(low, high) if log else _round_edges(low, high, column.whole)
    counts, _ = np.histogram(known, edges)
    first, second, third = (float(value) for value in np.percentile(known, (25, 50, 75)))
    return Histogram(
        title or column.path,
        unit or column.path,
        tuple(edges),
        tuple(counts.tolist()),
        len(known),
        missing(column),
        mean=float(known.mean()),
        quartiles=(first, second, third),
        ends=(low, high),
        infinite=int(np.isinf(column.values).sum()),
        log=log,
    )


def round_step(span: float, parts: int) -> float:
    """The step of 1, 2 or 5 times a power of ten that divides a span into at most about so many parts."""
    rough = span / parts
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)


def _round_edges(low: float, high: float, whole: bool) -> list[float]:
    finest = 8 * math.ulp(max(abs(low), abs(high)))  # finer steps would be the same number
    step = max(round_step((high - low) or 1.0, _BINS), finest, 1.0 if whole else 0.0)
    first = math.floor(low / step)
    last = max(math.floor(high / step) + 1, first + 1)
    return _reaching([place * step for place in range(first, last + 1)], low, high)


def _log_edges(low: float, high: float) -> list[float]:
    decades = math.log10(high) - math.log10(low)
    parts = max(1, min(5, int(_BINS / decades)))
    width = max(1 / parts, math.ceil(decades / _BINS) if decades > _BINS else 0)  # of a bin, in decades
    first, last = math.floor(math.log10(low) / width), math.ceil(math.log10(high) / width)
    powers = [place * width for place in range(first, last + 1)]
    return _reaching([10.0**power for power in powers if power < sys.float_info.max_10_exp], low, high)


def _reaching(edges: list[float], low: float, high: float) -> list[float]:
    """The edges, the outer ones moved by what rounding took from them, so that every value is in a bin."""
    return [min(edges[0], low), *edges[1:-1], max(edges[-1], high)]


def lengths(values: np.ndarray, title: str) -> Histogram | Bars | None:
    """How long texts are, in characters; NaN where there is none."""
    return distribution(Numbers("", values, whole=True), title, unit="characters")


def named(charts: Sequence[Histogram | Bars | None]) -> list[Histogram | Bars]:
    """The charts that there are."""
    return [chart for chart in charts if chart is not None]
