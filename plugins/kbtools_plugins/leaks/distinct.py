"""The different texts of a column, and the sets of shingles of the different texts: what the joins work on.

Rows are told apart by digests, so that long texts are read twice, a batch at a time, and never kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kbtools.data import texts
from kbtools.data.table import batches, tables
from kbtools_plugins.leaks.sets import Sets
from kbtools_plugins.leaks.shingles import shingles
from kbtools_plugins.leaks.tokens import Normalise, stream

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset

_ROWS = 500


def text_digests(ds: Dataset, path: str) -> list[bytes | None]:
    """A digest of the text of every row; None for null."""
    found: list[bytes | None] = []
    for table in tables(ds, [path], _ROWS):
        found += [None if text is None else digest_of(text) for text in texts.of_column(table, path)]
    return found


def digest_of(text: str) -> bytes:
    """16 bytes that stand for a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def content_digests(ds: Dataset, rows: Sequence[int]) -> Iterator[str]:
    """A digest of everything in each of these rows: the same wherever the row is."""
    for table in tables(ds.select(rows), ds.column_names, _ROWS):
        for row in table.to_pylist():
            yield hashlib.sha256(json.dumps(row, sort_keys=True, default=str).encode()).hexdigest()


@dataclass
class Collection:
    """Sets of shingles in the order in which they were added, equal ones once."""

    normalise: Normalise = "names"
    sets: list[np.ndarray] = field(default_factory=list)
    unparsed: list[int] = field(default_factory=list)
    """What was added as the n-th text and does not parse."""
    added: int = 0
    _places: dict[tuple[bytes, int], int] = field(default_factory=dict)

    def add(self, text: str, salt: int = 0) -> int:
        """The index of a text's set; texts of different salt are never similar."""
        import numpy as np

        found = stream(text, self.normalise)
        if not found.parsed and self.normalise != "raw":
            self.unparsed.append(self.added)
        self.added += 1
        one = shingles(found) ^ np.uint64(salt)
        place = self._places.setdefault((digest_of_set(one), salt), len(self.sets))
        if place == len(self.sets):
            self.sets.append(one)
        return place

    def joined(self) -> Sets:
        """All sets in one block; they are kept no longer."""
        return Sets.of(_emptied(self.sets))


def digest_of_set(shingled: np.ndarray) -> bytes:
    """16 bytes that stand for a set of shingles."""
    return hashlib.blake2b(shingled.tobytes(), digest_size=16).digest()


def _emptied(sets: list[np.ndarray]) -> Iterator[np.ndarray]:
    import numpy as np

    for place in range(len(sets)):
        one, sets[place] = sets[place], np.zeros(0, np.uint64)
        yield one


def collect(ds: Dataset, path: str, salts: Iterable[int], into: Collection) -> list[int]:
    """Add the text of every row, none of them null, to a collection; gives the index of each row's set."""
    rest = iter(salts)
    return [
        into.add(text or "", next(rest))
        for table in batches(ds, [path], rows=_ROWS)
        for text in texts.of_column(table, path)
    ]
