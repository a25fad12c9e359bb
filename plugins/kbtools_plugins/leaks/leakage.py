"""How far the two sides of a split are apart: the share of held-out rows that have a near-duplicate in train."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

import kbtools as kb
from kbtools_plugins.leaks.distinct import Collection, collect, text_digests

if TYPE_CHECKING:
    from datasets import Dataset
    from pydantic import JsonValue

BARS = (0.6, 0.7, 0.8, 0.9)
"""Jaccard similarities from which a row of train is a neighbour."""
_WARNED_AT, _WARNED_FROM = 0.8, 0.01


class _Recorded(BaseModel):
    """How facts hold the figures."""

    leakage: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Leakage:
    """For each held-out split the share of its rows with a neighbour in train, by similarity."""

    shares: Mapping[str, Mapping[float, float]]
    not_measured: str = ""
    """Why there are none although they were asked for."""

    @classmethod
    def between(cls, train: Dataset, held: Mapping[str, Dataset], code: str) -> Leakage:
        """Measured on a column of code; rows without code have no neighbour."""
        collection = Collection()
        _sets(train, code, collection)
        indexed = len(collection.sets)
        found = {name: _sets(ds, code, collection) for name, ds in held.items()}
        nearest = collection.joined().against(BARS[0], indexed).similarities.tolist()
        nearest[:indexed] = [1.0] * indexed
        return cls(
            {name: _shares([nearest[place] for place in places], held[name].num_rows) for name, places in found.items()}
        )

    @classmethod
    def of_facts(cls, facts: Mapping[str, JsonValue]) -> Leakage:
        """The figures that a record holds."""
        read = _Recorded.model_validate({"leakage": facts.get("leakage", {})})
        return cls({name: {float(bar): share for bar, share in found.items()} for name, found in read.leakage.items()})

    def section(self) -> kb.figures.Section | None:
        """What a report shows; nothing where nothing was measured."""
        if not self.shares:
            return None
        return kb.figures.Section("Leakage", tables=self.tables(), problems=tuple(self.notes()))

    def facts(self) -> dict[str, JsonValue]:
        """The figures for the record; none where nothing was measured."""
        shares: dict[str, JsonValue] = {
            name: {f"{bar:g}": share for bar, share in found.items()} for name, found in self.shares.items()
        }
        return {"leakage": shares} if shares else {}

    def tables(self) -> tuple[kb.Table, ...]:
        """The figures for the terminal."""
        if not self.shares:
            return ()
        header = ("split", *(f"{bar:g} or more" for bar in BARS))
        rows = tuple((name, *(f"{share:.1%}" for share in found.values())) for name, found in self.shares.items())
        return (kb.Table("rows with a near-duplicate in train, by Jaccard similarity", header, rows),)

    def notes(self) -> Iterator[str]:
        """A warning for each split in which too many rows have a neighbour, or that it is not known."""
        if self.not_measured:
            yield f"leakage was not measured: {self.not_measured}. --no-leakage leaves it out."
        for name, found in self.shares.items():
            if (share := found[_WARNED_AT]) > _WARNED_FROM:
                yield (
                    f"leakage: {share:.1%} of the rows of {name!r} have a near-duplicate in train "
                    f"(Jaccard {_WARNED_AT:g} or more). Use near-dedup --action mark before, and "
                    "--group-by module_name,near_cluster."
                )


def _shares(similarities: list[float], rows: int) -> dict[float, float]:
    return {bar: round(sum(one >= bar for one in similarities) / max(rows, 1), 4) for bar in BARS}


def _sets(ds: Dataset, code: str, collection: Collection) -> list[int]:
    """The set of the code of each row that has code; each different text is read once."""
    digests = text_digests(ds, code)
    first: dict[bytes, int] = {}
    for row, digest in enumerate(digests):
        if digest is not None:
            first.setdefault(digest, row)
    places = collect(ds.select(list(first.values())), code, [0] * len(first), collection)
    by_digest = dict(zip(first, places, strict=True))
    return [by_digest[digest] for digest in digests if digest is not None]
