"""Intervals by the bootstrap, with modules rather than rows drawn again: rows of one module are not independent.

A statistic sees how often each module is in a sample. Those that need only the counts of a table's cells get them
from `CellCounts`, which adds up the rows of a module once instead of once a sample.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Statistic = Callable[["np.ndarray"], float]
"""The statistic of a sample, given how often each module is in it; NaN where it is not defined."""
_DRAWN_AT_ONCE = 5_000_000


@dataclass(frozen=True)
class Bootstrap:
    """The interval of a statistic and its standard error; None where they are not defined."""

    low: float | None = None
    high: float | None = None
    standard_error: float | None = None


@dataclass(frozen=True)
class Modules:
    """The modules that rows belong to, numbered from 0 without gaps."""

    members: np.ndarray
    """Number of each row's module."""
    count: int

    @classmethod
    def of(cls, groups: np.ndarray) -> Modules:
        """Modules from any numbers that tell them apart."""
        import numpy as np

        found, members = np.unique(groups, return_inverse=True)
        return cls(members, len(found))


class CellCounts:
    """How much falls into each cell of a table, in any sample of modules."""

    def __init__(self, cells: np.ndarray, size: int, modules: Modules, shares: np.ndarray | None = None) -> None:
        """`cells` numbers the cell of each row below `size`; `shares` is what a row adds to it, 1 unless given."""
        import numpy as np

        self.size = size
        pairs, places = np.unique(modules.members * size + cells, return_inverse=True)
        self._modules, self._cells = np.divmod(pairs, size)
        self._sums = np.bincount(places, weights=shares, minlength=len(pairs))

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """The table, cell by cell, of a sample that holds each module so often."""
        import numpy as np

        return np.bincount(self._cells, weights=self._sums * weights[self._modules], minlength=self.size)


def bootstrap(statistic: Statistic, modules: Modules, resamples: int, seed: int) -> Bootstrap:
    """95% percentile interval of a statistic when modules are drawn with replacement."""
    import numpy as np
    from scipy import stats

    count = modules.count
    if count < 2 or resamples < 2:
        return Bootstrap()

    def drawn(chosen: np.ndarray) -> float:
        return statistic(np.bincount(chosen, minlength=count))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant or degenerate resamples come out as NaN, which is looked for below
        found = stats.bootstrap(
            (np.arange(count),),
            drawn,
            vectorized=False,
            n_resamples=resamples,
            batch=max(1, _DRAWN_AT_ONCE // count),
            method="percentile",
            rng=np.random.default_rng(seed),
        )
    interval = found.confidence_interval
    values = (float(interval.low), float(interval.high), float(found.standard_error))
    return Bootstrap() if np.isnan(values).any() else Bootstrap(*values)
