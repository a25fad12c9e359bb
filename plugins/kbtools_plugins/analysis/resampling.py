"""Intervals by the bootstrap, with modules rather than rows drawn again: rows of one module are not independent."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Statistic = Callable[["np.ndarray"], float]
"""The statistic of a sample, given how often each row is in it; NaN where it is not defined."""


@dataclass(frozen=True)
class Bootstrap:
    """The interval of a statistic and its standard error; None where they are not defined."""

    low: float | None = None
    high: float | None = None
    standard_error: float | None = None


def bootstrap(statistic: Statistic, groups: np.ndarray, resamples: int, seed: int) -> Bootstrap:
    """95% percentile interval of a statistic when the groups that rows belong to are drawn with replacement."""
    import numpy as np
    from scipy import stats

    _, members = np.unique(groups, return_inverse=True)
    count = int(members.max()) + 1 if len(members) else 0
    if count < 2 or resamples < 2:
        return Bootstrap()

    def drawn(chosen: np.ndarray) -> float:
        return statistic(np.bincount(chosen, minlength=count)[members])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant or degenerate resamples come out as NaN, which is looked for below
        found = stats.bootstrap(
            (np.arange(count),),
            drawn,
            vectorized=False,
            n_resamples=resamples,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
    interval = found.confidence_interval
    values = (float(interval.low), float(interval.high), float(found.standard_error))
    return Bootstrap() if np.isnan(values).any() else Bootstrap(*values)
