"""Columns as numbers: what is numeric stays so, and labels become ranks in an order that is known or given.

No order is ever guessed from the alphabet, which would put high before low.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import kbtools as kb
from kbtools.data.columns import column_type
from kbtools.data.table import column, row_name, rows_text

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset, Features

KNOWN_ORDERS = (("low", "medium", "high"),)
"""Scales whose labels need no explanation, lowest first."""
Kind = Literal["numeric", "boolean", "ordinal", "nominal"]


@dataclass(frozen=True)
class Scale:
    """A column as numbers."""

    name: str
    values: np.ndarray
    """float64, NaN for null; for labels the index in `labels`."""
    kind: Kind
    labels: tuple[str, ...] = ()
    """Lowest first; for nominal columns in no order that means anything."""
    ignored: int = 0
    """Rows whose label is not a verdict, and whose value is therefore NaN."""

    def label(self, value: float) -> str | None:
        """A value as it is in the column."""
        if value != value:
            return None
        if self.kind == "boolean":
            return "true" if value else "false"
        return self.labels[int(value)] if self.labels else f"{value:g}"


def require(features: Features, paths: Sequence[str], columns: dict[str, str]) -> None:
    """SchemaError unless each path is a column of numbers, labels, or truth values."""
    schema = kb.Schema(features, columns)
    for path in paths:
        found = column_type(features, schema.path(path))
        if _kind(found) is None:
            raise kb.errors.SchemaError(
                f"column {path!r} must hold numbers, labels, or true and false, but its type is "
                f"{kb.data.columns.type_text(found)}. Columns: {schema.describe()}."
            )


@dataclass(frozen=True)
class LabelReading:
    """How the labels of columns are to be read."""

    orders: Mapping[str, Sequence[str]]
    """Labels by column, lowest first, where that was said."""
    ignore: Sequence[str] = ()
    """Labels that are not verdicts."""
    nominal: bool = False
    """Whether labels are mere names, so that any order will do."""


def scale_of(ds: Dataset, path: str, reading: LabelReading, columns: dict[str, str]) -> Scale:
    """A column as numbers; RowError names a row whose label is in no order."""
    import numpy as np
    import pyarrow as pa

    cells = column(ds, path).combine_chunks()
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        return _ranked(ds, path, cells, reading, columns)
    kind: Kind = "boolean" if pa.types.is_boolean(cells.type) else "numeric"
    numbers = cells.cast(pa.int8()) if kind == "boolean" else cells
    values = numbers.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return Scale(path, values.astype(np.float64), kind)


def _ranked(ds: Dataset, path: str, cells: pa.Array, reading: LabelReading, columns: dict[str, str]) -> Scale:
    import numpy as np

    encoded = cells.dictionary_encode()
    found = encoded.dictionary.to_pylist()
    verdicts = [label for label in found if label not in reading.ignore]
    labels = tuple(reading.orders[path]) if path in reading.orders else _order(verdicts, reading.nominal)
    if unknown := [label for label in verdicts if label not in labels]:
        raise _unknown_label(ds, path, cells, unknown, labels, columns)
    rank = np.array([labels.index(label) if label in labels else np.nan for label in found], dtype=np.float64)
    codes = encoded.indices.fill_null(len(found)).to_numpy(zero_copy_only=False)
    values = np.append(rank, np.nan)[codes]
    ignored = int((codes < len(found)).sum() - (~np.isnan(values)).sum())
    return Scale(path, values, "nominal" if reading.nominal else "ordinal", labels, ignored)


def ignored_note(found: Sequence[Scale]) -> tuple[str, ...]:
    """Which columns hold labels that are not verdicts."""
    named = [f"{scale.name} in {rows_text(scale.ignored)}" for scale in found if scale.ignored]
    return (f"labels that are not verdicts (--ignore) count as missing: {', '.join(named)}",) if named else ()


def modules(ds: Dataset, columns: dict[str, str]) -> tuple[str | None, np.ndarray]:
    """The column that names modules, and for each row the number of its module; without one each row is its own."""
    import numpy as np

    schema = kb.Schema(ds.features, columns)
    if not schema.has("module_name"):
        return None, np.arange(ds.num_rows)
    path = schema.find("module_name")
    encoded = column(ds, path).combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.float64)
    unnamed = np.isnan(codes)
    codes[unnamed] = len(encoded.dictionary) + np.arange(unnamed.sum())
    return path, codes.astype(np.int64)


def is_measurable(feature: object) -> bool:
    """Whether a column of this type holds numbers, labels or truth values."""
    return _kind(feature) is not None


def _kind(feature: object) -> str | None:
    dtype = str(getattr(feature, "dtype", ""))
    if dtype.startswith(("int", "uint", "float")):
        return "number"
    return dtype if dtype in ("bool", "string", "large_string") else None


def _order(found: Sequence[str], nominal: bool) -> tuple[str, ...]:
    """The known order that fits these labels; names go by the alphabet, which means nothing then."""
    for order in KNOWN_ORDERS:
        if set(found) <= set(order):
            return order
    return tuple(sorted(found)) if nominal else KNOWN_ORDERS[0]


def _unknown_label(
    ds: Dataset, path: str, cells: pa.Array, unknown: Sequence[str], labels: Sequence[str], columns: dict[str, str]
) -> kb.errors.RowError:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = np.flatnonzero(pc.is_in(cells, value_set=pa.array(unknown, cells.type)).to_numpy(zero_copy_only=False))
    shown = ", ".join(repr(label[:40]) for label in unknown[:5])
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    return kb.errors.RowError(
        f"column {path!r} holds labels that are not in the order {' < '.join(labels)}: {shown}{more}, in "
        f"{rows_text(len(rows))}, first {row_name(ds, int(rows[0]), columns)}. Give the whole order, lowest "
        "first, with --labels, or name labels that are not verdicts with --ignore."
    )
