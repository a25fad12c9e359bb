"""What is in the columns of a dataset: types, nulls, distinct values, distributions, frequent values, lengths.

One pass over the rows keeps a 64-bit digest and a number or a length of each value, never the texts; so a million rows
need some megabytes a column. Two of a million values share a digest with a chance of 3e-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from kbtools.data.columns import column_type, type_text
from kbtools.data.table import batches, field_of, top_column
from kbtools.figures import Facts
from kbtools.wording import counted

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    import pyarrow as pa
    from datasets import Dataset, Features

_SHOWN = 200
"""Characters of a frequent value that are kept."""
_BINS = 40
Measure = Literal["value", "characters", "items"]


class Frequent(Facts):
    """A value that is in several rows."""

    value: str
    count: int


class ValueBins(Facts):
    """Rows by value; bin i covers edges[i] <= value < edges[i+1], the last bin also its upper edge."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Spread(Facts):
    """The distribution of numbers, or of the lengths of texts and lists."""

    of: Measure
    count: int
    """Finite values."""
    min: int | float
    max: int | float
    mean: float | None
    """None where the sum is more than a float can hold."""
    deviation: float | None
    """Standard deviation of the sample; 0 for one value, None as for the mean."""
    percentiles: dict[str, int | float]
    """Smallest value that so many percent of the values do not exceed."""
    histogram: ValueBins


class ColumnSummary(Facts):
    """One column, or one field of a nested column."""

    name: str
    type: str
    rows: int
    nulls: int
    nan: int
    infinite: int
    unique: int
    """Distinct values that are not null."""
    frequent: tuple[Frequent, ...]
    """The values that stand in the most rows, as far as they stand in more than one."""
    spread: Spread | None
    """None for columns without numbers or lengths, or without a single finite value."""


class StatsFigures(Facts):
    """All columns."""

    rows: int
    columns: tuple[ColumnSummary, ...]


def leaves(features: Features) -> list[str]:
    """Columns and, in place of nested ones, their fields."""
    return [path for name, feature in features.items() for path in _leaves(name, feature)]


def _leaves(path: str, feature: object) -> list[str]:
    if isinstance(feature, dict) and feature:
        return [inner for name, field in feature.items() for inner in _leaves(f"{path}.{name}", field)]
    return [path]


def summarise(ds: Dataset, paths: Sequence[str], top: int) -> StatsFigures:
    """Read the rows once and summarise each of these columns."""
    seen = {path: _Seen(column_type(ds.features, path)) for path in paths}
    for table in batches(ds, list(paths)) if paths else ():
        for path, values in seen.items():
            values.add(field_of(table, path))
    return StatsFigures(rows=ds.num_rows, columns=tuple(_summary(ds, path, seen[path], top) for path in paths))


class _Seen:
    """What is kept of one column: digests, numbers or lengths, and how many values are null."""

    def __init__(self, feature: object) -> None:
        self.type = type_text(feature)
        self.nulls = 0
        self.measure: Measure | None = None
        self._digests: list[np.ndarray] = []
        self._numbers: list[np.ndarray] = []

    def add(self, values: pa.ChunkedArray | pa.Array) -> None:
        """Look at the next rows."""
        import numpy as np
        import polars as pl
        import pyarrow as pa
        import pyarrow.types as pt

        if pt.is_decimal(values.type):  # of which polars takes only some, and makes objects
            values = values.cast(pa.float64())
        series = pl.Series(pl.from_arrow(values))
        self.nulls += series.null_count()
        digests = series.hash().to_numpy()
        self._digests.append(np.where(series.is_null().to_numpy(), _NULL, np.where(digests == _NULL, 1, digests)))
        measured = self._measured(series)
        if measured is not None:
            self._numbers.append(measured.drop_nulls().to_numpy())

    def _measured(self, series: pl.Series) -> pl.Series | None:
        import polars as pl

        if series.dtype.is_numeric():
            self.measure = "value"
            return series
        if series.dtype == pl.String:
            self.measure = "characters"
            return series.str.len_chars()
        if series.dtype == pl.List:
            self.measure = "items"
            return series.list.len()
        return None

    def numbers(self) -> np.ndarray:
        """Values or lengths of all rows that have one."""
        import numpy as np

        return np.concatenate(self._numbers) if self._numbers else np.empty(0)

    def frequencies(self) -> pl.DataFrame:
        """Digest, number of rows and first row of each distinct value, the most frequent first."""
        import numpy as np
        import polars as pl

        digests = np.concatenate(self._digests) if self._digests else np.empty(0, dtype=np.uint64)
        rows = pl.DataFrame({"digest": digests, "row": np.arange(len(digests))}).filter(pl.col("digest") != _NULL)
        counted = rows.group_by("digest").agg(count=pl.len(), row=pl.col("row").min())
        return counted.sort("count", "row", descending=[True, False])


