"""What two datasets differ in: columns and types, rows by key, and figures of each column.

Rows are compared by digests of their cells, so memory grows with the number of rows and not with their texts. Reading
and printing is the caller's part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kbtools.data.columns import Schema, type_text
from kbtools.data.table import batches
from kbtools.errors import DataError, UsageError

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

Key = tuple[Any, ...]
_EXAMPLES = 5


@dataclass(frozen=True)
class ColumnFigures:
    """One column on both sides; None where a figure makes no sense for its type or side."""

    nulls: tuple[int | None, int | None]
    mean: tuple[float | None, float | None]
    """Mean of numbers; of texts, their mean length in characters."""
    changed: int
    """Rows on both sides whose value differs."""


@dataclass(frozen=True)
class SplitDifference:
    """How the rows of one split differ."""

    rows: tuple[int, int]
    added: int
    removed: int
    changed: int
    examples: Mapping[str, list[str]]
    """The first few keys that were added, removed and changed."""
    columns: Mapping[str, ColumnFigures]

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return not (self.added or self.removed or self.changed)


@dataclass(frozen=True)
class DatasetDiff:
    """How two datasets differ."""

    schema: list[str]
    """Changes of columns and splits, in words."""
    splits: Mapping[str, SplitDifference]
    key: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return not self.schema and all(split.same for split in self.splits.values())


def compare(old: Dataset | DatasetDict, new: Dataset | DatasetDict, key: Sequence[str] = ()) -> DatasetDiff:
    """The differences from old to new; rows are the same row when their key is equal.

    The key is that of the layout when not given (`example_id`, `uuid`, ...), and the whole row where there is none.
    """
    before, after = _splits(old), _splits(new)
    schema = [f"split {name} is gone" for name in before if name not in after]
    schema += [f"split {name} is new" for name in after if name not in before]
    both = [name for name in before if name in after]
    if both:
        schema += _schema_changes(before[both[0]], after[both[0]])
    columns = tuple(key) or _own_key([*before.values(), *after.values()])
    return DatasetDiff(schema, {name: _split(before[name], after[name], columns) for name in both}, columns)


def _splits(data: Dataset | DatasetDict) -> dict[str, Dataset]:
    return dict(data) if isinstance(data, dict) else {str(data.split or "train"): data}


def _schema_changes(old: Dataset, new: Dataset) -> list[str]:
    before, after = old.features, new.features
    changes = [f"column {name} is gone ({type_text(before[name])})" for name in before if name not in after]
    changes += [f"column {name} is new ({type_text(after[name])})" for name in after if name not in before]
    for name in before:
        if name in after and before[name] != after[name]:
            changes.append(f"column {name} was {type_text(before[name])}, is {type_text(after[name])}")
    return changes


def _own_key(parts: Sequence[Dataset]) -> tuple[str, ...]:
    found = {Schema(ds.features).find("row_id") if Schema(ds.features).has("row_id") else "" for ds in parts}
    return tuple(found) if len(found) == 1 and "" not in found else ()


@dataclass
class _Side:
    """One side of a comparison: digests of the cells of each row, by key, and sums for the figures."""

    cells: dict[Key, list[bytes]] = field(default_factory=dict)
    nulls: dict[str, int] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def _split(old: Dataset, new: Dataset, key: tuple[str, ...]) -> SplitDifference:
    common = [name for name in old.column_names if name in new.column_names]
    before, after = _read(old, common, key), _read(new, common, key)
    added = [k for k in after.cells if k not in before.cells]
    removed = [k for k in before.cells if k not in after.cells]
    changed = [k for k, cells in before.cells.items() if k in after.cells and after.cells[k] != cells]
    named = {"added": added, "removed": removed, "changed": changed} if key else {}
    return SplitDifference(
        rows=(old.num_rows, new.num_rows),
        added=len(added),
        removed=len(removed),
        changed=len(changed),
        examples={what: [", ".join(map(str, k)) for k in keys[:_EXAMPLES]] for what, keys in named.items() if keys},
        columns={name: _figures(name, i, before, after, changed) for i, name in enumerate(common)},
    )


def _read(ds: Dataset, common: list[str], key: tuple[str, ...]) -> _Side:
    side = _Side(nulls=dict.fromkeys(common, 0), sums=dict.fromkeys(common, 0.0), counts=dict.fromkeys(common, 0))
    places = {column: Schema(ds.features).path(column).split(".") for column in key}
    seen: dict[Key, int] = {}
    for table in batches(ds, [*common, *key]):
        for row in table.to_pylist():
            cells = [_digest(row[name]) for name in common]
            named = tuple(_at(row, place) for place in places.values()) if key else (b"".join(cells),)
            seen[named] = seen.get(named, 0) + 1
            if key and seen[named] > 1:
                raise _ambiguous(key, named)
            side.cells[(*named, seen[named]) if not key else named] = cells
            for name in common:
                _count(side, name, row[name])
    return side


def _ambiguous(key: tuple[str, ...], value: Key) -> DataError:
    text = ", ".join(f"{name} = {part!r}" for name, part in zip(key, value, strict=True))
    return DataError(
        f"two rows of one split have {text}, which is not a key: give columns that differ in each row, --key."
    )


def _at(row: Mapping[str, object], place: Sequence[str]) -> object:
    value: Any = row
    for part in place:
        value = None if value is None else value[part]
    if isinstance(value, dict | list):
        raise UsageError(f"--key {'.'.join(place)}: a key is text or a number, not {type(value).__name__}.")
    return value


def _digest(value: object) -> bytes:
    text = value if isinstance(value, str) else "\0" + json.dumps(value, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _count(side: _Side, name: str, value: object) -> None:
    if value is None:
        side.nulls[name] += 1
    elif isinstance(value, str | int | float):
        side.sums[name] += len(value) if isinstance(value, str) else value
        side.counts[name] += 1


def _figures(name: str, position: int, before: _Side, after: _Side, changed: list[Key]) -> ColumnFigures:
    differing = sum(before.cells[k][position] != after.cells[k][position] for k in changed)
    return ColumnFigures(
        nulls=(before.nulls[name], after.nulls[name]), mean=(_mean(before, name), _mean(after, name)), changed=differing
    )


def _mean(side: _Side, name: str) -> float | None:
    return side.sums[name] / side.counts[name] if side.counts[name] else None
