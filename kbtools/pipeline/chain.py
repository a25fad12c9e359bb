"""Running a chain: it is checked as a whole first, then each stage runs, is watched and is recorded in the lineage."""

from __future__ import annotations

import datetime
import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kbtools import lineage as lineages
from kbtools.calls import Chain, asked_by_chain
from kbtools.data.io import own_files
from kbtools.data.io.local_files import gatherable
from kbtools.data.table import rows_text
from kbtools.engines import Processes, Ray, crew, opened
from kbtools.errors import Missing, UsageError
from kbtools.figures import Table
from kbtools.lineage import Lineage, Recipe, StageRecord
from kbtools.pipeline import given
from kbtools.pipeline.observers import Observer, ProgressBars, reporting
from kbtools.pipeline.serialization import entry
from kbtools.pipeline.step import checked
from kbtools.pipeline.under_way import noted
from kbtools.plugins import registry
from kbtools.result import Drop, Failure, Result
from kbtools.shards import Segment, segments
from kbtools.spelling import door
from kbtools.stage import Stage, check_chain, flat

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    from kbtools.pipeline.sharding import Beginning


@dataclass
class ChainResult:
    """What came of a chain: the dataset, the record of each stage, and the rows that were left out."""

    dataset: Dataset | DatasetDict
    records: list[StageRecord] = field(default_factory=list)
    dropped: list[tuple[str, Drop]] = field(default_factory=list)
    failed: list[tuple[str, Failure]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def _repr_html_(self) -> str:
        """What a notebook shows: the lineage of the dataset, with what this run and those before it did."""
        return lineages.of(self.dataset)._repr_html_()


@door
def apply(
    data: Dataset | DatasetDict,
    *stages: Stage,
    observer: Observer | None = None,
    engine: Processes | Ray | None = None,
) -> Dataset | DatasetDict:
    """The dataset after these stages, its lineage attached; RowError after a stage whose rows failed with `raise`.

    The whole chain is checked against the columns before the first row is processed. Without an observer there is a
    progress bar (`datasets.disable_progress_bars()` turns it off), and the logger `kbtools` warns of what went wrong.
    With an engine, workers of it run the row-wise stages; the rows are the same.
    """
    data = given.dataset(data, "apply")
    for stage in stages:
        _check_stage(stage)
    return run(data, stages, observer, engine=engine).dataset


def _check_stage(thing: object) -> None:
    """UsageError for what is no stage, with how one is written."""
    if isinstance(thing, Stage):
        return
    how = "Write kb.Filter(where=...), and several one after the other or as a | b."
    if isinstance(thing, type) and issubclass(thing, Stage):
        how = f"It is the class of one: write kb.{thing.__name__}(...)."
    raise UsageError(f"apply takes stages behind the dataset, and this is none: {thing!r:.80}. {how}")


def run(
    data: Dataset | DatasetDict,
    stages: Iterable[Stage],
    observer: Observer | None = None,
    *,
    preflighted: bool = False,
    engine: Processes | Ray | None = None,
) -> ChainResult:
    """As `apply`, with the records and the dropped rows; `preflighted` when the caller has called `preflight`."""
    chain = tuple(flat(stages))
    bars = ProgressBars()
    watcher = observer or bars
    token = asked_by_chain.set(Chain())
    try:
        with opened(engine, watcher.say), own_files.made_from(lineages.of(data).source):
            for line in [] if preflighted else preflight(lineages.of(data), chain):
                watcher.say(line)
            with noted(watcher, len(chain)) as noting:
                return execute(data, chain, noting)
    finally:
        asked_by_chain.reset(token)
        bars.close()


def preflight(recipe: Recipe, stages: Sequence[Stage]) -> list[str]:
    """What the stages have to say before any work is done; the first error that can be known by then.

    Each stage is told of the recipe up to itself. What several of them miss is one error.
    """
    lines: list[str] = []
    needs: list[str] = []
    for stage in stages:
        try:
            lines += stage.preflight(Recipe(source=recipe.source, stages=recipe.stages).model_dump(mode="json"))
        except Missing as error:
            needs += error.needs
        if stage.makes_rows:
            recipe = recipe.model_copy(update={"stages": (*recipe.stages, entry(stage))})
    if needs:
        raise Missing(*needs)
    return lines


def execute(data: Dataset | DatasetDict, stages: Sequence[Stage], watcher: Observer) -> ChainResult:
    """Check the chain against the columns, then run its stages one by one; the lineage grows with every one."""
    lineage = lineages.of(data).model_copy(update={"versions": lineages.versions()})
    data = gatherable(data, "the dataset")
    for ds in data.values() if isinstance(data, dict) else [data]:
        check_chain(ds.features, stages)
    done, began_with = ChainResult(data), _beginning(data, lineage)
    for segment in _segments(stages):
        lineages.attach(done.dataset, lineage)  # a stage that publishes reads there how its rows came about
        known = len(done.records)
        if segment.sharded:
            _sharded(done, segment, watcher, began_with)
        else:
            _step(done, segment.first, segment.stages[0], watcher)
        for stage, record in zip(segment.stages, done.records[known:], strict=True):
            lineage = _grown(lineage, stage, record) if stage.makes_rows else lineage
    lineages.attach(done.dataset, _ended(lineage, sum(record.seconds or 0.0 for record in done.records)))
    return done


def _beginning(data: Dataset | DatasetDict, lineage: Lineage) -> Beginning:
    """Where workers find the rows, if there are any."""
    if crew() is None:
        return {}
    from kbtools.pipeline.sharding import beginning

    return beginning(data, lineage)


def _segments(stages: Sequence[Stage]) -> list[Segment]:
    """Each stage alone; with an engine those together that its workers run together."""
    if crew() is None:
        return [Segment(position, (stage,), sharded=False) for position, stage in enumerate(stages, start=1)]
    return segments(stages)


def _sharded(done: ChainResult, segment: Segment, watcher: Observer, began_with: Beginning) -> None:
    """Run the stages of a segment in workers; the time that they took is shared out as the workers needed it."""
    from kbtools.pipeline.sharding import run_sharded

    began = time.perf_counter()
    outcomes = run_sharded(done.dataset, segment, watcher, began_with)
    share = (time.perf_counter() - began) / max(sum(outcome.seconds for outcome in outcomes), 1e-9)
    for position, (stage, outcome) in enumerate(zip(segment.stages, outcomes, strict=True), start=segment.first):
        if position > segment.first:
            watcher.started(position, stage, outcome.rows_in)
        _add(done, stage, outcome.result, (outcome.rows_in, outcome.rows_out), outcome.seconds * share, watcher)


def _grown(lineage: Lineage, stage: Stage, record: StageRecord) -> Lineage:
    update = {"stages": (*lineage.stages, entry(stage)), "records": (*lineage.records, record)}
    return lineage.model_copy(update=update)


def _ended(lineage: Lineage, seconds: float) -> Lineage:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return lineage.model_copy(update={"created": now, "seconds": (lineage.seconds or 0.0) + round(seconds, 3)})


def _step(done: ChainResult, position: int, stage: Stage, watcher: Observer) -> None:
    rows_in = count(done.dataset)
    watcher.started(position, stage, rows_in)
    began = time.perf_counter()
    with reporting(watcher, rows_in):
        result = checked(position, stage, done.dataset)
    seconds = time.perf_counter() - began
    _add(done, stage, result, (rows_in, count(result.dataset)), seconds, watcher)


def _add(
    done: ChainResult, stage: Stage, result: Result, rows: tuple[int, int], seconds: float, watcher: Observer
) -> None:
    """The result becomes that of the run; what stages left out is ordered by its number, whoever counted it."""
    result = replace(
        result,
        dropped=tuple(sorted(result.dropped, key=lambda drop: (-drop.rows.num_rows, drop.reason))),
        failed=tuple(sorted(result.failed, key=lambda failure: (-failure.count, failure.kind))),
    )
    record = _record(stage, rows, result, seconds)
    done.dataset = result.dataset
    done.records.append(record)
    done.dropped.extend((stage.name, drop) for drop in result.dropped)
    done.failed.extend((stage.name, failure) for failure in result.failed)
    done.tables.extend(result.tables)
    watcher.finished(record)


def _record(stage: Stage, rows: tuple[int, int], result: Result, seconds: float) -> StageRecord:
    origin = registry().origin(type(stage))
    dropped = result.dropped_counts()
    rows_in, rows_out = rows
    unexplained = rows_in - rows_out - sum(dropped.values()) - result.merged
    notes = result.notes
    if unexplained > 0:
        notes = (*notes, f"{rows_text(unexplained)} left out without a reason: a defect of stage {stage.name!r}")
    return StageRecord(
        stage=stage.name,
        distribution=origin.distribution if origin else type(stage).__module__,
        version=origin.version if origin else "",
        rows_in=rows_in,
        rows_out=rows_out,
        dropped=dropped,
        failed={failure.kind: failure.count for failure in result.failed},
        notes=notes,
        prompts={name: hashlib.sha256(text.encode()).hexdigest() for name, text in stage.prompts().items()},
        facts=dict(result.facts),
        seconds=round(seconds, 3),
    )


def count(data: Dataset | DatasetDict) -> int:
    """Rows in all splits."""
    return sum(ds.num_rows for ds in data.values()) if isinstance(data, dict) else data.num_rows
