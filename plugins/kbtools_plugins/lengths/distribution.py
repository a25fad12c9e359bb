"""From counts to figures: percentiles with intervals, histograms, and what each sequence length would cost.

Percentiles are observed lengths (numpy's `inverted_cdf`): the smallest that at least p% of the rows do not exceed.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from kbtools.data.table import rows_text
from kbtools.wording import counted
from kbtools_plugins.lengths.figures import (
    Cost,
    Coverage,
    Distribution,
    LengthBins,
    Limit,
    Percentile,
    Recommendation,
    TrainingCosts,
)
from kbtools_plugins.lengths.packing import pack

if TYPE_CHECKING:
    import numpy as np

PERCENTS = (50, 75, 90, 95, 99, 99.5, 99.9, 100)
COVERAGE = (99, 99.5, 100)
LIMITS = tuple(1024 << power for power in range(9))
"""1k to 256k."""
_TOLERATED = 0.01
"""Share of rows over the recommended length, and of tokens beyond it."""
_BINS = 40
_UNSURE = 0.05
"""Share of intervals that miss what they are of."""


def distribution(lengths: np.ndarray, missing: int = 0) -> Distribution:
    """The figures of one part's lengths, in any order."""
    import numpy as np

    if not len(lengths):
        return Distribution(count=0, missing=missing)
    ordered = np.sort(lengths)
    return Distribution(
        count=len(ordered),
        missing=missing,
        total=int(ordered.sum()),
        min=int(ordered[0]),
        max=int(ordered[-1]),
        mean=float(ordered.mean()),
        median=float(np.median(ordered)),
        percentiles=tuple(_percentile(ordered, percent) for percent in PERCENTS),
        histogram=_histogram(ordered),
    )


