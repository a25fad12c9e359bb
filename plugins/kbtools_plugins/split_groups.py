"""Which split a group goes to: groups are walked in the order of their digests, whatever the order of the rows.

A row takes eight bytes, the digest of its group. Two of ten million groups have one digest by a chance of 3e-6, and are
then one group.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    import pyarrow as pa

TRAIN = "train"
_AT_ONCE = 50_000


@dataclass(frozen=True)
class Strata:
    """The stratum of every row: its place among the values."""

    codes: np.ndarray
    values: Sequence[object]
    """In their order, null first."""

    @classmethod
    def of(cls, columns: Iterable[pl.Series]) -> Strata:
        """The strata of rows, some at a time."""
        import numpy as np
        import polars as pl
        import pyarrow as pa

        encoded = pa.chunked_array([numbered(column) for column in columns]).unify_dictionaries()
        known = pl.Series("value", pl.from_arrow(encoded.chunk(0).dictionary))
        order = known.arg_sort().to_numpy()
        places = np.zeros(len(known) + 1, np.int32)  # the last one is that of null
        places[order] = np.arange(1, len(known) + 1)
        codes = [chunk.indices.fill_null(len(known)).to_numpy() for chunk in encoded.chunks]
        return cls(places[np.concatenate(codes)], [None, *known.sort().to_list()])

    def counts(self, some: np.ndarray) -> dict[str, int]:
        """How many of some rows are of each stratum, of those that they have."""
        import numpy as np

        found = np.bincount(self.codes[some], minlength=len(self.values)).tolist()
        return {str(value): count for value, count in zip(self.values, found, strict=True) if count}


def numbered(column: pl.Series) -> pa.DictionaryArray:
    """The values as numbers of the different ones among them; -0.0 is 0.0."""
    import polars as pl
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as pt

    values = column.to_arrow(compat_level=pl.CompatLevel.oldest())
    return (pc.add(values, pa.scalar(0, values.type)) if pt.is_floating(values.type) else values).dictionary_encode()


@dataclass(frozen=True)
class Groups:
    """The groups of rows in the order in which they are walked."""

    digests: np.ndarray
    rows: np.ndarray
    """How many rows each of them has."""
    strata: np.ndarray | None
    """The stratum of each, as a number; those of one stratum stand together."""

    @classmethod
    def of(cls, members: np.ndarray, strata: Strata | None) -> Groups:
        """The groups that rows with these digests belong to; their stratum is the most frequent of their rows."""
        import numpy as np

        digests, rows = np.unique(members, return_counts=True)
        if strata is None:
            return cls(digests, rows, None)
        own = _most_frequent(members, strata.codes)
        order = np.argsort(own, kind="stable")
        return cls(digests[order], rows[order], own[order])

    def __len__(self) -> int:
        return len(self.digests)

    @cached_property
    def totals(self) -> np.ndarray:
        """Rows of each stratum's groups, by its number."""
        import numpy as np

        return np.bincount(np.zeros(len(self), int) if self.strata is None else self.strata, self.rows, 1)

    def runs(self, some: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """These groups by stratum."""
        import numpy as np

        if self.strata is None:
            yield 0, some
            return
        of = self.strata[some]
        for run in np.split(some, np.flatnonzero(np.diff(of)) + 1):
            if len(run):
                yield int(self.strata[run[0]]), run


def _most_frequent(members: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The stratum of every group, by ascending digest: of equally frequent ones the first."""
    import polars as pl

    counts = pl.DataFrame({"group": members, "stratum": codes}).group_by("group", "stratum").len()
    ranked = counts.sort(["group", "len", "stratum"], descending=[False, True, False])
    return ranked.unique("group", keep="first", maintain_order=True)["stratum"].to_numpy()


def assigned(groups: Groups, fractions: dict[str, float]) -> np.ndarray:
    """The split of every group, as its place among the names; train is first.

    Validation is filled first, so that adding a test split does not change it.
    """
    import numpy as np

    split = np.zeros(len(groups), np.uint8)
    held = [place for place, name in enumerate(fractions) if name != TRAIN]
    for position, place in enumerate(held):
        free = np.flatnonzero(split == 0)
        spare = len(free) - (len(held) - position)  # one group for every split that is still to come, train included
        split[_chosen(groups, free, [*fractions.values()][place], spare)] = place
    return split


def _chosen(groups: Groups, free: np.ndarray, fraction: float, spare: int) -> np.ndarray:
    """Groups that together come nearest to a fraction of all rows, stratum by stratum.

    What one stratum could not give or gave too much is carried over to the next. At least one group and at most
    `spare` groups are chosen.
    """
    import numpy as np

    chosen = array("q")
    wanted = 0.0
    for stratum, members in groups.runs(free):
        wanted += fraction * int(groups.totals[stratum])
        for group, size in _sized(groups, members):
            if len(chosen) >= spare or wanted <= 0:
                break
            if abs(wanted - size) < abs(wanted):
                chosen.append(group)
                wanted -= size
    return np.array(chosen) if chosen else free[groups.rows[free].argsort(kind="stable")[:1]]


def _sized(groups: Groups, members: np.ndarray) -> Iterator[tuple[int, int]]:
    """Groups with their rows, of which few at a time are objects of Python."""
    for start in range(0, len(members), _AT_ONCE):
        some = members[start : start + _AT_ONCE]
        yield from zip(some.tolist(), groups.rows[some].tolist(), strict=True)


def split_of_rows(members: np.ndarray, groups: Groups, split: np.ndarray) -> np.ndarray:
    """The split of every row, as the place of its name."""
    import numpy as np

    found, held = np.zeros(len(members), np.uint8), split > 0  # what is in no other split is in the first
    order = np.argsort(groups.digests[held])
    digests, places = groups.digests[held][order], split[held][order]
    for start in range(0, len(members) if len(digests) else 0, _AT_ONCE):
        some = members[start : start + _AT_ONCE]
        at = np.minimum(np.searchsorted(digests, some), len(digests) - 1)
        found[start : start + _AT_ONCE] = np.where(digests[at] == some, places[at], 0)
    return found
