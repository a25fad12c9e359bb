"""The order in which rows are preferred: held-out splits first, then the score, then the content, not the position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kbtools.data.table import frame
from kbtools.stage import SPLIT
from kbtools_plugins.leaks.distinct import content_digests, text_digests

if TYPE_CHECKING:
    import polars as pl
    from datasets import Dataset

TRAIN = "train"


def ranked(ds: Dataset, code: str, score: str | None, more: Mapping[str, str]) -> pl.DataFrame:
    """Rows with code, the best first: `row`, `text` (its digest), `score`, and columns of `more`, {name: path}.

    Rows of validation and test come before those of train, which are the ones that can be spared. Rows of equal score
    and code are told apart by all that is in them, so that their order in the dataset does not matter.
    """
    import polars as pl

    split = {"split": SPLIT} if SPLIT in ds.features else {}
    rows = frame(ds, {**({"score": score} if score else {}), **split, **more})
    rows = rows.with_columns(text=pl.Series(text_digests(ds, code), dtype=pl.Binary)).drop_nulls("text")
    if not score:
        rows = rows.with_columns(score=pl.lit(0.0))
    rows = rows.with_columns(spare=pl.col("split") == TRAIN if split else pl.lit(False))
    keys = ["spare", "score", "text"]
    tied = rows.filter(rows.select(keys).is_duplicated())["row"].to_list()
    contents = pl.DataFrame(
        {"row": tied, "content": list(content_digests(ds, tied))}, schema={"row": pl.UInt32, "content": pl.String}
    )
    return rows.join(contents, on="row", how="left", maintain_order="left").sort(
        [*keys, "content", "row"], descending=[False, True, False, False, False], nulls_last=True
    )