def covering(ordered: np.ndarray, percent: float) -> int:
    """The smallest of the ascending lengths that at least this percentage of them do not exceed."""
    rank = Fraction(str(percent)) * len(ordered) / 100  # in floats, 99.9% of 1000 would be a little more than 999
    return int(ordered[-(-rank.numerator // rank.denominator) - 1])


def _percentile(ordered: np.ndarray, percent: float) -> Percentile:
    low, high = (None, None) if percent >= 100 else _interval(ordered, percent / 100)
    return Percentile(percent=percent, value=covering(ordered, percent), low=low, high=high)


def _interval(ordered: np.ndarray, share: float) -> tuple[int | None, int | None]:
    """What `scipy.stats.quantile_test` gives, without a frozen distribution, whose docstring takes 8 ms to write."""
    from scipy.stats import binom

    count, tail = len(ordered), _UNSURE / 2
    low, high = int(binom.ppf(tail, count, share)) - 1, int(binom.isf(tail, count, share))
    return int(ordered[low]) if low >= 0 else None, int(ordered[high]) if high < count else None


def _histogram(ordered: np.ndarray) -> LengthBins:
    import numpy as np

    low, high = int(ordered[0]), int(ordered[-1])
    width = _round_width((high - low) / _BINS)
    start = low // width * width
    edges = np.arange(start, high + width + 1, width) if high >= start + width else np.array([start, start + width])
    counts, _ = np.histogram(ordered, bins=edges)
    return LengthBins(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))


def _round_width(width: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ..."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power >= width:
                return step * power
        power *= 10


def limit(lengths: np.ndarray, seq_len: int) -> Limit:
    """What one sequence length would cost."""
    over = lengths > seq_len
    total = int(lengths.sum())
    kept = lengths[~over]
    return Limit(
        seq_len=seq_len,
        rows_over=int(over.sum()),
        rows_over_share=float(over.mean()),
        truncated=_cost(lengths.clip(max=seq_len), seq_len, total),
        dropped=_cost(kept, seq_len, total),
    )


def _cost(lengths: np.ndarray, seq_len: int, total: int) -> Cost:
    left = int(lengths.sum())
    samples = pack(lengths, seq_len)
    return Cost(
        rows=len(lengths),
        tokens_lost=total - left,
        tokens_lost_share=(total - left) / total if total else 0.0,
        padding_waste=1 - left / (len(lengths) * seq_len) if len(lengths) else None,
        packed_samples=samples,
        packing_efficiency=left / (samples * seq_len) if samples else None,
    )


def budget(lengths: np.ndarray, multiple: int, max_length: int | None) -> TrainingCosts | None:
    """The costs of all limits, the lengths that cover nearly all rows, and a recommendation; None for no rows."""
    import numpy as np

    if not len(lengths):
        return None
    ordered = np.sort(lengths)
    limits = tuple(limit(ordered, seq_len) for seq_len in LIMITS)
    return TrainingCosts(
        limits=limits,
        coverage=tuple(_coverage(ordered, percent, multiple) for percent in COVERAGE),
        recommendation=_recommend(ordered, max_length),
    )


def _coverage(ordered: np.ndarray, percent: float, multiple: int) -> Coverage:
    needed = covering(ordered, percent)
    rounded = max(-(-needed // multiple), 1) * multiple
    return Coverage(percent=percent, needed=needed, limit=limit(ordered, rounded))


def _recommend(ordered: np.ndarray, max_length: int | None) -> Recommendation:
    """The smallest power of two that costs little, or what the model can take if that is less."""
    seq_len = LIMITS[0]
    while not _cheap(ordered, seq_len):
        seq_len *= 2
    wanted = limit(ordered, seq_len)
    reasons = [
        f"{seq_len:,} is the smallest power of two from {LIMITS[0]:,} on with at most {_TOLERATED:.0%} of the rows "
        f"over it ({_rows_over(wanted)}) and at most {_TOLERATED:.0%} of the tokens beyond it "
        f"({wanted.truncated.tokens_lost_share:.2%})"
    ]
    if seq_len > LIMITS[0]:
        reasons.append(f"at {seq_len // 2:,}, {_rows_over(limit(ordered, seq_len // 2))} would be too long")
    chosen = wanted
    if max_length is not None and max_length < seq_len:
        chosen = limit(ordered, max_length)
        reasons.append(f"the tokenizer says that the model takes at most {max_length:,}, so that is the limit")
    return Recommendation(limit=chosen, reasons=(*reasons, *_costs(chosen), *_doubts(ordered)))


def _cheap(ordered: np.ndarray, seq_len: int) -> bool:
    """As `limit` would say, without packing."""
    over = ordered > seq_len
    beyond = int((ordered[over] - seq_len).sum())
    return bool(over.mean() <= _TOLERATED and beyond <= _TOLERATED * int(ordered.sum()))


def _rows_over(cost: Limit) -> str:
    return f"{rows_text(cost.rows_over)}, {cost.rows_over_share:.2%}"


def _costs(chosen: Limit) -> list[str]:
    reasons = []
    if chosen.rows_over:
        cut, left_out = chosen.truncated, chosen.dropped
        reasons.append(
            f"truncating {counted(chosen.rows_over, 'longer row')} loses {counted(cut.tokens_lost, 'token')} "
            f"({cut.tokens_lost_share:.2%}) and the ends of these answers; dropping them loses "
            f"{counted(left_out.tokens_lost, 'token')} ({left_out.tokens_lost_share:.2%})"
        )
    if chosen.truncated.padding_waste is not None and chosen.truncated.packing_efficiency is not None:
        reasons.append(
            f"without packing {chosen.truncated.padding_waste:.1%} of a batch is padding; best-fit decreasing packs "
            f"the rows into {counted(chosen.truncated.packed_samples, 'sample')} that are "
            f"{chosen.truncated.packing_efficiency:.1%} tokens"
        )
    return reasons


def _doubts(ordered: np.ndarray) -> list[str]:
    """Percentiles of few rows are guesses, which a number alone does not show."""
    tail = _percentile(ordered, 99)
    if tail.low is not None and tail.high is not None and tail.high - tail.low <= 0.1 * tail.value:
        return []
    low, high = ("unknown" if end is None else f"{end:,}" for end in (tail.low, tail.high))
    return [
        f"{rows_text(len(ordered))} say little about the longest ones: the 99th percentile is {tail.value:,} with a "
        f"95% interval from {low} to {high}"
    ]
