"""What stages have found, as charts and tables: the vocabulary that stages, the terminal and the report share.

Everything here is data; how it is drawn is in `kbtools.report`. A stage says in `Stage.figures` what a report shows of
the facts that it recorded. Every chart knows how many rows it shows and how many had no value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from kbtools.wording import counted

_NUMBER = re.compile(r"([+-]?[\d.,]+(e[+-]?\d+)?%?|-|undefined|)")
_EXCERPT = 2_000
"""Characters of a code that a record holds."""


class Facts(BaseModel):
    """Base of the figures that a stage records: frozen, plain data, with None for what is not defined."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CodeExcerpt(BaseModel):
    """A code and where it is, as much of it as a record holds."""

    model_config = ConfigDict(frozen=True)

    name: str
    text: str

    @classmethod
    def of(cls, name: str, text: str) -> CodeExcerpt:
        """The beginning of a long code, with how long it is."""
        cut = text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}\n... ({counted(len(text), 'character')})"
        return cls(name=name, text=cut.encode("utf-8", "replace").decode())


class CodePair(BaseModel):
    """Two codes that a stage found alike, how and how much; any stage may record some as its fact `code_pairs`."""

    model_config = ConfigDict(frozen=True)

    left: CodeExcerpt
    right: CodeExcerpt
    kind: str
    score: float


@dataclass(frozen=True)
class Table:
    """Figures of a stage as people read them; what programs read of them is in `Result.facts`."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    about: tuple[int, ...] = ()
    """Index of the dataset's row that each line is about, where each is about one: a report links it."""
    marked: tuple[int, ...] = ()
    """Places of the lines that matter most."""

    def __post_init__(self) -> None:
        """ValueError for lines that do not fit the header."""
        if any(len(row) != len(self.header) for row in self.rows):
            raise ValueError(f"table {self.title!r}: every row needs {len(self.header)} cells, one for each heading.")
        if self.about and len(self.about) != len(self.rows):
            raise ValueError(f"table {self.title!r}: `about` needs an index for each row.")

    @property
    def numeric(self) -> tuple[bool, ...]:
        """For each column whether it holds nothing but numbers."""
        cells = zip(*self.rows, strict=True) if self.rows else [()] * len(self.header)
        return tuple(all(_NUMBER.fullmatch(cell) for cell in column) for column in cells)


@dataclass(frozen=True)
class Histogram:
    """Rows by a number; bin i covers edges[i] <= value < edges[i+1], the last bin also its upper edge."""

    title: str
    unit: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    n: int
    missing: int
    mean: float
    quartiles: tuple[float, float, float]
    """The 25th, 50th and 75th percentiles, interpolated between the nearest rows."""
    ends: tuple[float, float]
    """Smallest and largest value."""
    infinite: int = 0
    """Rows whose value is infinite, which are in no bin."""
    log: bool = False
    """Bins grow by a factor: the axis is logarithmic."""

    def __post_init__(self) -> None:
        """ValueError for what cannot be drawn."""
        if len(self.edges) != len(self.counts) + 1 or not any(self.counts):
            raise ValueError(f"histogram {self.title!r}: needs one edge more than counts, and a row in some bin.")


@dataclass(frozen=True)
class Bars:
    """Rows by label."""

    title: str
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    n: int
    missing: int
    other: int = 0
    """Different labels beyond those shown."""
    other_rows: int = 0
    path: str = ""
    """Column by which the page can show the rows of a bar; empty when there is none."""

    def __post_init__(self) -> None:
        """ValueError for what cannot be drawn."""
        if not self.labels or len(self.labels) != len(self.counts):
            raise ValueError(f"bars {self.title!r}: need labels, and a count for each.")


@dataclass(frozen=True)
class Estimate:
    """A coefficient with its 95% interval; without a value, why."""

    label: str
    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    undefined: str | None = None


@dataclass(frozen=True)
class Intervals:
    """Coefficients between -1 and 1, one a line."""

    title: str
    unit: str
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True)
class Matrix:
    """Rows by the labels of two columns."""

    title: str
    down: str
    across: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        """ValueError for what cannot be drawn."""
        size = len(self.labels)
        if not size or [len(line) for line in self.counts] != [size] * size:
            raise ValueError(f"matrix {self.title!r}: needs labels, and a line and a column of counts for each.")

    @property
    def n(self) -> int:
        """Rows that have both labels."""
        return sum(map(sum, self.counts))


Chart = Histogram | Bars | Intervals | Matrix


@dataclass(frozen=True)
class Section:
    """What a report shows of a stage: a heading, sentences, charts and tables; problems are told at its top."""

    title: str
    text: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    problems: tuple[str, ...] = ()
    """What is wrong with the rows that the stage left, each in a few words: `3 rows hold a problem of mbpp`."""


def label_counts(facts: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """The counts of `verdict_counts` in a stage's figures, over all splits and models, by column."""
    found: dict[str, Counter[str]] = {}
    for counts in _verdicts(facts):
        for name, labels in counts.items():
            if isinstance(labels, dict):
                found.setdefault(name, Counter()).update(labels)
    return {name: dict(counts) for name, counts in found.items()}


def _verdicts(facts: Mapping[str, Any]) -> Iterator[Mapping[str, object]]:
    for name, part in facts.items():
        if isinstance(part, dict):
            yield from [part] if name == "verdicts" else _verdicts(part)
