"""What stages found, for the report: taken from the lineage, or measured now on the rows at hand.

A stage says itself what is shown of its facts (`Stage.figures`), so that anybody's analysis appears like the built-in
ones; the report knows no stage's figures.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import JsonValue, ValidationError

from kbtools.data.table import rows_text
from kbtools.errors import KbError
from kbtools.figures import Section
from kbtools.lineage import Lineage
from kbtools.plugins import registry
from kbtools.report.columns import Column, Labels
from kbtools.stage import Stage

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


@dataclass(frozen=True)
class StageSection:
    """What a stage found and where it comes from; without a section, why there is none."""

    stage: str
    section: Section | None
    origin: str
    here: bool = False
    """Whether the figures are of the very rows of the report, so that its indices are theirs."""
    rows_after: int = 0
    """Rows that the stage left, where it measured them before."""
    more: str = ""
    """What else there is to say of figures that could not be measured."""

    @property
    def title(self) -> str:
        """Heading of the section."""
        return self.section.title if self.section else self.stage

    @property
    def slug(self) -> str:
        """The stage's name as part of an address or of a file's name."""
        return re.sub(r"[^a-z0-9]+", "-", self.stage.lower()).strip("-") or "stage"


def recorded(lineage: Lineage, splits: Collection[str]) -> list[StageSection]:
    """What the last stage of each name recorded, in the order of the pipeline; stages without figures are left out."""
    found: dict[str, StageSection] = {}
    names = {*splits, *((lineage.output and lineage.output.splits) or ())}
    for position, record in enumerate(lineage.records, start=1):
        entry = lineage.stages[position - 1] if len(lineage.stages) == len(lineage.records) else {}
        cls = registry().class_of({"stage": record.stage, **entry})
        origin = f"measured by stage {position} ({record.stage}) of the pipeline, on {rows_text(record.rows_in)}"
        finding = _shown(cls, record.stage, record.facts, origin, names) if cls else None
        if finding:
            found.pop(record.stage, None)
            found[record.stage] = replace(finding, rows_after=record.rows_out)
    return list(found.values())


def measured(data: Dataset | DatasetDict, stage: str, **fields: object) -> StageSection:
    """What the stage finds in these rows now."""
    try:
        made = registry().stage(stage).model_validate(fields)
        facts = dict(made.run(data).facts)
    except (KbError, ValidationError) as error:
        why, more = _first_sentence(str(error))
        return StageSection(stage, None, f"not measured: {why}", more=more)
    names = tuple(data) if isinstance(data, dict) else ()
    origin = "measured on the rows of this report"
    shown = _shown(type(made), stage, facts, origin, names)
    return replace(shown, here=True) if shown else StageSection(stage, None, f"{origin}; the stage shows no figures")


def _first_sentence(text: str) -> tuple[str, str]:
    """The sentence that says what is the matter, and what follows it."""
    found = re.match(r"(.+?[.:])\s+(?=\S)|(.+?)\n", text)
    return (found[0].strip().rstrip(".:"), text[found.end() :].strip()) if found else (text.rstrip("."), "")


def _shown(
    cls: type[Stage], stage: str, facts: Mapping[str, JsonValue], origin: str, splits: Collection[str]
) -> StageSection | None:
    """What the class shows of its facts; None for a stage that has nothing to show."""
    try:
        sections = list(_sections(cls, facts, splits))
    except Exception as error:  # noqa: BLE001  # anybody's code: the rest of the report is written all the same
        why = (
            f"{error.error_count()} faults"
            if isinstance(error, ValidationError)
            else f"{type(error).__name__}: {error}"
        )
        return StageSection(stage, None, f"{origin}; its figures have a form that this report cannot show ({why})")
    return StageSection(stage, _joined(sections), origin) if sections else None


def _sections(cls: type[Stage], facts: Mapping[str, JsonValue], splits: Collection[str]) -> Iterator[Section]:
    """The section of the facts; of a stage that was run split by split, one for each split."""
    by_split = cls.scope != "dataset" and facts and set(facts) <= set(splits)
    for name, some in facts.items() if by_split else [("", facts)]:
        section = cls.figures(some) if isinstance(some, Mapping) else None
        if section is not None:
            yield _of_split(name, section) if name else section


def _of_split(name: str, section: Section) -> Section:
    return replace(
        section,
        text=tuple(f"{name}: {sentence}" for sentence in section.text),
        charts=tuple(replace(chart, title=f"{name}: {chart.title}") for chart in section.charts),
        tables=tuple(replace(table, title=f"{name}: {table.title}") for table in section.tables),
        problems=tuple(f"{name}: {problem}" for problem in section.problems),
    )


def _joined(sections: Sequence[Section]) -> Section:
    return Section(
        sections[0].title,
        tuple(sentence for section in sections for sentence in section.text),
        tuple(chart for section in sections for chart in section.charts),
        tuple(table for section in sections for table in section.tables),
        tuple(problem for section in sections for problem in section.problems),
    )


def verdict_columns(columns: Sequence[Column]) -> tuple[str, ...]:
    """Columns that hold verdicts on one scale: `difficulty`, and those called `..._difficulty` with its labels."""
    choices = [column for column in columns if isinstance(column, Labels) and column.few and column.distinct > 1]
    for base in choices:
        same = [other.path for other in choices if other is not base and _rates_the_same(other, base)]
        if same:
            return (base.path, *same)
    return ()


def _rates_the_same(other: Labels, base: Labels) -> bool:
    shared = set(other.labels) & set(base.labels)
    return other.path.endswith(f"_{base.path}") and bool(shared)
