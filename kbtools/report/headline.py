"""What a report says first: what the dataset is, what is wrong with it, each with its place, and what was looked for.

Everything is of the very rows of the report, but for what stages found before: that says which stage it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from kbtools.data.table import rows_text
from kbtools.lineage import Lineage
from kbtools.report import outliers
from kbtools.report.columns import Column, Labels, Numbers, missing
from kbtools.report.packing import SpecialColumns, Tally
from kbtools.report.stage_figures import StageSection
from kbtools.report.summary import NEARLY_ALL, RepeatedFault, most_frequent, watched
from kbtools.report.text import number
from kbtools.wording import counted, listed

if TYPE_CHECKING:
    from datasets import Dataset

    from kbtools.report.duplicates import Repeats

_FAULTS = "#failures"


@dataclass(frozen=True)
class Seen:
    """All that the headline is made of."""

    splits: Mapping[str, Dataset]
    lineage: Lineage
    columns: Sequence[Column]
    places: SpecialColumns
    key: str
    tally: Tally
    findings: Sequence[StageSection]
    repeats: Sequence[Repeats]
    faults: Sequence[RepeatedFault]
    """Of these rows."""
    recorded: Sequence[RepeatedFault]
    """Of stages."""

    @property
    def rows(self) -> int:
        """Rows of all splits."""
        return sum(ds.num_rows for ds in self.splits.values())


@dataclass(frozen=True)
class ReportProblem:
    """Something that is wrong, and the address of the place that shows it."""

    text: str
    address: str


@dataclass
class Headline:
    """The beginning of a report."""

    what: str
    wrong: list[ReportProblem] = field(default_factory=list)
    clear: list[str] = field(default_factory=list)
    """What was looked for and not found."""
    open: list[str] = field(default_factory=list)
    """What could not be looked for, and why."""

    def add(self, what: str, found: Iterator[ReportProblem] | None, why: str) -> None:
        """Problems of one kind; none at all where they could not be looked for."""
        if found is None:
            self.open.append(f"{what} ({why})")
            return
        problems = list(found)
        self.wrong += problems
        self.clear += [] if problems else [what]


def of(seen: Seen) -> Headline:
    """The headline of what was seen."""
    made = Headline(_what(seen))
    made.add("leaks between splits", _leaks(seen) if len(seen.splits) > 1 else None, "there is one split")
    made.add("duplicates", _duplicates(seen) if seen.repeats else None, "no column holds code or answers")
    made.add("failures", _failures(seen), "")
    rewards = [found for found in seen.columns if watched(found.path)]
    made.add("constant rewards and verdicts", _constant(rewards, seen) if rewards else None, "there are none")
    numbers = [found for found in seen.columns if isinstance(found, Numbers) and found.path != seen.key]
    made.add("outliers", _outliers(numbers, seen.tally) if numbers or seen.tally.lengths else None, "no numbers")
    made.wrong[:0] = _told(seen)
    return made


def _what(seen: Seen) -> str:
    named = [found.distinct for found in seen.columns if found.path == seen.places.module]
    text = rows_text(seen.rows) + "".join(f" of {counted(number_of, 'module')}" for number_of in named)
    if len(seen.splits) > 1:
        text += f" in {listed([f'{name} ({ds.num_rows:,})' for name, ds in seen.splits.items()])}"
    holds = [what for what, path in _held(seen.places).items() if path]
    text += f", with {listed(holds)}" if holds else ""
    records = seen.lineage.records
    if not records:
        return f"{text}."
    source = seen.lineage.source.dataset if seen.lineage.source else "the source"
    return f"{text}: {rows_text(records[0].rows_in)} of {source} after {listed([found.stage for found in records])}."


def _held(places: SpecialColumns) -> dict[str, str | None]:
    return {
        "PyTorch code": places.reference,
        "Triton code": places.triton,
        "prompts": places.prompt,
        "completions": places.completion,
    }


def _told(seen: Seen) -> Iterator[ReportProblem]:
    """What stages say is wrong; where rows were dropped since, it is said how many."""
    for found in seen.findings:
        later = "" if found.here or found.rows_after == seen.rows else f" (then; {rows_text(found.rows_after)} left it)"
        for text in found.section.problems if found.section else ():
            yield ReportProblem(text + later, f"#stage-{found.slug}")


def _leaks(seen: Seen) -> Iterator[ReportProblem]:
    for found in seen.repeats:
        if found.across:
            verb = "is" if found.across == 1 else "are"
            yield ReportProblem(f"{counted(found.across, found.what)} {verb} in more than one split", "#duplicates")


def _duplicates(seen: Seen) -> Iterator[ReportProblem]:
    """Rows with the same answer; several rows of one module are what rollouts have."""
    finest = seen.repeats[-1]
    if finest.groups:
        noun = "answer" if finest.what == "completion" else finest.what
        yield ReportProblem(f"{rows_text(finest.rows)} repeat: the same {noun} in another row", "#duplicates")


def _failures(seen: Seen) -> Iterator[ReportProblem]:
    faults: dict[str, int] = {}
    for fault in seen.faults:
        faults[fault.where] = faults.get(fault.where, 0) + fault.rows
    for where, rows in faults.items():
        what = "have a completion whose answer cannot be told from the reasoning" if where == "completion" else ""
        yield ReportProblem(f"{rows_text(rows)} {what or f'with an error in {where}'}", _FAULTS)
    if failed := sum(fault.rows for fault in seen.recorded):
        yield ReportProblem(f"{rows_text(failed)} failed on the way", _FAULTS)


def _constant(columns: Sequence[Column], seen: Seen) -> Iterator[ReportProblem]:
    for found in columns:
        rows = seen.rows - missing(found)
        if gone := missing(found):
            said = f"{rows_text(gone)} without {found.path}" if rows else f"{found.path} has no value in any row"
            yield ReportProblem(said, _rows(found.path, "none"))
        if rows < 2:
            continue
        value, count = most_frequent(found)
        if count == rows:
            yield ReportProblem(f"{found.path} is {value} in all {rows_text(rows)}", "#one-value")
        elif count >= NEARLY_ALL * rows:
            yield ReportProblem(f"{found.path} is {value} in {count / rows:.0%} of the rows", "#distributions")
    yield from _flat_groups(columns, seen)


def _flat_groups(columns: Sequence[Column], seen: Seen) -> Iterator[ReportProblem]:
    """Modules whose rows all have one reward teach nothing to a method that compares the answers to one prompt."""
    module = next((found for found in seen.columns if found.path == seen.places.module), None)
    reward = next((found for found in columns if isinstance(found, Numbers) and found.distinct > 1), None)
    if not isinstance(module, Labels) or reward is None:
        return
    flat, several = outliers.flat_groups(module.codes, reward.values)
    if several and flat >= several / 2:
        text = f"in {flat:,} of {counted(several, 'module')} with several rows all have the same {reward.path}"
        yield ReportProblem(text, "#distributions")


def _outliers(columns: Sequence[Numbers], tally: Tally) -> Iterator[ReportProblem]:
    for column in columns:
        for end in outliers.far_ends(column.values):
            sign, order = (">=", "-") if end.high else ("<=", "")
            extreme = f"{'up to' if end.high else 'down to'} {number(end.extreme)}"
            text = (
                f"{rows_text(end.rows)} far {'above' if end.high else 'below'} the others in {column.path} ({extreme})"
            )
            yield ReportProblem(
                text, f"{_rows(column.path, f'{sign}{end.limit!r}')}&sort={order}{quote(column.path, safe='')}"
            )
        if infinite := outliers.infinite(column.values):
            yield ReportProblem(f"{rows_text(infinite)} with an infinite {column.path}", "#distributions")
    for what, lengths in tally.lengths.items():
        for end in outliers.far_ends(lengths):
            if end.high:
                most = f"up to {counted(int(end.extreme), 'character')}"
                text = f"{rows_text(end.rows)} with a far longer {what} than the others ({most})"
                yield ReportProblem(text, f"#index={end.place}")


def _rows(path: str, wanted: str) -> str:
    return f"#rows?f.{quote(path, safe='')}={quote(wanted, safe='')}"
