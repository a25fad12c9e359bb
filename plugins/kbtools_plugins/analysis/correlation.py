"""Correlations of every pair of columns: Spearman, Pearson and Kendall, each with an interval, p and q.

The rank correlations get percentile-bootstrap intervals over modules and a Wald test with the bootstrap's standard
error; Pearson gets Fisher's z and the t test of scipy, both of which take rows as independent. q-values are those of
Benjamini and Hochberg, over the pairs of one method.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from kbtools_plugins.analysis.resampling import Bootstrap, bootstrap
from kbtools_plugins.analysis.scales import Kind, Scale
from kbtools_plugins.analysis.stage import Figures

if TYPE_CHECKING:
    import numpy as np

Method = Literal["spearman", "pearson", "kendall"]
METHODS: tuple[Method, ...] = ("spearman", "pearson", "kendall")


class Coefficient(Figures):
    """One correlation."""

    value: float | None = None
    low: float | None = None
    """95% interval."""
    high: float | None = None
    p_value: float | None = None
    q_value: float | None = None
    undefined: str | None = None
    """Why there is no value."""


class Pair(Figures):
    """The correlations of two columns, over the rows that have both."""

    x: str
    y: str
    n: int
    modules: int
    """Different modules among these rows."""
    spearman: Coefficient
    pearson: Coefficient
    kendall: Coefficient

    def coefficient(self, method: Method) -> Coefficient:
        """The correlation by one method."""
        found: Coefficient = getattr(self, method)
        return found


class Column(Figures):
    """A column that was correlated."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    known: int
    missing: int


class CorrelationFigures(Figures):
    """All pairs."""

    rows: int
    resampled: str
    """Column whose values were drawn again, or `rows`."""
    resamples: int
    seed: int
    columns: tuple[Column, ...]
    pairs: tuple[Pair, ...]

    def pair(self, x: str, y: str) -> Pair:
        """The pair of two columns, in either order."""
        return next(pair for pair in self.pairs if {pair.x, pair.y} == {x, y})


def correlate(
    scales: Sequence[Scale], groups: np.ndarray, *, resampled: str = "rows", resamples: int = 1000, seed: int = 0
) -> CorrelationFigures:
    """Correlate every pair of columns; `groups` numbers the module of each row."""
    import numpy as np

    pairs = [_pair(x, y, groups, resamples, seed) for x, y in combinations(scales, 2)]
    known = [int((~np.isnan(scale.values)).sum()) for scale in scales]
    return CorrelationFigures(
        rows=len(groups),
        resampled=resampled,
        resamples=resamples,
        seed=seed,
        columns=tuple(
            Column(name=s.name, kind=s.kind, labels=s.labels, known=count, missing=len(s.values) - count)
            for s, count in zip(scales, known, strict=True)
        ),
        pairs=tuple(_adjusted(pairs)),
    )


def _pair(x: Scale, y: Scale, groups: np.ndarray, resamples: int, seed: int) -> Pair:
    import numpy as np

    both = ~np.isnan(x.values) & ~np.isnan(y.values)
    a, b, members = x.values[both], y.values[both], groups[both]
    reason = _undefined(x, y, a, b)
    found = {
        method: Coefficient(undefined=reason) if reason else _coefficient(method, a, b, members, resamples, seed)
        for method in METHODS
    }
    return Pair(x=x.name, y=y.name, n=len(a), modules=len(np.unique(members)), **found)


def _undefined(x: Scale, y: Scale, a: np.ndarray, b: np.ndarray) -> str | None:
    if len(a) < 3:
        return f"only {len(a)} rows have both columns"
    constant = [scale.name for scale, values in ((x, a), (y, b)) if (values == values[0]).all()]
    return f"{' and '.join(constant)} is constant in these {len(a)} rows" if constant else None


def _coefficient(
    method: Method, a: np.ndarray, b: np.ndarray, groups: np.ndarray, resamples: int, seed: int
) -> Coefficient:
    if method == "pearson":
        return _pearson(a, b)
    import numpy as np

    rows = np.arange(len(a))

    def statistic(weights: np.ndarray) -> float:
        drawn = np.repeat(rows, weights)
        return _rank_correlation(method, a[drawn], b[drawn])

    value = _rank_correlation(method, a, b)
    found = bootstrap(statistic, groups, resamples, seed)
    return Coefficient(value=value, low=found.low, high=found.high, p_value=_wald(value, found))


def _rank_correlation(method: Method, a: np.ndarray, b: np.ndarray) -> float:
    from scipy import stats

    return float((stats.spearmanr if method == "spearman" else stats.kendalltau)(a, b).statistic)


def _wald(value: float, found: Bootstrap) -> float | None:
    from scipy.stats import norm

    if found.standard_error is None:
        return None
    if found.standard_error == 0:
        return 0.0 if value else 1.0
    return float(2 * norm.sf(abs(value) / found.standard_error))


def _pearson(a: np.ndarray, b: np.ndarray) -> Coefficient:
    import numpy as np
    from scipy import stats

    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return Coefficient(undefined="a value is infinite")
    found = stats.pearsonr(a, b)
    if np.isnan(found.statistic):
        return Coefficient(undefined="the values differ by less than floating point can tell")
    interval = found.confidence_interval(0.95) if len(a) > 3 else None
    low, high = (float(interval.low), float(interval.high)) if interval else (None, None)
    return Coefficient(value=float(found.statistic), low=low, high=high, p_value=float(found.pvalue))


def _adjusted(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs with the q-values of each method."""
    from scipy.stats import false_discovery_control

    done = list(pairs)
    for method in METHODS:
        tested = [index for index, pair in enumerate(done) if pair.coefficient(method).p_value is not None]
        if not tested:
            continue
        q_values = false_discovery_control([done[index].coefficient(method).p_value or 0.0 for index in tested])
        for index, q_value in zip(tested, q_values, strict=True):
            found = done[index].coefficient(method).model_copy(update={"q_value": float(q_value)})
            done[index] = done[index].model_copy(update={method: found})
    return done
