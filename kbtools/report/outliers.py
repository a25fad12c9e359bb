"""Values far from all others, and groups without differences: what a reader should look at before anything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_FEWEST = 20
"""Values below which nothing is far from the others."""
_FAR = 3.0
"""Widths of the middle half beyond its ends (Tukey's outer fences)."""
_MOST = 0.05
"""Share of the values above which they are a tail of the distribution, and no outliers."""


@dataclass(frozen=True)
class FarEnd:
    """The outliers at one end of a column."""

    high: bool
    rows: int
    limit: float
    """The outlier that is nearest to the others."""
    extreme: float
    place: int
    """Index of the extreme one."""


def far_ends(values: np.ndarray | Sequence[float]) -> Iterator[FarEnd]:
    """Values beyond Tukey's outer fences; of positive values the logarithms are compared, as long tails are common."""
    import numpy as np

    given = np.asarray(values, float)
    known = given[np.isfinite(given)]
    if len(known) < _FEWEST:
        return
    scaled = np.log(known) if known.min() > 0 else known
    first, third = np.percentile(scaled, (25, 75))
    reach = _FAR * (third - first)
    for high, far in ((True, scaled > third + reach), (False, scaled < first - reach)):
        if reach and 0 < far.sum() <= _MOST * len(known):
            some = known[far]
            extreme = float(some.max() if high else some.min())
            nearest = float(some.min() if high else some.max())
            yield FarEnd(high, int(far.sum()), nearest, extreme, int(np.flatnonzero(given == extreme)[0]))


def infinite(values: np.ndarray) -> int:
    """How many values are infinite."""
    import numpy as np

    return int(np.isinf(values).sum())


def flat_groups(groups: np.ndarray, values: np.ndarray) -> tuple[int, int]:
    """Of the groups with several values, those in which all are equal; and how many such groups there are."""
    import numpy as np

    known = (groups >= 0) & ~np.isnan(values)
    size = int(groups.max(initial=-1)) + 1
    lowest, highest = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(lowest, groups[known], values[known])
    np.maximum.at(highest, groups[known], values[known])
    several = np.bincount(groups[known], minlength=size) > 1
    return int((several & (lowest == highest)).sum()), int(several.sum())
