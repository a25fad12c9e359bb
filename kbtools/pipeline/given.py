"""What is given where a dataset is meant, and how a dataset is made of the things that people have instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbtools.errors import UsageError

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_REMEDIES = {
    "IterableDataset": "Load it without streaming=True, or make it whole: datasets.Dataset.from_generator(lambda: it).",
    "IterableDatasetDict": "Load it without streaming=True.",
    "DataFrame": "Make one of it: datasets.Dataset.from_pandas(it), or from_polars(it).",
    "LazyFrame": "Make one of it: datasets.Dataset.from_polars(it.collect()).",
    "Table": "Make one of it: datasets.Dataset(it).",
    "list": "Make one of it: datasets.Dataset.from_list(it).",
    "dict": "Make one of it: datasets.Dataset.from_dict(it), or datasets.DatasetDict(it) of splits.",
}


def dataset(given: object, who: str) -> Dataset | DatasetDict:
    """The dataset itself; UsageError for anything else, with how to make one of it."""
    import datasets

    if isinstance(given, datasets.Dataset | datasets.DatasetDict):
        return given
    remedy = _REMEDIES.get(type(given).__name__, "kb.load(...) gives one.")
    if isinstance(given, str):
        remedy = f"kb.load({given!r}) gives one."
    raise UsageError(f"{who} takes a dataset first, and this is none: {' '.join(repr(given).split()):.80}. {remedy}")
