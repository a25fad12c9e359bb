"""What a card says of the rows themselves: counts of labels, ranges of numbers, and the licences that rows carry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kbtools.data.table import batches

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

_LABELS = 24
"""A column with more values than this is not a column of labels."""
_NUMBERS = ("int", "uint", "float")


@dataclass
class SplitFigures:
    """Figures of all splits together."""

    features: Features
    splits: dict[str, int]
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    """How often each value of a judge's column occurs."""
    numbers: dict[str, dict[str, str]] = field(default_factory=dict)
    """min, mean, median, max and the number of nulls."""
    licences: dict[str, int] = field(default_factory=dict)
    """Rows by licence; `unknown` where a row names none. Empty when no column says it."""

    @property
    def rows(self) -> int:
        """Rows of all splits."""
        return sum(self.splits.values())


def gather(splits: Mapping[str, Dataset], labelled: Iterable[str]) -> SplitFigures:
    """The facts of a dataset; `labelled` names the columns whose values are to be counted."""
    features = next(iter(splits.values())).features
    facts = SplitFigures(features, {name: ds.num_rows for name, ds in splits.items()})
    parts = list(splits.values())
    for name, feature in features.items():
        dtype = str(getattr(feature, "dtype", ""))
        if name in set(labelled):
            counts = Counter(value for ds in parts for value in _values(ds, name))
            if 0 < len(counts) <= _LABELS:
                facts.labels[name] = {str(value): counts[value] for value in sorted(counts, key=_sortable)}
        if dtype.startswith(_NUMBERS):
            facts.numbers[name] = _range(parts, name)
    for name in ("licenses", "license"):
        if name in features:
            facts.licences = _licences(parts, name)
    return facts


def _values(ds: Dataset, name: str) -> Iterable[object]:
    for table in batches(ds, [name]):
        yield from table.column(name).to_pylist()


def _sortable(value: object) -> tuple[bool, str, float, str]:
    number = float(value) if isinstance(value, int | float) else 0.0
    return value is None, type(value).__name__, number, str(value)


def _range(parts: list[Dataset], name: str) -> dict[str, str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    tables = [table for ds in parts for table in batches(ds, [name], rows=50_000)]
    column: pa.ChunkedArray = pa.concat_tables(tables).column(name) if tables else pa.chunked_array([[]])
    ends = pc.min_max(column)
    shown = {
        "min": ends["min"],
        "mean": pc.mean(column),
        "median": pc.quantile(column, 0.5)[0] if len(column) > column.null_count else pa.scalar(None),
        "max": ends["max"],
    }
    return {**{key: _number(value.as_py()) for key, value in shown.items()}, "nulls": f"{column.null_count:,}"}


def _number(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _licences(parts: list[Dataset], name: str) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for ds in parts:
        for value in _values(ds, name):
            named = value if isinstance(value, list) else [value]
            counts.update({", ".join(sorted(str(n) for n in named if n)) or "unknown": 1})
    return {licence: counts[licence] for licence in sorted(counts, key=lambda key: (-counts[key], key))}
