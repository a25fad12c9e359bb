"""The stage `split`: train, validation and test, with all rows of one group on one side.

Which side a group goes to follows from a digest of the seed and the group's own value, never from the order of the
rows (`split_groups`): a split takes each group that brings it nearer to its size.
How many held-out rows still have a near-duplicate in train is measured on every split (`leaks.leakage`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, JsonValue, model_validator

import kbtools as kb
from kbtools.data.table import batches, frame, require_values, rows_text, take
from kbtools.wording import counted
from kbtools_plugins.leaks.leakage import Leakage
from kbtools_plugins.split_groups import TRAIN, assigned, in_order

if TYPE_CHECKING:
    import polars as pl
    from datasets import Dataset, DatasetDict, Features

NO_GROUP = "none"
VALIDATION, TEST = "validation", "test"
Fraction = Annotated[float, Field(ge=0, lt=1)]


def _words(value: object) -> object:
    """One word or several with commas between them, where a list is meant."""
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words), Field(min_length=1)]


class Split(kb.Stage):
    """Split into train and validation so that no group (by default no module) is on both sides."""

    name: ClassVar[str] = "split"
    scope: ClassVar[kb.stage.Scope] = "dataset"

    validation: Fraction = 0.1
    """Share of the rows that goes into the split `validation`."""
    test: Fraction = 0.0
    """Share of the rows that goes into the split `test`; none by default."""
    seed: int = 42
    """Another seed gives another split; the same seed the same, whatever the order of the rows."""
    group_by: Words = ("module_name",)
    """Roles or columns: rows that are equal in any of them stay together, and so do all that such rows connect.
    `none` groups only rows that are equal in every column."""
    stratify: str | None = None
    """Role or column whose values get the same share in every split, as far as whole groups allow."""
    merge: bool = False
    """Join the splits that the dataset already has, and split all its rows anew."""
    drop_columns: Annotated[tuple[str, ...], BeforeValidator(_words)] = ()
    """Columns that are left out once the rows are split, as those that only the split needed."""
    leakage: bool = True
    """Measure how many held-out rows have a near-duplicate in train by their reference code (1 to 2 ms for each
    different code)."""

    @model_validator(mode="after")
    def _leaves_something(self) -> Split:
        if not 0 < self.validation + self.test < 1:
            raise ValueError("validation and test together must be more than 0 and leave rows to train (less than 1)")
        return self

    def output_features(self, features: Features) -> Features:
        """Those that are not left out, once the columns to group and to stratify by are known to be there."""
        self._paths(features)
        if missing := [name for name in self.drop_columns if name not in features]:
            raise kb.errors.SchemaError(
                f"--drop-columns: there is no column {', '.join(missing)}; there are {', '.join(features)}."
            )
        return type(features)({name: kind for name, kind in features.items() if name not in self.drop_columns})

    @classmethod
    def figures(cls, facts: Mapping[str, JsonValue]) -> kb.figures.Section | None:
        """How many held-out rows have a near-duplicate in train."""
        return Leakage.of_facts(facts).section()

    def transform_splits(self, splits: DatasetDict) -> kb.Result:
        """Split the only split there is, or all of them joined if that was asked for."""
        import datasets

        if len(splits) > 1 and not self.merge:
            sizes = ", ".join(f"{name} {ds.num_rows}" for name, ds in splits.items())
            raise kb.errors.UsageError(
                f"the dataset is split already ({sizes}). Choose one of its splits with --split NAME, "
                "or join them and split all rows anew with --merge."
            )
        return self.transform(datasets.concatenate_datasets(list(splits.values())))

    def transform(self, ds: Dataset) -> kb.Result:
        """Assign whole groups to the splits, and check on the result that none is shared."""
        import datasets

        done, sizes, uneven = self._divided(ds)
        facts: dict[str, JsonValue] = {
            "group_by": self._keys_text,
            "splits": sizes,
            "shared_groups": self._shared(done),
        }
        leakage = self._leakage(done)
        notes = (*uneven, *leakage.notes())
        slim = {name: ds.remove_columns(list(self.drop_columns)) for name, ds in done.items()}
        return kb.Result(
            datasets.DatasetDict(slim), notes=notes, facts=facts | leakage.facts(), tables=leakage.tables()
        )

    def _divided(self, ds: Dataset) -> tuple[dict[str, Dataset], dict[str, Any], tuple[str, ...]]:
        """The splits, their sizes, and what to say of them; the keys of all rows are in memory no longer than this."""
        import polars as pl

        rows = _decisive(self._rows(ds))
        fractions = self._fractions()
        groups = in_order(rows, self.seed)
        if 0 < groups.height < len(fractions):
            raise kb.errors.DataError(
                f"{counted(groups.height, 'group')} ({self._keys_text}) cannot fill {counted(len(fractions), 'split')} "
                f"({', '.join(fractions)}): no group may be in two. Give more rows, or another --group-by."
            )
        held = assigned(groups, fractions).filter(pl.col("split") != TRAIN)
        rows = rows.join(held, on="group", how="left", maintain_order="left")
        rows = rows.with_columns(pl.col("split").fill_null(TRAIN))
        parts = {name: rows.filter(rows["split"] == name) for name in fractions}
        done = {name: take(ds, part["row"].to_numpy(), self.fingerprint(ds, name)) for name, part in parts.items()}
        return done, _sizes(parts, ds.num_rows), _uneven(parts, fractions, ds.num_rows)

    def _leakage(self, done: dict[str, Dataset]) -> Leakage:
        """What held-out rows have in train, where there is reference code and it is to be measured."""
        train, *_ = done.values()
        schema = kb.Schema(train.features, self.columns)
        if not self.leakage or not schema.has("reference_code"):
            return Leakage({})
        code = schema.readable("reference_code")
        try:
            return Leakage.between(train, {name: ds for name, ds in done.items() if name != TRAIN}, code)
        except (
            kb.errors.MissingExtra
        ) as error:  # a split is right without the figure, which takes numba where it is large
            return Leakage({}, not_measured=str(error))

    @property
    def _keys_text(self) -> str:
        return ", ".join(self.group_by)

    def _fractions(self) -> dict[str, float]:
        """Every split that is asked for, train first, with its share."""
        held = {name: share for name, share in ((VALIDATION, self.validation), (TEST, self.test)) if share}
        return {TRAIN: 1 - sum(held.values()), **held}

    def _paths(self, features: Features) -> dict[str, str]:
        """Paths of the columns to group by (`key0`, ...) and of the stratum."""
        schema = kb.Schema(features, self.columns)
        words = {f"key{number}": word for number, word in enumerate(self.group_by) if self.group_by != (NO_GROUP,)}
        if self.stratify is not None:
            words["stratum"] = self.stratify
        return {name: schema.require(schema.locate(word), "scalar") for name, word in words.items()}

    def _rows(self, ds: Dataset) -> pl.DataFrame:
        """Index, keys, group and stratum of every row; RowError where a key is null."""
        import polars as pl

        paths = self._paths(ds.features)
        rows = frame(ds, paths)
        keys = [name for name in paths if name != "stratum"]
        if not keys:
            return rows.with_columns(group=pl.Series(list(_contents(ds)), dtype=pl.String))
        for key in keys:
            missing = rows.filter(rows[key].is_null())["row"].to_list()
            remedy = "Drop these rows first with the stage filter, or group by another column with --group-by."
            require_values(ds, missing, paths[key], remedy, self.columns)
        return rows.with_columns(group=rows[keys[0]] if len(keys) == 1 else _united(rows, keys))

    def _shared(self, done: dict[str, Dataset]) -> int:
        """Values of keys that are in two of the splits, read from the splits themselves: 0, or AssertionError."""
        found = [self._rows(ds) for ds in done.values()]
        keys = [name for name in found[0].columns if name.startswith("key")] or ["group"]
        shared = sum(
            one.select(key).unique().join(other.select(key).unique(), on=key, how="semi").height
            for key in keys
            for one, other in combinations(found, 2)
        )
        assert shared == 0, (
            f"split: {counted(shared, 'group')} ({self._keys_text}) are in more than one split: a defect"
        )
        return shared


def _united(rows: pl.DataFrame, keys: list[str]) -> pl.Series:
    """The group of every row where rows that are equal in any key are together: the least value of the first key."""
    import polars as pl

    parents = list(range(rows.height))

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    for key in keys:
        for row, first in enumerate(rows.select(pl.col("row").first().over(key)).to_series().to_list()):
            one, other = root(row), root(first)
            parents[max(one, other)] = min(one, other)
    roots = pl.Series("root", [root(row) for row in range(rows.height)], pl.UInt32)
    values = rows.select(value=pl.col(keys[0]).cast(pl.String), root=roots)
    return values.select(pl.col("value").min().over("root")).to_series()


def _contents(ds: Dataset) -> Iterator[str]:
    """A digest of everything in each row."""
    for table in batches(ds, ds.column_names):
        for row in table.to_pylist():
            yield hashlib.sha256(json.dumps(row, sort_keys=True, default=str).encode()).hexdigest()


def _decisive(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows without their keys, once those have made groups."""
    return rows.select(name for name in rows.columns if not name.startswith("key"))


def _sizes(parts: dict[str, pl.DataFrame], total: int) -> dict[str, Any]:
    """Rows, share of all rows, groups and, when stratified, rows of each stratum, by split."""
    sizes: dict[str, Any] = {}
    for name, part in parts.items():
        sizes[name] = {
            "rows": part.height,
            "share": round(part.height / max(total, 1), 4),
            "groups": part["group"].n_unique(),
        }
        if "stratum" in part.columns:
            counts = part.group_by("stratum").len().sort("stratum")
            sizes[name]["strata"] = {str(value): count for value, count in counts.iter_rows()}
    return sizes


def _uneven(parts: dict[str, pl.DataFrame], fractions: dict[str, float], total: int) -> tuple[str, ...]:
    """What to say of splits that are more than a fifth larger or smaller than asked for."""
    asked = {name: fractions[name] * total for name in parts}
    return tuple(
        f"split {name!r} has {part.height} of {rows_text(total)}, not {asked[name]:.0f}: groups are kept whole."
        for name, part in parts.items()
        if abs(part.height - asked[name]) > max(1, asked[name] / 5)
    )
