"""Coefficients from tables of counts, quick enough for the thousands of samples of a bootstrap.

What is reported comes from scipy, scikit-learn and krippendorff; the tests hold these to be the same functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Level = Literal["ordinal", "interval", "nominal"]


def share_of_second(counts: np.ndarray) -> float:
    """Share of the second of two counts."""
    return float(counts[1] / counts.sum())


def weights(size: int, level: Level) -> np.ndarray:
    """How much each cell of a confusion table disagrees: the squared steps between labels, or 1 for mere names."""
    import numpy as np

    places = np.arange(size, dtype=np.float64)
    steps: np.ndarray = np.abs(places[:, None] - places)
    return np.minimum(steps, 1) if level == "nominal" else steps**2


def kappa(table: np.ndarray, disagreement: np.ndarray) -> float:
    """Cohen's kappa of a confusion table with these weights; NaN without variation."""
    expected = float(table.sum(axis=1) @ disagreement @ table.sum(axis=0))
    return 1 - float((disagreement * table).sum() * table.sum()) / expected if expected else float("nan")


def alpha(coincidences: np.ndarray, domain: np.ndarray, level: Level) -> float:
    """Krippendorff's alpha of a table of coincidences over the values of a domain; NaN without variation."""
    import numpy as np

    totals = coincidences.sum(axis=0)
    if level == "nominal":
        disagreement = weights(len(totals), level)
    else:
        places = domain if level == "interval" else np.cumsum(totals) - totals / 2
        disagreement = (places[:, None] - places) ** 2
    expected = float(totals @ disagreement @ totals)
    return 1 - float((disagreement * coincidences).sum() * (totals.sum() - 1)) / expected if expected else float("nan")


def kendall(table: np.ndarray) -> float:
    """Kendall's tau-b of a table whose lines and columns ascend; NaN without variation."""
    import numpy as np

    left = np.cumsum(table, axis=1)
    balance = 2 * left - table - left[:, -1:]  # of each line: what is before a column, less what is behind it
    concordant = float((table[1:] * np.cumsum(balance, axis=0)[:-1]).sum())
    total = float(table.sum()) ** 2
    untied = [total - float((table.sum(axis=axis) ** 2).sum()) for axis in (0, 1)]
    return 2 * concordant / float(np.sqrt(untied[0] * untied[1])) if all(untied) else float("nan")
