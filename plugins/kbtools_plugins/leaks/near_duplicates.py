"""Which rows of a dataset are alike: the ranked rows, their different codes, and how these are matched."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from kbtools.data import texts
from kbtools.data.table import row_name, tables
from kbtools.figures import CodeExcerpt, CodePair
from kbtools_plugins.leaks.comparison import Compared, TextComparison
from kbtools_plugins.leaks.distinct import content_digests
from kbtools_plugins.leaks.ranking import ranked
from kbtools_plugins.leaks.sets import Matches

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from datasets import Dataset


@dataclass(frozen=True)
class NearDuplicates:
    """The rows of one dataset, matched."""

    ds: Dataset
    code: str
    rows: pl.DataFrame
    """Rows with code, the best first, with the number of their code as `code`."""
    compared: Compared
    unparsed: list[int]
    """A row of each code that does not parse."""
    silent: list[int]
    """A row of each code that could not be run, where it had to be."""

    @classmethod
    def find(
        cls, ds: Dataset, code: str, score: str | None, within: str | None, comparison: TextComparison
    ) -> NearDuplicates:
        """Read and match a dataset's rows by a column of code."""
        import polars as pl

        rows = ranked(ds, code, score, {"within": within} if within else {})
        salts = [_salt(value) for value in rows["within"]] if within else [0] * rows.height
        rows = rows.with_columns(salt=pl.Series(salts, dtype=pl.UInt64))
        different = rows.unique(["text", "salt"], keep="first", maintain_order=True)
        compared = comparison.compare(ds.select(different["row"].to_numpy()), code, different["salt"].to_list())
        unparsed, silent = ([different["row"][place] for place in places]
                            for places in (compared.unparsed, compared.silent))  # fmt: skip
        different = different.select("text", "salt", code=pl.Series(compared.codes, dtype=pl.Int32))
        rows = rows.join(different, on=["text", "salt"], how="left", maintain_order="left")
        return cls(ds, code, rows, compared, unparsed, silent)

    @cached_property
    def best(self) -> np.ndarray:
        """The best row of each code."""
        return self.rows.unique("code", keep="first", maintain_order=True).sort("code")["row"].to_numpy()

    @property
    def matches(self) -> Matches:
        """What each code was matched with."""
        return self.compared.matches

    @cached_property
    def kept(self) -> np.ndarray:
        """For each row of the dataset whether it is kept: rows without code are."""
        import numpy as np

        kept = np.ones(self.ds.num_rows, bool)
        kept[self.rows["row"].to_numpy()] = False
        kept[self.best[self.matches.matched < 0]] = True
        return kept

    def nearest(self) -> tuple[np.ndarray, np.ndarray]:
        """For each row the kept row that it is like (itself where it is kept), and the similarity (1.0 then)."""
        import numpy as np

        keeper, similarity = np.arange(self.ds.num_rows), np.ones(self.ds.num_rows)
        matched = self.matches.matched
        of_code = np.where(matched < 0, np.arange(len(matched)), matched)
        rows, codes = self.rows["row"].to_numpy(), self.rows["code"].to_numpy()
        keeper[rows] = self.best[of_code[codes]] if len(codes) else rows
        similarity[rows] = np.where(matched < 0, 1.0, self.matches.similarities)[codes] if len(codes) else 1.0
        return keeper, similarity

    def clusters(self) -> list[str]:
        """For each row the name of its cluster: the rows that chains of similar pairs connect."""
        import polars as pl

        roots = pl.Series("cluster", self.compared.components())
        rows = self.rows.select("row", "text", cluster=roots.gather(self.rows["code"]))
        names = rows.group_by("cluster").agg(pl.col("text").min())
        named = dict(rows.join(names, on="cluster", suffix="_least").select("row", "text_least").iter_rows())
        alone = [row for row in range(self.ds.num_rows) if row not in named]
        contents = dict(zip(alone, content_digests(self.ds, alone), strict=True))
        return [named[row].hex() if row in named else contents[row][:32] for row in range(self.ds.num_rows)]

    def ways(self) -> Counter[str]:
        """How many rows are left out by the first way that finds them: "" where their code is that of a better row."""
        kept = self.kept[self.rows["row"].to_numpy()]
        return Counter(self.compared.ways.get(code, "") for code in self.rows["code"].to_numpy()[~kept].tolist())

    def pairs(self, most: int, columns: dict[str, str]) -> Iterator[CodePair]:
        """The rows that are least like the kept row that they were left out for, each beside it."""
        import numpy as np

        keeper, similarity = self.nearest()
        lost = np.flatnonzero(~self.kept)
        for row in lost[np.argsort(similarity[lost], kind="stable")[:most]].tolist():
            left, right = (self._shown(place, columns) for place in (row, int(keeper[row])))
            kind = "the same computation" if self.compared.ways else "near-duplicate"
            yield CodePair(left=left, right=right, kind=kind, score=round(float(similarity[row]), 4))

    def _shown(self, row: int, columns: dict[str, str]) -> CodeExcerpt:
        table = next(iter(tables(self.ds.select([row]), [self.code], 1)))
        return CodeExcerpt.of(row_name(self.ds, row, columns), texts.of_column(table, self.code)[0] or "")


def _salt(value: object) -> int:
    """64 bits that keep rows of other values apart."""
    return int.from_bytes(hashlib.blake2b(repr(value).encode(), digest_size=8).digest(), "little")
