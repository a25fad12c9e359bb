"""How far columns of verdicts agree: percent agreement, Cohen's kappa, Krippendorff's alpha, and where they differ.

The coefficients are those of scikit-learn and krippendorff, always on labels in an explicit order; their intervals are
percentile bootstraps over modules, whose samples go through `coefficients`: the libraries would take milliseconds for
each of the thousands. What has no value, such as the kappa of two constant columns, says why.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import TYPE_CHECKING

from kbtools.data.table import rows_text
from kbtools.figures import Facts
from kbtools_plugins.analysis import coefficients
from kbtools_plugins.analysis.coefficients import Level
from kbtools_plugins.analysis.resampling import CellCounts, Modules, Statistic, bootstrap

if TYPE_CHECKING:
    import numpy as np


class AgreementEstimate(Facts):
    """A coefficient with its 95% interval."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    undefined: str | None = None
    """Why there is no value."""


class PairAgreement(Facts):
    """Two columns, over the rows that have both."""

    x: str
    y: str
    n: int
    modules: int
    agreement: AgreementEstimate
    """Share of rows with the same verdict."""
    kappa: AgreementEstimate
    """Cohen's kappa, with quadratic weights unless the labels have no order."""
    confusion: tuple[tuple[int, ...], ...]
    """Rows by label of x (down) and label of y (across)."""


class GroupAgreement(Facts):
    """All columns, over all rows or those of one group."""

    group: str | None
    rows: int
    rated: int
    """Rows with at least two verdicts, which alpha compares."""
    alpha: AgreementEstimate
    pairs: tuple[PairAgreement, ...]


class DisagreeingRow(Facts):
    """A row on which the columns differ."""

    index: int
    row: str
    values: dict[str, str | None]
    spread: float
    """Labels (or, for interval columns, units) between the lowest and the highest verdict; for nominal columns how many
    different verdicts there are beyond one."""


class AgreementFigures(Facts):
    """Everything that `agreement` finds."""

    columns: tuple[str, ...]
    labels: tuple[str, ...]
    """In order, lowest first."""
    level: Level
    resampled: str
    resamples: int
    seed: int
    whole: GroupAgreement
    groups: tuple[GroupAgreement, ...] = ()
    differences: tuple[DisagreeingRow, ...] = ()


@dataclass(frozen=True)
class Verdicts:
    """The columns as positions on their common scale."""

    names: tuple[str, ...]
    positions: np.ndarray
    """A row for each row of the dataset, a column for each name; -1 where there is no verdict."""
    domain: np.ndarray
    """Value of each position: labels count 0, 1, 2, ..., numbers stand for themselves."""
    level: Level
    modules: np.ndarray
    """Number of the module of each row."""

    def some(self, rows: np.ndarray) -> Verdicts:
        """These rows only."""
        return Verdicts(self.names, self.positions[rows], self.domain, self.level, self.modules[rows])


def compare(verdicts: Verdicts, group: str | None, resamples: int, seed: int) -> GroupAgreement:
    """Every pair of columns, and all of them together."""
    pairs = combinations(range(len(verdicts.names)), 2)
    return GroupAgreement(
        group=group,
        rows=len(verdicts.positions),
        rated=int(((verdicts.positions >= 0).sum(axis=1) > 1).sum()),
        alpha=_alpha(verdicts, resamples, seed),
        pairs=tuple(_pair(verdicts, x, y, resamples, seed) for x, y in pairs),
    )


def _pair(verdicts: Verdicts, x: int, y: int, resamples: int, seed: int) -> PairAgreement:
    import numpy as np

    both = (verdicts.positions[:, [x, y]] >= 0).all(axis=1)
    a, b = verdicts.positions[both, x], verdicts.positions[both, y]
    modules, size = Modules.of(verdicts.modules[both]), len(verdicts.domain)
    cells = a * size + b
    table = np.bincount(cells, minlength=size * size).reshape(size, size)
    counts, same = CellCounts(cells, size * size, modules), CellCounts(a == b, 2, modules)
    weights = coefficients.weights(size, verdicts.level)

    def agreement(drawn: np.ndarray) -> float:
        return coefficients.share_of_second(same(drawn))

    def kappa(drawn: np.ndarray) -> float:
        return coefficients.kappa(counts(drawn).reshape(size, size), weights)

    draws = Draws(modules, resamples, seed)
    reason = None if len(a) else "no row has both columns"
    no_kappa = reason or _no_kappa(verdicts, a, b)
    return PairAgreement(
        x=verdicts.names[x],
        y=verdicts.names[y],
        n=len(a),
        modules=modules.count,
        agreement=AgreementEstimate(undefined=reason) if reason else draws.estimate(float(np.mean(a == b)), agreement),
        kappa=AgreementEstimate(undefined=no_kappa)
        if no_kappa
        else draws.estimate(_kappa(table, verdicts.level), kappa),
        confusion=tuple(tuple(line) for line in table.tolist()),
    )


