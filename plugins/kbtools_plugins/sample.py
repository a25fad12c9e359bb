"""The stage `sample`: the first rows, rows drawn at random, or some rows of each group."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

import kbtools as kb
from kbtools.data.table import frame, keep, require_values, rows_text

if TYPE_CHECKING:
    from datasets import Dataset, Features

Count = Annotated[int, Field(ge=1)]


class Sample(kb.Stage):
    """Keep a few rows of each split, in their order: the first, some at random, or some of each group.

    How many of which, exactly one option says:

        kbtools apply sample --per-group 1 --dataset sample
    """

    name: ClassVar[str] = "sample"
    suffix: ClassVar[str] = "sample"
    scope: ClassVar[kb.stage.Scope] = "split"

    first: Count | None = None
    """Keep so many rows from the start."""
    random: Count | None = None
    """Keep so many rows drawn at random."""
    per_group: Count | None = None
    """Keep so many rows of each group, drawn at random."""
    group_by: str = "module_name"
    """Role or column whose equal values make a group."""
    seed: int = 42
    """Seed of the draw."""

    @model_validator(mode="after")
    def _one_way(self) -> Sample:
        if sum(count is not None for count in (self.first, self.random, self.per_group)) != 1:
            raise ValueError("give exactly one of --first N, --random N and --per-group N")
        return self

    def output_features(self, features: Features) -> Features:
        """The same features, once the column to group by is known to be there if it is needed."""
        if self.per_group is not None:
            self._group_path(features)
        return features

    def transform(self, ds: Dataset) -> kb.Result:
        """Choose the rows; the others are dropped, and too few rows are not an error but are noted."""
        import numpy as np

        kept = np.zeros(ds.num_rows, bool)
        kept[self._chosen(ds)] = True
        count = self.first or self.random
        notes = (
            [f"asked for {rows_text(count)}, but there are only {ds.num_rows}"] if count and count > ds.num_rows else []
        )
        rest = kb.Drop(keep(ds, ~kept, self.fingerprint(ds, "rest")), "not in the sample")
        return kb.Result(keep(ds, kept, self.fingerprint(ds, "kept")), dropped=(rest,), notes=tuple(notes))

    def _chosen(self, ds: Dataset) -> list[int]:
        if self.first is not None:
            return list(range(min(self.first, ds.num_rows)))
        drawn = list(range(ds.num_rows))
        random.Random(self.seed).shuffle(drawn)
        return drawn[: self.random] if self.random is not None else self._some_of_each(ds, drawn)

    def _some_of_each(self, ds: Dataset, drawn: list[int]) -> list[int]:
        path = self._group_path(ds.features)
        rows = frame(ds, {"group": path})
        missing = rows.filter(rows["group"].is_null())["row"].to_list()
        require_values(ds, missing, path, "Drop these rows first with the stage filter.", self.columns)
        chosen: list[int] = rows[drawn].group_by("group").head(self.per_group or 0)["row"].to_list()
        return chosen

    def _group_path(self, features: Features) -> str:
        schema = kb.Schema(features, self.columns)
        return schema.require(schema.locate(self.group_by), "scalar")
