"""The groups of rows as digests of their keys: eight bytes a row, whatever the keys are."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from kbtools.data.table import batches, frames
from kbtools_plugins.key_parts import in_parts
from kbtools_plugins.split_groups import numbered

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from datasets import Dataset

Watch = Callable[[Iterator["pl.DataFrame"]], Iterator["pl.DataFrame"]]
_ROWS = 50_000


def members(ds: Dataset, keys: Mapping[str, str], seed: int, looked_at: Watch = iter) -> np.ndarray:
    """The digest of every row's group, given the paths of keys; without any, of all that is in a row.

    `looked_at` gives on what is read of the keys.
    """
    import numpy as np

    if not keys:
        return np.fromiter((digest(seed, content) for content in _contents(ds)), np.uint64, ds.num_rows)
    if len(keys) > 1:
        return _of_several(ds, keys, seed, looked_at)
    (name,) = keys
    return _filled(ds.num_rows, (_digests(some[name], seed) for some in looked_at(frames(ds, keys, _ROWS))))


def identities(ds: Dataset, keys: Mapping[str, str], looked_at: Watch = iter) -> list[np.ndarray]:
    """A number for each row that equal rows have in common: by each key, or by all that is in them."""
    import numpy as np

    if not keys:
        return [members(ds, keys, 0)]
    found = [np.empty(ds.num_rows, np.uint64) for _ in keys]
    for some in looked_at(frames(ds, keys, _ROWS)):
        for name, numbers in zip(keys, found, strict=True):
            numbers[some["row"].to_numpy()] = _hashed(some[name])
    return found


def values(ds: Dataset, path: str, hashed: np.ndarray) -> set[object]:
    """The values at a path that have these numbers."""
    import numpy as np

    columns = (some["key"] for some in frames(ds, {"key": path}, _ROWS))
    return {value for column in columns for value in column.filter(np.isin(_hashed(column), hashed)).to_list()}


def digest(seed: int, value: object) -> int:
    """What decides where a group stands: of its seed and its value alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{value}".encode()).digest()[:8])


def _digests(column: pl.Series, seed: int) -> np.ndarray:
    import numpy as np
    import polars as pl

    known = numbered(column)
    different = pl.Series("value", pl.from_arrow(known.dictionary))
    found = np.fromiter((digest(seed, value) for value in different.to_list()), np.uint64, len(different))
    return found[known.indices.fill_null(0).to_numpy()] if len(found) else np.zeros(len(column), np.uint64)


def _hashed(column: pl.Series) -> np.ndarray:
    return column.hash().to_numpy()  # of -0.0 it is that of 0.0


def _filled(count: int, parts: Iterator[np.ndarray]) -> np.ndarray:
    import numpy as np

    found, done = np.empty(count, np.uint64), 0
    for part in parts:
        found[done : done + len(part)] = part
        done += len(part)
    return found


def _contents(ds: Dataset) -> Iterator[str]:
    """A digest of everything in each row."""
    for table in batches(ds, ds.column_names):
        for row in table.to_pylist():
            yield hashlib.sha256(json.dumps(row, sort_keys=True, default=str).encode()).hexdigest()


# ---- several keys ----------------------------------------------------------------------------------------------------


def _of_several(ds: Dataset, keys: Mapping[str, str], seed: int, looked_at: Watch) -> np.ndarray:
    """Rows that are equal in any key are together: the digest of the least value that they have of the first key."""
    import numpy as np
    import polars as pl

    roots, first = _roots(identities(ds, keys, looked_at)), next(iter(keys))
    read = (
        some.select(root=pl.Series(roots[some["row"].to_numpy()]), row="row", value=pl.col(first).cast(pl.String))
        for some in frames(ds, {first: keys[first]}, _ROWS)
    )
    of_root = np.zeros(ds.num_rows, np.uint64)
    with in_parts(read, ds.num_rows, ["root"]) as parts:
        for part in parts:
            least = part.group_by("root").agg(pl.col("value").min())
            found = (digest(seed, value) for value in least["value"].to_list())
            of_root[least["root"].to_numpy()] = np.fromiter(found, np.uint64, least.height)
    of_row: np.ndarray = of_root[roots]
    return of_row


def _roots(keys: Sequence[np.ndarray]) -> np.ndarray:
    """The first row of all that are connected with a row, each key being a number for each row."""
    import numpy as np

    count = len(keys[0])
    parents = array("q", range(count))

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    for key in keys:
        _, firsts, places = np.unique(key, return_index=True, return_inverse=True)
        of_row = firsts[places]
        for row in np.flatnonzero(of_row != np.arange(count)):
            one, other = root(int(row)), root(int(of_row[row]))
            parents[max(one, other)] = min(one, other)
    found = np.frombuffer(parents, np.int64)
    while (above := found[found]).tobytes() != found.tobytes():
        found = above
    return found.astype(np.uint32)