@dataclass(frozen=True)
class Draws:
    """How the samples of a bootstrap are drawn."""

    modules: Modules
    resamples: int
    seed: int

    def estimate(self, value: float, statistic: Statistic) -> AgreementEstimate:
        """A coefficient with the interval of the same statistic over samples."""
        if value != value:
            return AgreementEstimate(undefined="it is not defined for these verdicts")
        found = bootstrap(statistic, self.modules, self.resamples, self.seed)
        return AgreementEstimate(value=value, low=found.low, high=found.high)


def _kappa(table: np.ndarray, level: Level) -> float:
    """Cohen's kappa of a confusion table."""
    import numpy as np
    from sklearn.metrics import cohen_kappa_score

    down, across = np.divmod(np.arange(table.size), len(table))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a table without variation gives NaN
        value = cohen_kappa_score(
            down,
            across,
            labels=np.arange(len(table)),
            sample_weight=table.ravel(),
            weights=None if level == "nominal" else "quadratic",
        )
    return float(value)


def _no_kappa(verdicts: Verdicts, a: np.ndarray, b: np.ndarray) -> str | None:
    import numpy as np

    steps = np.diff(verdicts.domain)
    if verdicts.level != "nominal" and len(steps) and not np.allclose(steps, steps[0]):
        return "the values are not evenly spaced, and kappa weighs by position"
    if len(np.unique(np.concatenate([a, b]))) < 2:
        return f"both columns have one and the same verdict ({rows_text(len(a))})"
    return None


def _alpha(verdicts: Verdicts, resamples: int, seed: int) -> AgreementEstimate:
    import numpy as np

    rated = (verdicts.positions >= 0).sum(axis=1) > 1
    positions = verdicts.positions[rated]
    if not len(positions):
        return AgreementEstimate(undefined="no row has two verdicts")
    if len(np.unique(positions[positions >= 0])) < 2:
        return AgreementEstimate(undefined=f"all verdicts are the same ({rows_text(len(positions))})")
    modules = Modules.of(verdicts.modules[rated])
    size = len(verdicts.domain)
    coincidences = _coincidences(positions, size, modules)

    def alpha(drawn: np.ndarray) -> float:
        return coefficients.alpha(coincidences(drawn).reshape(size, size), verdicts.domain, verdicts.level)

    return Draws(modules, resamples, seed).estimate(_krippendorff(positions, verdicts), alpha)


def _coincidences(positions: np.ndarray, size: int, modules: Modules) -> CellCounts:
    """Every ordered pair of verdicts on a row, which counts the less the more verdicts the row has."""
    import numpy as np

    known = positions >= 0
    pairs = [(x, y, known[:, x] & known[:, y]) for x, y in permutations(range(positions.shape[1]), 2)]
    cells = np.concatenate([positions[both, x] * size + positions[both, y] for x, y, both in pairs])
    shares = 1 / (known.sum(axis=1) - 1)
    return CellCounts(
        cells,
        size * size,
        Modules(np.concatenate([modules.members[both] for _, _, both in pairs]), modules.count),
        np.concatenate([shares[both] for _, _, both in pairs]),
    )


def _krippendorff(positions: np.ndarray, verdicts: Verdicts) -> float:
    import krippendorff
    import numpy as np

    counts = np.stack([(positions == place).sum(axis=1) for place in range(len(verdicts.domain))], axis=1)
    domain, level = verdicts.domain.tolist(), verdicts.level
    return float(krippendorff.alpha(value_counts=counts, value_domain=domain, level_of_measurement=level))


def spreads(verdicts: Verdicts) -> np.ndarray:
    """How far apart the verdicts of each row are; 0 where there are not two."""
    import numpy as np

    known = verdicts.positions >= 0
    if verdicts.level == "nominal":
        ordered = np.sort(verdicts.positions, axis=1)
        fresh = (np.diff(ordered, axis=1) != 0) & (ordered[:, 1:] >= 0)
        different = fresh.sum(axis=1) + (ordered[:, 0] >= 0)
        apart: np.ndarray = np.maximum(different - 1, 0).astype(np.float64)
        return apart
    values = np.where(known, verdicts.domain[verdicts.positions], np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rows without any verdict
        return np.asarray(np.nan_to_num(np.nanmax(values, axis=1) - np.nanmin(values, axis=1)))


def most_different(verdicts: Verdicts, count: int) -> Sequence[int]:
    """Indices of the rows that differ most, the first of equals first."""
    import numpy as np

    found = spreads(verdicts)
    order = np.argsort(-found, kind="stable")[:count]
    return [int(index) for index in order if found[index] > 0]
