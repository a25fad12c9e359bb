"""What there is to say about a dataset: the pipeline that made it, its columns as charts, repeats, and faults.

It looks at the rows once for each question and holds no HTML; `page` lays it out, `plots` draws the same charts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kbtools.data.table import column
from kbtools.figures import Bars, Histogram
from kbtools.lineage import Lineage, StageRecord
from kbtools.report.charts import Funnel, StageStep, distribution, lengths, named
from kbtools.report.columns import Column, Labels, missing
from kbtools.report.duplicates import Repeats, repeats
from kbtools.report.packing import SpecialColumns, Tally

if TYPE_CHECKING:
    from datasets import Dataset

_FIRST = ("reward", "verdict", "speedup", "speedup_reward", "difficulty", "difficulty_score", "style", "style_score")
"""Columns that people look at first; then those that contain these words, then token counts, then all others."""
_MOST_CHARTS = 24
NEARLY_ALL = 0.95
"""Share of the rows from which a value is that of nearly all."""


@dataclass(frozen=True)
class StageView:
    """A stage of the pipeline: what it was told and what came of it."""

    position: int
    name: str
    config: tuple[tuple[str, str], ...]
    record: StageRecord | None


@dataclass(frozen=True)
class RepeatedFault:
    """Rows with the same fault."""

    where: str
    what: str
    rows: int
    first: int | None = None
    """Index of the first of them, where these rows are in the dataset."""


def stages(lineage: Lineage) -> list[StageView]:
    """The stages in order, each with its record if there is one."""
    records: list[StageRecord | None] = [*lineage.records, *[None] * len(lineage.stages)]
    return [
        StageView(position, str(fields.get("stage")), _config(fields), record)
        for position, (fields, record) in enumerate(zip(lineage.stages, records, strict=False), start=1)
    ]


def _config(fields: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((key, _setting(value)) for key, value in fields.items() if key != "stage")


def _setting(value: object) -> str:
    """A setting as the command line takes it."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    if isinstance(value, Mapping):
        return ",".join(f"{name}={item}" for name, item in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def funnel(lineage: Lineage) -> Funnel | None:
    """Rows after each stage; None when no stage was recorded."""
    steps = tuple(StageStep(record.stage, record.rows_in, record.rows_out) for record in lineage.records)
    return Funnel("Rows after each stage", steps) if steps else None


def watched(path: str) -> bool:
    """Whether a column is one of those that people look at first: rewards, verdicts, speedups, scores."""
    return _rank(path) < len(_FIRST) + 1


def ranked(columns: Sequence[Column]) -> list[Column]:
    """The columns, those that people look at first at the front."""
    return sorted(columns, key=lambda found: _rank(found.path))


def _rank(path: str) -> float:
    name = path.rpartition(".")[2]
    if path in _FIRST:
        return _FIRST.index(path)
    words = [place for place, word in enumerate(_FIRST) if re.search(rf"(^|_){word}(_|$)", name)]
    if words:
        return len(_FIRST) + words[0] / 10
    return len(_FIRST) + (1 if name.startswith("num_tokens") else 2)


def distributions(columns: Sequence[Column], tally: Tally, key: str) -> list[Histogram | Bars]:
    """A chart for every column that varies, and the lengths of texts where no column counts tokens.

    Columns that hold one value in nearly all rows come behind those that tell more.
    """
    varying = [found for found in ranked(columns) if found.distinct > 1 and found.path != key]
    telling = sorted(varying, key=lambda found: most_frequent(found)[1] >= NEARLY_ALL * _known(found))
    charts = named([distribution(found) for found in telling])[:_MOST_CHARTS]
    return charts if any(found.path.startswith("num_tokens") for found in columns) else [*charts, *_lengths(tally)]


def _lengths(tally: Tally) -> list[Histogram | Bars]:
    import numpy as np

    found = {what: np.array(values) for what, values in tally.lengths.items()}
    varying = {what: values for what, values in found.items() if len(np.unique(values[~np.isnan(values)])) > 1}
    return named([lengths(values, f"length of {what}") for what, values in varying.items()])


def most_frequent(found: Column) -> tuple[str, int]:
    """The value that most rows hold, and in how many; infinite values count, missing ones do not."""
    import numpy as np

    if isinstance(found, Labels):
        place = int(np.argmax(found.counts)) if found.labels else 0
        return (found.labels[place], found.counts[place]) if found.labels else ("", 0)
    values, counts = np.unique(found.values[~np.isnan(found.values)], return_counts=True)
    return (f"{values[counts.argmax()]:g}", int(counts.max())) if len(values) else ("", 0)


def _known(found: Column) -> int:
    """Rows that have a value."""
    return len(found.codes if isinstance(found, Labels) else found.values) - missing(found)


def uniform(columns: Sequence[Column]) -> list[tuple[str, str]]:
    """Columns that hold one value or none, with that value."""
    return [(found.path, _only_value(found)) for found in columns if found.distinct <= 1]


def _only_value(found: Column) -> str:
    if not found.distinct:
        return "no values"
    value = found.labels[0] if isinstance(found, Labels) else f"{found.known[0]:g}" if len(found.known) else "infinite"
    return f"{value} ({missing(found):,} without a value)" if missing(found) else value


def shared_values(splits: Mapping[str, Dataset], places: SpecialColumns) -> list[Repeats]:
    """What rows have in common: names, code and answers."""
    paths = {
        "module": places.module,
        "PyTorch code": places.reference,
        "Triton code": places.triton,
        "completion": places.completion,
    }
    return repeats(splits, {what: path for what, path in paths.items() if path})


def recorded_faults(lineage: Lineage) -> list[RepeatedFault]:
    """Rows that stages could not process, as their records count them."""
    return [
        RepeatedFault(f"stage {position} ({record.stage})", kind, count)
        for position, record in enumerate(lineage.records, start=1)
        for kind, count in record.failed.items()
    ]


def faults(splits: Mapping[str, Dataset], places: SpecialColumns, tally: Tally) -> list[RepeatedFault]:
    """Rows of this dataset whose columns tell of an error, or whose answer cannot be told from the reasoning."""
    found = [fault for path in places.reasons if path.endswith("error") for fault in _errors(splits, path)]
    what = "the answer cannot be told from the reasoning"
    found += [
        RepeatedFault("completion", f"{what}: {kind}", len(rows), rows[0]) for kind, rows in tally.troubles.items()
    ]
    return found


def _errors(splits: Mapping[str, Dataset], path: str) -> list[RepeatedFault]:
    """The kinds of error in a column of messages: what is before the first colon of the first line."""
    kinds: dict[str, list[int]] = {}
    texts = [text for ds in splits.values() if path in ds.features for text in column(ds, path).to_pylist()]
    for row, text in enumerate(texts):
        if text:
            kinds.setdefault(str(text).partition("\n")[0].partition(":")[0], []).append(row)
    ordered = sorted(kinds.items(), key=lambda item: -len(item[1]))
    return [RepeatedFault(path, kind, len(rows), rows[0]) for kind, rows in ordered[:10]]