_NULL = 0
"""Stands for null among digests."""


def _summary(ds: Dataset, path: str, seen: _Seen, top: int) -> ColumnSummary:
    import numpy as np

    numbers = seen.numbers()
    finite = numbers[np.isfinite(numbers)]
    nan = int(np.isnan(numbers).sum())
    frequencies = seen.frequencies()
    repeated = frequencies.head(top).filter(frequencies.head(top)["count"] > 1)
    return ColumnSummary(
        name=path,
        type=seen.type,
        rows=ds.num_rows,
        nulls=seen.nulls,
        nan=nan,
        infinite=len(numbers) - len(finite) - nan,
        unique=frequencies.height,
        frequent=tuple(
            Frequent(value=_shown(ds, path, row), count=count)
            for count, row in repeated.select("count", "row").iter_rows()
        ),
        spread=_spread(finite, seen.measure) if len(finite) and seen.measure else None,
    )


def _spread(numbers: np.ndarray, measure: Measure) -> Spread:
    import numpy as np

    percents = (1, 5, 25, 50, 75, 95, 99)
    found = np.percentile(numbers, percents, method="inverted_cdf")
    with np.errstate(over="ignore", invalid="ignore"):
        wide = numbers.astype(np.float64)
        mean, deviation = float(wide.mean()), float(wide.std(ddof=1)) if len(wide) > 1 else 0.0
    return Spread(
        of=measure,
        count=len(numbers),
        min=numbers.min().item(),
        max=numbers.max().item(),
        mean=mean if np.isfinite(mean) else None,
        deviation=deviation if np.isfinite(deviation) else None,
        percentiles={f"{percent}": value.item() for percent, value in zip(percents, found, strict=True)},
        histogram=_histogram(numbers),
    )


def _histogram(numbers: np.ndarray) -> ValueBins:
    """At most `_BINS` equal bins, counted from the smallest value, so that large numbers close together stay apart."""
    import numpy as np

    kind = numbers.dtype.kind
    wide = numbers if kind == "u" else numbers.astype(np.int64 if kind == "i" else np.float64)
    low, high = wide.min(), wide.max()
    with np.errstate(over="ignore"):
        above = (wide - low).astype(np.float64)
    if not (np.isfinite(above) & (above >= 0)).all():  # the range is more than the type can hold
        return ValueBins(edges=(float(low), float(high)), counts=(len(numbers),))
    counts, edges = np.histogram(above, bins=min(_BINS, max(len(np.unique(numbers)), 1)))
    return ValueBins(edges=tuple((edges + float(low)).tolist()), counts=tuple(counts.tolist()))


def _shown(ds: Dataset, path: str, row: int) -> str:
    """The value of a row as text, cut where it is long, with its length."""
    table = ds.select([row]).select_columns([top_column(ds.features, path)]).with_format("arrow")[:]
    text = str(field_of(table, path)[0].as_py())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({counted(len(text), 'character')})"
