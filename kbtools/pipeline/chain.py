"""Running a chain: it is checked as a whole first, then each stage runs, is watched and is recorded in the lineage."""

from __future__ import annotations

import datetime
import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kbtools import lineage as lineages
from kbtools.errors import KbError
from kbtools.lineage import Lineage, Recipe, StageRecord
from kbtools.pipeline.observers import Bars, Observer, reporting
from kbtools.pipeline.serialization import entry
from kbtools.plugins import registry
from kbtools.result import Drop, Failure, Result, Table
from kbtools.stage import Stage, check_chain, flat

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


@dataclass
class Run:
    """What came of a chain: the dataset, the record of each stage, and the rows that were left out."""

    dataset: Dataset | DatasetDict
    records: list[StageRecord] = field(default_factory=list)
    dropped: list[tuple[str, Drop]] = field(default_factory=list)
    failed: list[tuple[str, Failure]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


def apply(data: Dataset | DatasetDict, *stages: Stage, observer: Observer | None = None) -> Dataset | DatasetDict:
    """The dataset after these stages, its lineage attached; RowError after a stage whose rows failed with `raise`.

    The whole chain is checked against the columns before the first row is processed. Without an observer there is a
    progress bar (`datasets.disable_progress_bars()` turns it off), and the logger `kbtools` warns of what went wrong.
    """
    return run(data, stages, observer).dataset


def run(
    data: Dataset | DatasetDict,
    stages: Iterable[Stage],
    observer: Observer | None = None,
    *,
    preflighted: bool = False,
) -> Run:
    """As `apply`, with the records and the dropped rows; `preflighted` when the caller has called `preflight`."""
    chain = tuple(flat(stages))
    bars = Bars()
    watcher = observer or bars
    try:
        for line in [] if preflighted else preflight(lineages.of(data), chain):
            watcher.say(line)
        return execute(data, chain, watcher)
    finally:
        bars.close()


def preflight(recipe: Recipe, stages: Sequence[Stage]) -> list[str]:
    """What the stages have to say before any work is done; the first error that can be known by then.

    Each stage is told of the recipe up to itself.
    """
    lines: list[str] = []
    for stage in stages:
        lines += stage.preflight(Recipe(source=recipe.source, stages=recipe.stages).model_dump(mode="json"))
        if stage.makes_rows:
            recipe = recipe.model_copy(update={"stages": (*recipe.stages, entry(stage))})
    return lines


def execute(data: Dataset | DatasetDict, stages: Sequence[Stage], watcher: Observer) -> Run:
    """Check the chain against the columns, then run its stages one by one; the lineage grows with every one."""
    for ds in data.values() if isinstance(data, dict) else [data]:
        check_chain(ds.features, stages)
    done = Run(data)
    lineage = lineages.of(data).model_copy(update={"versions": lineages.versions()})
    for position, stage in enumerate(stages, start=1):
        lineages.attach(done.dataset, lineage)  # a stage that publishes reads there how its rows came about
        _step(done, position, stage, watcher)
        if stage.makes_rows:
            lineage = _grown(lineage, stage, done.records[-1])
    lineages.attach(done.dataset, _ended(lineage, sum(record.seconds or 0.0 for record in done.records)))
    return done


def _grown(lineage: Lineage, stage: Stage, record: StageRecord) -> Lineage:
    update = {"stages": (*lineage.stages, entry(stage)), "records": (*lineage.records, record)}
    return lineage.model_copy(update=update)


def _ended(lineage: Lineage, seconds: float) -> Lineage:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return lineage.model_copy(update={"created": now, "seconds": (lineage.seconds or 0.0) + round(seconds, 3)})


def _step(done: Run, position: int, stage: Stage, watcher: Observer) -> None:
    rows_in = count(done.dataset)
    watcher.started(position, stage, rows_in)
    began = time.perf_counter()
    with reporting(watcher, rows_in), _located(position, stage):
        result = stage.run(done.dataset)
        if not isinstance(result, Result):
            raise KbError(f"it gave {type(result).__name__} instead of a kb.Result, which is a defect of the stage.")
    record = _record(stage, rows_in, result, time.perf_counter() - began)
    done.dataset = result.dataset
    done.records.append(record)
    done.dropped.extend((stage.name, drop) for drop in result.dropped)
    done.failed.extend((stage.name, failure) for failure in result.failed)
    done.tables.extend(result.tables)
    watcher.finished(record)


def _record(stage: Stage, rows_in: int, result: Result, seconds: float) -> StageRecord:
    origin = registry().origin(type(stage))
    dropped = result.dropped_counts()
    rows_out = count(result.dataset)
    unexplained = rows_in - rows_out - sum(dropped.values())
    notes = result.notes
    if unexplained > 0:
        notes = (*notes, f"{unexplained} rows left out without a reason: a defect of stage {stage.name!r}")
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


@contextmanager
def _located(position: int, stage: Stage) -> Iterator[None]:
    """Errors of a stage say which stage of the chain it was."""
    try:
        yield
    except KbError as error:
        if error.args and not str(error).startswith("stage "):
            error.args = (f"stage {position} ({stage.name}): {error}",)
        raise
    except SystemExit as error:  # would end the run as if it were done
        told = f"stage {position} ({stage.name}): it ended the program (SystemExit: {error}), a defect of the stage."
        raise KbError(told) from error
