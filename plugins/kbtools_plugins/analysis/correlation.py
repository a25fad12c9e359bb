"""Correlations of every pair of columns: Spearman, Pearson and Kendall, each with an interval, p and q.

The rank correlations get percentile-bootstrap intervals over modules and a Wald test with the bootstrap's standard
error; Pearson gets Fisher's z and the t test of scipy, both of which take rows as independent. q-values are those of
Benjamini and Hochberg, over the pairs of one method. The values are scipy's; Spearman's samples are ranked by counting,
without sorting each of them, and so are Kendall's where a column has few values. Of very many rows there are fewer
samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from kbtools.data.table import rows_text
from kbtools.figures import Facts
from kbtools_plugins.analysis.coefficients import kendall
from kbtools_plugins.analysis.resampling import Bootstrap, CellCounts, Modules, Statistic, bootstrap
from kbtools_plugins.analysis.scales import Kind, Scale

if TYPE_CHECKING:
    import numpy as np

Method = Literal["spearman", "pearson", "kendall"]
METHODS: tuple[Method, ...] = ("spearman", "pearson", "kendall")
_WORK = 200_000_000
"""What the samples of one coefficient may cost together, in rows; there are at least `_FEWEST` all the same."""
_FEWEST = 100
_SORTING = 10
"""What sorting a row costs, in rows."""
_COUNTED_LEVELS = 20
"""Columns with at most so many values are counted rather than sorted."""


class Coefficient(Facts):
    """One correlation."""

    value: float | None = None
    low: float | None = None
    """95% interval."""
    high: float | None = None
    p_value: float | None = None
    q_value: float | None = None
    undefined: str | None = None
    """Why there is no value."""
    resamples: int | None = None
    """Bootstrap samples behind the interval."""


class ColumnPair(Facts):
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


class Column(Facts):
    """A column that was correlated."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    known: int
    missing: int


class CorrelationFigures(Facts):
    """All pairs."""

    rows: int
    resampled: str
    """Column whose values were drawn again, or `rows`."""
    resamples: int
    seed: int
    columns: tuple[Column, ...]
    pairs: tuple[ColumnPair, ...]

    def pair(self, x: str, y: str) -> ColumnPair:
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


def _pair(x: Scale, y: Scale, groups: np.ndarray, resamples: int, seed: int) -> ColumnPair:
    import numpy as np

    both = ~np.isnan(x.values) & ~np.isnan(y.values)
    a, b, members = x.values[both], y.values[both], groups[both]
    reason = _undefined(x, y, a, b)
    modules = Modules.of(members)
    found = {
        method: Coefficient(undefined=reason) if reason else _coefficient(method, a, b, modules, resamples, seed)
        for method in METHODS
    }
    return ColumnPair(x=x.name, y=y.name, n=len(a), modules=modules.count, **found)


def _undefined(x: Scale, y: Scale, a: np.ndarray, b: np.ndarray) -> str | None:
    if len(a) < 3:
        return f"both columns are known in only {rows_text(len(a))}"
    constant = [scale.name for scale, values in ((x, a), (y, b)) if (values == values[0]).all()]
    verb = "is" if len(constant) == 1 else "are"
    return f"{' and '.join(constant)} {verb} constant in these {rows_text(len(a))}" if constant else None


def _coefficient(
    method: Method, a: np.ndarray, b: np.ndarray, modules: Modules, resamples: int, seed: int
) -> Coefficient:
    from scipy import stats

    if method == "pearson":
        return _pearson(a, b)
    if method == "spearman":
        value, statistic, cost = float(stats.spearmanr(a, b).statistic), spearman_of_samples(a, b, modules), len(a)
    else:
        value = float(stats.kendalltau(a, b).statistic)
        statistic, cost = kendall_of_samples(a, b, modules)
    resamples = min(resamples, max(_WORK // cost, _FEWEST))
    found = bootstrap(statistic, modules, resamples, seed)
    return Coefficient(
        value=value, low=found.low, high=found.high, p_value=_wald(value, found), resamples=resamples or None
    )


def spearman_of_samples(a: np.ndarray, b: np.ndarray, modules: Modules) -> Statistic:
    """Spearman's rho of samples of modules: the values are sorted once, their ranks in a sample are counted."""
    import numpy as np

    places = [np.unique(values, return_inverse=True)[1] for values in (a, b)]

    def statistic(drawn: np.ndarray) -> float:
        weights = drawn[modules.members].astype(np.float64)
        x, y = (_centred_ranks(values, weights) for values in places)
        scale = float(np.sqrt((weights @ x**2) * (weights @ y**2)))
        return float((weights * x) @ y) / scale if scale else float("nan")

    return statistic


def _centred_ranks(places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Ranks around 0, ties averaged, of rows that stand in a sample so often."""
    import numpy as np

    counts = np.bincount(places, weights=weights)
    centred: np.ndarray = (np.cumsum(counts) - counts / 2 - counts.sum() / 2)[places]
    return centred


def kendall_of_samples(a: np.ndarray, b: np.ndarray, modules: Modules) -> tuple[Statistic, int]:
    """Kendall's tau-b of samples of modules and what one costs: columns of few values are counted, others sorted."""
    import numpy as np
    from scipy import stats

    ranks = sorted((np.unique(values, return_inverse=True) for values in (a, b)), key=lambda found: len(found[0]))
    (lines, down), (columns, across) = ranks
    if len(lines) <= _COUNTED_LEVELS:
        counts = CellCounts(down * len(columns) + across, len(lines) * len(columns), modules)
        return lambda drawn: kendall(counts(drawn).reshape(len(lines), len(columns))), len(lines) * len(columns)
    rows = np.arange(len(a))

    def statistic(drawn: np.ndarray) -> float:
        sample = np.repeat(rows, drawn[modules.members])
        return float(stats.kendalltau(a[sample], b[sample]).statistic)

    return statistic, _SORTING * len(a)


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


def _adjusted(pairs: Sequence[ColumnPair]) -> list[ColumnPair]:
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
