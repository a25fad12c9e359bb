"""Duplicates that stand in the dataset: values that several rows share, and those that stand in more than one split.

Long texts are compared by a 64-bit digest; two of a million texts share one by chance with a probability of 3e-8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kbtools.data.conversations.reasoning import ReasoningError
from kbtools.data.table import batches, field_of
from kbtools.data.texts import of_cell
from kbtools.data.writable import writable

if TYPE_CHECKING:
    import polars as pl
    from datasets import Dataset

_SHOWN = 5


@dataclass(frozen=True)
class EqualRows:
    """Rows with the same value."""

    value: str
    """The value where it is short, otherwise empty."""
    rows: int
    first: int
    """Index of the first of these rows."""


@dataclass(frozen=True)
class Repeats:
    """What rows share in one column."""

    what: str
    path: str
    groups: int
    """Different values that stand in more than one row."""
    rows: int
    """Rows that hold them."""
    across: int
    """Values that stand in more than one split."""
    largest: tuple[EqualRows, ...]


def repeats(splits: Mapping[str, Dataset], paths: Mapping[str, str]) -> list[Repeats]:
    """What the rows of all splits share in the columns that are given as {what they hold: path}."""
    return [_column(splits, what, path) for what, path in paths.items()]


def _column(splits: Mapping[str, Dataset], what: str, path: str) -> Repeats:
    import polars as pl

    parts = [_digests(ds, path).with_columns(split=pl.lit(name)) for name, ds in splits.items()]
    rows = pl.concat(parts).with_row_index("row").drop_nulls("digest")
    groups = rows.group_by("digest", maintain_order=True).agg(
        rows=pl.len(), first=pl.col("row").first(), value=pl.col("value").first(), splits=pl.col("split").n_unique()
    )
    several = groups.filter(pl.col("rows") > 1).sort("rows", descending=True, maintain_order=True)
    return Repeats(
        what,
        path,
        groups=several.height,
        rows=int(several["rows"].sum()),
        across=several.filter(pl.col("splits") > 1).height,
        largest=tuple(
            EqualRows(value or "", count, first)
            for value, count, first in several.select("value", "rows", "first").head(_SHOWN).iter_rows()
        ),
    )


def _digests(ds: Dataset, path: str) -> pl.DataFrame:
    """A digest of each row's text, and the text itself where it is short."""
    import polars as pl

    found = [pl.DataFrame(schema={"digest": pl.UInt64, "value": pl.String})]
    for table in batches(ds, [path], rows=20_000):
        texts = pl.Series("value", [_text(value) for value in field_of(table, path).to_pylist()], pl.String)
        short = pl.when(texts.str.len_chars() <= 100).then(texts)
        digest = pl.when(texts.is_not_null()).then(texts.hash())
        found.append(pl.select(digest=digest, value=short))
    return pl.concat(found)


def _text(value: object) -> str | None:
    try:
        found = of_cell(value)
    except ReasoningError:  # messages without text, such as images
        found = str(value)
    return None if found is None else writable(found)
