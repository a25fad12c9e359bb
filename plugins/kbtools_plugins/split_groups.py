"""Which split a group goes to: groups are walked in the order of their digests, whatever the order of the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

TRAIN = "train"
_AT_ONCE = 50_000


def in_order(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Every group with its number of rows and its stratum (the most frequent of its rows), in the seed's order."""
    import numpy as np
    import polars as pl

    groups = rows.group_by("group").agg(pl.len().alias("rows"))
    if "stratum" in rows.columns:
        counts = rows.group_by("group", "stratum").agg(pl.len()).sort(["len", "stratum"], descending=[True, False])
        groups = groups.join(counts.unique("group", keep="first", maintain_order=True).drop("len"), on="group")
    else:
        groups = groups.with_columns(stratum=pl.lit(None, pl.String))
    hashed = (hashlib.sha256(f"{seed}\0{group}".encode()).digest()[:16] for group in _values(groups["group"]))
    digests = np.fromiter(hashed, np.dtype("S16"), groups.height).view(">u8").reshape(-1, 2)
    walked = groups[np.lexsort((digests[:, 1], digests[:, 0]))]
    return walked.sort("stratum", maintain_order=True) if "stratum" in rows.columns else walked


def _values(column: pl.Series) -> Iterator[object]:
    """The values, of which few at a time are objects of Python."""
    for start in range(0, len(column), _AT_ONCE):
        yield from column[start : start + _AT_ONCE].to_list()


def assigned(groups: pl.DataFrame, fractions: dict[str, float]) -> pl.DataFrame:
    """The split of every group. Validation is filled first, so that adding a test split does not change it."""
    import polars as pl

    sizes, strata = groups["rows"].to_list(), groups["stratum"].to_list()
    names = [TRAIN] * groups.height
    free: Sequence[int] = range(groups.height)
    held = [name for name in fractions if name != TRAIN]
    for position, name in enumerate(held):
        spare = len(free) - (len(held) - position)  # one group for every split that is still to come, train included
        chosen = _chosen(free, sizes, strata, fractions[name], spare)
        for group in chosen:
            names[group] = name
        if position + 1 < len(held):
            free = [group for group in free if group not in chosen]
    return groups.select("group", split=pl.Series(names, dtype=pl.String))


def _chosen(free: Sequence[int], sizes: list[int], strata: list[Any], fraction: float, spare: int) -> set[int]:
    """Groups that together come nearest to a fraction of all rows, stratum by stratum.

    What one stratum could not give or gave too much is carried over to the next. At least one group and at most
    `spare` groups are chosen.
    """
    totals: dict[object, int] = {}
    for group, stratum in enumerate(strata):
        totals[stratum] = totals.get(stratum, 0) + sizes[group]
    chosen: set[int] = set()
    wanted = 0.0
    for stratum, members in groupby(free, key=strata.__getitem__):
        wanted += fraction * totals[stratum]
        for group in members:
            if len(chosen) < spare and abs(wanted - sizes[group]) < abs(wanted):
                chosen.add(group)
                wanted -= sizes[group]
    return chosen or set(sorted(free, key=sizes.__getitem__)[:1])
