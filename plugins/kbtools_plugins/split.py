"""The stage `split`: train, validation and test, with all rows of one group on one side.

Which side a group goes to follows from a digest of the seed and the group's own value, never from the order of the
rows (`split_groups`): a split takes each group that brings it nearer to its size.
How many held-out rows still have a near-duplicate in train is measured on every split (`leaks.leakage`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, JsonValue, model_validator

import kbtools as kb
from kbtools.data.table import frames, require_values, rows_text, take
from kbtools.wording import counted
from kbtools_plugins import split_keys
from kbtools_plugins.leaks.leakage import Leakage
from kbtools_plugins.split_groups import TRAIN, Groups, Strata, assigned, split_of_rows

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from datasets import Dataset, DatasetDict, Features

NO_GROUP = "none"
VALIDATION, TEST = "validation", "test"
STRATUM = "stratum"
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
        """The splits, their sizes, and what to say of them."""
        import numpy as np

        paths = self._paths(ds.features)
        keys = {name: path for name, path in paths.items() if name != STRATUM}
        members = split_keys.members(ds, keys, self.seed, partial(self._without_nulls, ds, keys))
        strata = _strata(ds, paths)
        fractions = self._fractions()
        groups = Groups.of(members, strata)
        if 0 < len(groups) < len(fractions):
            raise kb.errors.DataError(
                f"{counted(len(groups), 'group')} ({self._keys_text}) cannot fill {counted(len(fractions), 'split')} "
                f"({', '.join(fractions)}): no group may be in two. Give more rows, or another --group-by."
            )
        of_group = assigned(groups, fractions)
        of_row = split_of_rows(members, groups, of_group)
        sizes = _sizes(fractions, groups.rows, of_group, (strata, of_row) if strata else None)
        rows = {name: np.flatnonzero(of_row == place) for place, name in enumerate(fractions)}
        done = {name: take(ds, some, self.fingerprint(ds, name)) for name, some in rows.items()}
        return done, sizes, _uneven(sizes, fractions, ds.num_rows)

    def _without_nulls(
        self, ds: Dataset, keys: Mapping[str, str], frames: Iterator[pl.DataFrame]
    ) -> Iterator[pl.DataFrame]:
        """The frames; behind the last one a RowError where a key is null."""
        missing: dict[str, list[int]] = {key: [] for key in keys}
        for some in frames:
            for key, rows in missing.items():
                rows += some.filter(some[key].is_null())["row"].to_list()
            yield some
        remedy = "Drop these rows first with the stage filter, or group by another column with --group-by."
        for key, rows in missing.items():
            require_values(ds, rows, keys[key], remedy, self.columns)

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
            words[STRATUM] = self.stratify
        return {name: schema.require(schema.locate(word), "scalar") for name, word in words.items()}

    def _shared(self, done: dict[str, Dataset]) -> int:
        """Values of keys that are in two of the splits, read from the splits themselves: 0, or AssertionError."""
        import numpy as np

        keys = {name: path for name, path in self._paths(next(iter(done.values())).features).items() if name != STRATUM}
        found = {name: [np.unique(key) for key in split_keys.identities(ds, keys)] for name, ds in done.items()}
        shared = 0
        for one, other in combinations(done, 2):
            for path, first, second in zip([*keys.values()] or [""], found[one], found[other], strict=True):
                hits = np.intersect1d(first, second, assume_unique=True)
                if len(hits):
                    shared += _values_in_both(done[one], done[other], path, hits) if keys else len(hits)
        assert shared == 0, (
            f"split: {counted(shared, 'group')} ({self._keys_text}) are in more than one split: a defect"
        )
        return shared


def _values_in_both(one: Dataset, other: Dataset, path: str, hits: np.ndarray) -> int:
    """How many values are the same, where their numbers are."""
    return len(split_keys.values(one, path, hits) & split_keys.values(other, path, hits))


def _strata(ds: Dataset, paths: Mapping[str, str]) -> Strata | None:
    if STRATUM not in paths:
        return None
    return Strata.of(some[STRATUM] for some in frames(ds, {STRATUM: paths[STRATUM]}, rows=50_000))


def _sizes(
    names: Iterable[str], rows: np.ndarray, split: np.ndarray, strata: tuple[Strata, np.ndarray] | None
) -> dict[str, Any]:
    """Rows, share of all rows, groups and, when stratified, rows of each stratum, by split."""
    total, sizes = int(rows.sum()), dict[str, Any]()
    for place, name in enumerate(names):
        own = rows[split == place]
        count = int(own.sum())
        sizes[name] = {"rows": count, "share": round(count / max(total, 1), 4), "groups": len(own)}
        if strata:
            sizes[name]["strata"] = strata[0].counts(strata[1] == place)
    return sizes


def _uneven(sizes: dict[str, Any], fractions: dict[str, float], total: int) -> tuple[str, ...]:
    """What to say of splits that are more than a fifth larger or smaller than asked for."""
    asked = {name: fractions[name] * total for name in sizes}
    return tuple(
        f"split {name!r} has {size['rows']} of {rows_text(total)}, not {asked[name]:.0f}: groups are kept whole."
        for name, size in sizes.items()
        if abs(size["rows"] - asked[name]) > max(1, asked[name] / 5)
    )
