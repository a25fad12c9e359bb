"""Columns of single values as the report needs them: numbers, or labels in an order; long texts are left out.

What is here is small enough to stand uncompressed in a browser's memory; it is sorted, filtered, searched and drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kbtools.data.columns import all_paths, column_type
from kbtools.data.table import column

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset, Features

SCALES = (("low", "medium", "high"), ("false", "true"))
"""Labels whose order is known, lowest first."""
MOST_LABELS = 20
"""Up to so many different labels are a choice; more are names."""
_LONGEST = 200
_EXACT = 2**53
"""Whole numbers beyond it are not exact in a browser, and are shown as text."""


@dataclass(frozen=True)
class Numbers:
    """A column of numbers."""

    path: str
    values: np.ndarray
    """float64, NaN for null."""
    whole: bool

    @property
    def known(self) -> np.ndarray:
        """The finite values."""
        import numpy as np

        found: np.ndarray = self.values[np.isfinite(self.values)]
        return found

    @property
    def distinct(self) -> int:
        """Different values, not counting nulls."""
        import numpy as np

        return len(np.unique(self.values[~np.isnan(self.values)]))


@dataclass(frozen=True)
class Labels:
    """A column of short texts."""

    path: str
    codes: np.ndarray
    """Place of each row's text in `labels`, -1 for null."""
    labels: tuple[str, ...]
    """The different texts, sorted by their scale where it is known, otherwise as texts."""

    @property
    def distinct(self) -> int:
        """Different texts, not counting nulls."""
        return len(self.labels)

    @property
    def few(self) -> bool:
        """Whether the texts are a choice rather than names."""
        return self.distinct <= MOST_LABELS

    @property
    def counts(self) -> list[int]:
        """Rows of each label."""
        import numpy as np

        rows: list[int] = np.bincount(self.codes[self.codes >= 0], minlength=len(self.labels)).tolist()
        return rows


Column = Numbers | Labels


def missing(found: Column) -> int:
    """Rows without a value: null or NaN."""
    import numpy as np

    return int((found.codes < 0).sum() if isinstance(found, Labels) else np.isnan(found.values).sum())


def small_columns(ds: Dataset) -> list[Column]:
    """Every column of single short values, nested ones with dotted paths, in the dataset's order."""
    found = (_read(ds, path) for path in _single_value_paths(ds.features))
    return [item for item in found if item is not None]


def label_column(path: str, values: list[str]) -> Labels:
    """A column of texts that is not in the dataset, such as the name of the split."""
    import pyarrow as pa

    return _labels(path, pa.array(values, pa.string()))


def _single_value_paths(features: Features) -> Iterator[str]:
    for path in all_paths(features):
        if type(column_type(features, path)).__name__ in ("Value", "ClassLabel"):
            yield path


def _read(ds: Dataset, path: str) -> Column | None:
    import pyarrow as pa

    feature: Any = column_type(ds.features, path)
    if feature.dtype in ("binary", "large_binary"):
        return None
    if feature.dtype in ("string", "large_string", "string_view"):
        return _texts(ds, path)
    cells = column(ds, path).combine_chunks()
    if hasattr(feature, "int2str"):  # a ClassLabel
        names = [None if code is None else feature.int2str(code) for code in cells.to_pylist()]
        return _labels(path, pa.array(names, pa.string()))
    if pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type):
        return _numbers(path, cells)
    return _labels(path, pa.array([_plain(value) for value in cells.to_pylist()], pa.string()))


def _plain(value: object) -> str | None:
    """Truth values as JSON writes them, and dates as ISO 8601."""
    if value is None or isinstance(value, bool):
        return None if value is None else str(value).lower()
    return str(value.isoformat() if hasattr(value, "isoformat") else value)


def _texts(ds: Dataset, path: str) -> Labels | None:
    """The column unless its texts are long, which the first of them give away without reading the rest."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for some in (ds.select(range(min(100, ds.num_rows))), ds):
        cells = column(some, path).combine_chunks()
        longest = pc.max(pc.utf8_length(cells)).as_py() or 0
        if longest > _LONGEST or pc.any(pc.match_substring(cells, "\n")).as_py():
            return None
    return _labels(path, cells.cast(pa.string()))


def _numbers(path: str, cells: pa.Array) -> Column:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = pa.types.is_integer(cells.type)
    ends = pc.min_max(cells).as_py() if whole else {}
    if any(abs(end or 0) > _EXACT for end in ends.values()):
        return _labels(path, cells.cast(pa.string()))
    values = cells.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    return Numbers(path, values, whole)


def _labels(path: str, cells: pa.Array) -> Labels:
    import numpy as np

    encoded = cells.dictionary_encode()
    found: list[str] = encoded.dictionary.to_pylist()
    ordered = _ordered(found)
    rank = {label: place for place, label in enumerate(ordered)}
    places = np.array([*(rank[label] for label in found), -1], dtype=np.int32)
    codes = encoded.indices.fill_null(len(found)).to_numpy(zero_copy_only=False)
    return Labels(path, places[codes], tuple(ordered))


def _ordered(labels: list[str]) -> list[str]:
    """By the scale that most of the labels belong to, then those that do not; without a scale, as texts."""
    alphabetic = sorted(labels, key=lambda label: (label.casefold(), label))
    for scale in SCALES:
        if len(set(labels) & set(scale)) > len(labels) / 2:
            return [
                *(label for label in scale if label in labels),
                *(label for label in alphabetic if label not in scale),
            ]
    return alphabetic
