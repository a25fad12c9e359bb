"""The figures of `agreement` as tables and charts, for the terminal and the report."""

from __future__ import annotations

import kbtools as kb
from kbtools.data.table import rows_text
from kbtools.wording import counted
from kbtools_plugins.analysis.ratings import AgreementEstimate, AgreementFigures, GroupAgreement, PairAgreement

_MOST_LABELS = 12
"""Labels up to which rows are counted by both of two columns."""


def tables(figures: AgreementFigures) -> tuple[kb.Table, ...]:
    """Coefficients, a confusion table for each pair, and the rows that differ most."""
    confusion = (_confusion(figures, pair) for pair in _countable(figures))
    return (coefficients(figures), *confusion, *differences(figures))


def charts(figures: AgreementFigures) -> tuple[kb.figures.Intervals | kb.figures.Matrix, ...]:
    """The coefficients, and a confusion table for each pair."""
    whole = figures.whole
    found = [_estimate(f"kappa {pair.x}, {pair.y}", pair.n, pair.kappa) for pair in whole.pairs]
    found.append(_estimate("alpha of all columns", whole.rated, whole.alpha))
    counts = [
        kb.figures.Matrix(f"{pair.x} by {pair.y}", pair.x, pair.y, figures.labels, pair.confusion)
        for pair in _countable(figures)
    ]
    return (kb.figures.Intervals("Agreement", "coefficient with 95% interval", tuple(found)), *counts)


def _countable(figures: AgreementFigures) -> tuple[PairAgreement, ...]:
    return figures.whole.pairs if 0 < len(figures.labels) <= _MOST_LABELS else ()


def _estimate(label: str, n: int, found: AgreementEstimate) -> kb.figures.Estimate:
    return kb.figures.Estimate(label, n, found.value, found.low, found.high, found.undefined)


def coefficients(figures: AgreementFigures) -> kb.Table:
    """A line for each pair and one for all columns together, over all rows and in each group."""
    weights = "unweighted" if figures.level == "nominal" else "quadratic weights"
    title = f"agreement on {' < '.join(figures.labels) if figures.level != 'nominal' else ', '.join(figures.labels)} "
    title += f"(95% intervals from {counted(figures.resamples, 'bootstrap sample')} of {figures.resampled}; "
    title += f"kappa: {weights}; "
    title += f"alpha: {figures.level})"
    header = ("group", "columns", "n", "same", "from", "to", "kappa", "from", "to", "alpha", "from", "to")
    return kb.Table(title, header, tuple(line for group in (figures.whole, *figures.groups) for line in _lines(group)))


def differences(figures: AgreementFigures) -> tuple[kb.Table, ...]:
    """The rows that differ most, if there are any."""
    if not figures.differences:
        return ()
    rows = [(d.row, *(value or "-" for value in d.values.values()), f"{d.spread:g}") for d in figures.differences]
    header = ("row", *figures.columns, "spread")
    return (kb.Table("rows that differ most", header, tuple(rows), about=tuple(d.index for d in figures.differences)),)


def _lines(group: GroupAgreement) -> list[tuple[str, ...]]:
    name = "all" if group.group is None else group.group
    pairs = [
        (name, f"{pair.x}, {pair.y}", f"{pair.n:,}", *_cells(pair.agreement), *_cells(pair.kappa), "", "", "")
        for pair in group.pairs
    ]
    return [*pairs, (name, "together", f"{group.rated:,}", "", "", "", "", "", "", *_cells(group.alpha))]


def _cells(found: AgreementEstimate) -> tuple[str, str, str]:
    if found.value is None:
        return (f"undefined: {found.undefined}", "", "")
    low, high = ("-" if end is None else f"{end:.3f}" for end in (found.low, found.high))
    return (f"{found.value:.3f}", low, high)


def _confusion(figures: AgreementFigures, pair: PairAgreement) -> kb.Table:
    rows = [
        (label, *(f"{count:,}" for count in line)) for label, line in zip(figures.labels, pair.confusion, strict=True)
    ]
    return kb.Table(f"{pair.x} (down) by {pair.y} (across), {rows_text(pair.n)}", ("", *figures.labels), tuple(rows))
