"""Charts as inline SVG: text stays text, colours come from the page's style sheet, and every mark has a title.

Nothing that comes from a dataset is put into markup unescaped; controls that would reorder a line are made visible.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from urllib.parse import quote

from markupsafe import Markup

from kbtools.data.table import rows_text
from kbtools.figures import Bars, Estimate, Histogram, Intervals, Matrix
from kbtools.report.charts import round_step
from kbtools.report.text import clipped, number
from kbtools.wording import counted, visible

WIDTH = 360
_LEFT, _RIGHT, _TOP = 44, 12, 10
_PLOT_HEIGHT = 130
_LINE = 22
_TWO_LINES = 36


def tag(name: str, *inside: str, **attributes: object) -> Markup:
    """An element: everything that is not markup already is escaped; `class_` is class, `stroke_width` stroke-width."""
    written = [
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _short(value)) for key, value in attributes.items()
    ]
    body = Markup("").join(item if isinstance(item, Markup) else visible(item) for item in inside)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), Markup("").join(written), body)


def _short(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def drawing(title: str, description: str, height: float, parts: Iterable[Markup]) -> Markup:
    """The whole picture, named for those who cannot see it."""
    head = (tag("title", title), tag("desc", description))
    return tag("svg", *head, *parts, viewBox=f"0 0 {WIDTH} {height:g}", role="img", class_="chart")


# ---- histograms -----------------------------------------------------------------------------------------------------


def histogram(chart: Histogram) -> Markup:
    """Bins over a number, with the median marked."""
    top = max(chart.counts)
    low, high = _scaled(chart, chart.edges[0]), _scaled(chart, chart.edges[-1])

    def x(value: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (_scaled(chart, value) - low) / (high - low)

    def bins() -> Iterator[Markup]:
        for (start, end), count in zip(pairwise(chart.edges), chart.counts, strict=True):
            tall = _PLOT_HEIGHT * count / top
            what = tag("title", f"{number(start)} to {number(end)}: {rows_text(count)}")
            yield tag("rect", what, class_="bar", x=x(start) + 0.5, width=max(x(end) - x(start) - 1, 0.5),
                      y=_TOP + _PLOT_HEIGHT - tall, height=tall)  # fmt: skip

    parts = [*_row_axis(top), *bins(), *_value_axis(chart, x), *_median(chart, x)]
    return drawing(chart.title, describe(chart), _TOP + _PLOT_HEIGHT + 40, parts)


def _scaled(chart: Histogram, value: float) -> float:
    return math.log10(value) if chart.log else value


def _row_axis(top: int) -> Iterator[Markup]:
    step = max(round_step(top, 3), 1)
    for rows in range(0, top + 1, int(step)):
        y = _TOP + _PLOT_HEIGHT * (1 - rows / top)
        yield tag("line", class_="grid", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y)
        yield tag("text", f"{rows:,}", class_="tick", x=_LEFT - 6, y=y + 4, text_anchor="end")


def _value_axis(chart: Histogram, x: Callable[[float], float]) -> Iterator[Markup]:
    base = _TOP + _PLOT_HEIGHT
    for value in _ticks(chart):
        anchor = "end" if x(value) > WIDTH - 30 else "middle"
        yield tag("text", number(value), class_="tick", x=x(value), y=base + 16, text_anchor=anchor)
    unit = f"{chart.unit}{' (logarithmic)' if chart.log else ''}"
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    yield tag("text", clipped(unit, 48), class_="unit", x=middle, y=base + 34, text_anchor="middle")


def _ticks(chart: Histogram) -> list[float]:
    low, high = chart.edges[0], chart.edges[-1]
    if chart.log:
        powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
        return [10.0**power for power in powers][:: max(1, len(powers) // 5)] or [low, high]
    step = round_step(high - low, 5)
    return [place * step for place in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _median(chart: Histogram, x: Callable[[float], float]) -> Iterator[Markup]:
    at = x(chart.quartiles[1])
    what = tag("title", f"median {number(chart.quartiles[1])}")
    yield tag("line", what, class_="mark", x1=at, x2=at, y1=_TOP, y2=_TOP + _PLOT_HEIGHT)


# ---- bars -----------------------------------------------------------------------------------------------------------


def bars(chart: Bars) -> Markup:
    """A line for each label: its name, its rows, its share; a link to these rows where the page can show them."""
    longest = max(len(label) for label in chart.labels)
    left = min(150, 16 + 7 * longest)
    lines = [_linked(chart, label, _bar_line(chart, place, left)) for place, label in enumerate(chart.labels)]
    return drawing(chart.title, describe(chart), _LINE * len(lines) + 8, lines)


def _bar_line(chart: Bars, place: int, left: float) -> list[Markup]:
    label, count = chart.labels[place], chart.counts[place]
    room = WIDTH - left - 92
    share = count / chart.n if chart.n else 0
    wide = room * count / max(chart.counts) if count else 0
    y = 4 + _LINE * place
    text = f"{count:,} ({share:.0%})" if share >= 0.1 or not count else f"{count:,} ({share:.1%})"
    return [
        tag("title", f"{label}: {count:,} of {rows_text(chart.n)}"),
        tag("text", clipped(label or "(empty)", int((left - 8) / 7)), class_="label", x=left - 8, y=y + 14,
            text_anchor="end"),
        tag("rect", class_="bar", x=left, y=y + 2, width=max(wide, 1 if count else 0), height=_LINE - 6),
        tag("text", text, class_="tick", x=left + wide + 6, y=y + 14),
    ]  # fmt: skip


def _linked(chart: Bars, label: str, line: list[Markup]) -> Markup:
    if not chart.path:
        return tag("g", *line)
    return tag("a", *line, href=f"#rows?f.{quote(chart.path, safe='')}={quote('=' + label, safe='')}")


# ---- coefficients ---------------------------------------------------------------------------------------------------


def intervals(chart: Intervals) -> Markup:
    """For each coefficient its name, and below it a dot and its interval between -1 and 1."""
    base = _TWO_LINES * len(chart.estimates) + 8

    def x(value: float) -> float:
        return _RIGHT + (WIDTH - 2 * _RIGHT) * (value + 1) / 2

    grid = [
        part
        for value in (-1.0, -0.5, 0.0, 0.5, 1.0)
        for part in (
            tag("line", class_="axis" if value == 0 else "grid", x1=x(value), x2=x(value), y1=4, y2=base),
            tag("text", f"{value:g}", class_="tick", x=x(value), y=base + 15, text_anchor="middle"),
        )
    ]
    lines = [tag("g", *_estimate(item, 4 + _TWO_LINES * place, x)) for place, item in enumerate(chart.estimates)]
    unit = tag("text", chart.unit, class_="unit", x=WIDTH / 2, y=base + 32, text_anchor="middle")
    return drawing(chart.title, describe(chart), base + 38, [*grid, *lines, unit])


def _estimate(item: Estimate, y: float, x: Callable[[float], float]) -> list[Markup]:
    middle = y + 24
    name = tag("text", clipped(item.label, 56), class_="label over", x=4, y=y + 13)
    what = tag("title", estimate_text(item))
    if item.value is None:
        return [what, name, tag("text", "undefined", class_="tick", x=4, y=middle + 4)]
    dot = tag("circle", class_="dot", cx=x(item.value), cy=middle, r=4)
    if item.low is None or item.high is None:
        return [what, name, dot]
    return [what, name, tag("line", class_="interval", x1=x(item.low), x2=x(item.high), y1=middle, y2=middle), dot]


def estimate_text(item: Estimate) -> str:
    """A coefficient in words."""
    if item.value is None:
        return f"{item.label}: undefined, {item.undefined or 'no value'} (n = {item.n:,})"
    interval = "" if item.low is None or item.high is None else f", 95% from {signed(item.low)} to {signed(item.high)}"
    return f"{item.label}: {signed(item.value)}{interval} (n = {item.n:,})"


def signed(value: float) -> str:
    """A coefficient with its sign, which zero has not."""
    text = f"{value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text


# ---- confusion ------------------------------------------------------------------------------------------------------


def matrix(chart: Matrix) -> Markup:
    """Cells shaded by their share of the line, with the rows that they stand for."""
    left, top = 110, 34
    size = min(64.0, (WIDTH - left - 8) / len(chart.labels))
    tall = min(size, 34.0)
    cells = [
        _cell(chart, line, place, left + size * place, top + tall * line, size, tall)
        for line in range(len(chart.labels))
        for place in range(len(chart.labels))
    ]
    names = [
        part
        for place, label in enumerate(chart.labels)
        for part in (
            tag("text", clipped(label, int(size / 6)), class_="label", x=left + size * (place + 0.5), y=top - 6,
                text_anchor="middle"),
            tag("text", clipped(label, 15), class_="label", x=left - 6, y=top + tall * (place + 0.5) + 4,
                text_anchor="end"),
        )
    ]  # fmt: skip
    wide = size * len(chart.labels)
    across = tag("text", clipped(chart.across, 36), class_="unit", x=left + wide / 2, y=12, text_anchor="middle")
    down = tag("text", clipped(f"↓ {chart.down}", 17), class_="unit", x=4, y=top - 6)
    return drawing(chart.title, describe(chart), top + tall * len(chart.labels) + 6, [across, down, *names, *cells])


def _cell(chart: Matrix, line: int, place: int, x: float, y: float, wide: float, tall: float) -> Markup:
    count, total = chart.counts[line][place], sum(chart.counts[line])
    share = count / total if total else 0.0
    what = f"{chart.down} {chart.labels[line]}, {chart.across} {chart.labels[place]}: {rows_text(count)}"
    return tag(
        "g",
        tag("title", what),
        tag("rect", class_="cell", x=x + 1, y=y + 1, width=wide - 2, height=tall - 2, fill_opacity=0.06 + 0.84 * share),
        tag("text", f"{count:,}", class_="cell-text strong" if share > 0.7 else "cell-text", x=x + wide / 2,
            y=y + tall / 2 + 4, text_anchor="middle"),
    )  # fmt: skip


# ---- words ----------------------------------------------------------------------------------------------------------


def draw(chart: Histogram | Bars | Intervals | Matrix) -> Markup:
    """The chart as SVG."""
    if isinstance(chart, Histogram):
        return histogram(chart)
    if isinstance(chart, Bars):
        return bars(chart)
    return intervals(chart) if isinstance(chart, Intervals) else matrix(chart)


def describe(chart: Histogram | Bars | Intervals | Matrix) -> str:
    """A chart in words: rows, missing values, and the figures that a reader looks for first."""
    if isinstance(chart, Histogram):
        first, median, third = map(number, chart.quartiles)
        text = f"n = {chart.n:,}, median (dashed) {median}, middle half {first} to {third}, mean {number(chart.mean)}, "
        return f"{text}range {number(chart.ends[0])} to {number(chart.ends[1])}{_absent(chart.missing, chart.infinite)}"
    if isinstance(chart, Bars):
        more = f", {counted(chart.other, 'more value')} in {rows_text(chart.other_rows)}" if chart.other else ""
        return f"n = {chart.n:,}{more}{_absent(chart.missing)}"
    if isinstance(chart, Matrix):
        return f"n = {chart.n:,}"
    return "; ".join(estimate_text(item) for item in chart.estimates)


def caption(chart: Histogram | Bars | Intervals | Matrix) -> str:
    """What is under a chart; of coefficients the table says the rest."""
    return "Dot: estimate; line: 95% interval." if isinstance(chart, Intervals) else describe(chart)


def _absent(missing: int, infinite: int = 0) -> str:
    text = f", {missing:,} without a value" if missing else ""
    return f"{text}, {infinite:,} infinite" if infinite else text
