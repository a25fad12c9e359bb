"""Running a chain of stages: the whole chain is checked first, then each stage runs, is watched and is recorded."""

from __future__ import annotations

import datetime
import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from kbtools import lineage as lineages
from kbtools.asking import Asking, on_calls
from kbtools.data import load as loading
from kbtools.data import save as saving
from kbtools.data.layout import MEANINGS
from kbtools.data.source import Source
from kbtools.data.table import on_rows
from kbtools.errors import KbError, RowError, SchemaError, UsageError, did_you_mean
from kbtools.judge import Judge
from kbtools.lineage import Lineage, Recipe, StageRecord
from kbtools.models.fulfil import Plan
from kbtools.models.progress import Progress
from kbtools.plugins import registry
from kbtools.stage import Drop, Failure, Result, Stage, Table, check, flat, origins

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetDict


class Observer(Protocol):
    """Someone who watches a run: the command line draws progress from these calls."""

    def say(self, text: str) -> None:
        """A message for people, before the first stage begins."""

    def started(self, position: int, stage: Stage, rows: int) -> None:
        """A stage begins on this many rows."""

    def advanced(self, rows: int) -> None:
        """The stage has worked through so many more rows."""

    def called(self, progress: Progress) -> None:
        """The counters of running model calls, several times a second."""

    def finished(self, record: StageRecord) -> None:
        """The stage is done."""


class Unwatched:
    """The observer of runs that nobody watches."""

    def say(self, text: str) -> None:
        """Nobody listens."""

    def started(self, position: int, stage: Stage, rows: int) -> None:
        """Nothing to show."""

    def advanced(self, rows: int) -> None:
        """Nothing to show."""

    def called(self, progress: Progress) -> None:
        """Nothing to show."""

    def finished(self, record: StageRecord) -> None:
        """Nothing to show."""


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

    The whole chain is checked against the columns before the first row is processed.
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
    for line in [] if preflighted else preflight(lineages.of(data), chain):
        (observer or Unwatched()).say(line)
    return execute(data, chain, observer)


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


def entry(stage: Stage) -> dict[str, Any]:
    """A stage as a recipe writes it."""
    known = registry().name_of(type(stage))
    config = stage.config()
    if isinstance(stage, Judge):  # found by the name of the judge, even where that is the default of its class
        return {"stage": stage.name, **config, "judge": known}
    return {"stage": known, **config}


def execute(data: Dataset | DatasetDict, stages: Sequence[Stage], observer: Observer | None = None) -> Run:
    """Check the chain against the columns, then run its stages one by one; the lineage grows with every one."""
    watcher: Observer = observer or Unwatched()
    for ds in data.values() if isinstance(data, dict) else [data]:
        check(ds.features, stages)
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
    with _reporting(watcher), _located(position, stage):
        result = stage.run(done.dataset)
    record = _record(stage, rows_in, result, time.perf_counter() - began)
    done.dataset = result.dataset
    done.records.append(record)
    done.dropped.extend((stage.name, drop) for drop in result.dropped)
    done.failed.extend((stage.name, failure) for failure in result.failed)
    done.tables.extend(result.tables)
    watcher.finished(record)


def _record(stage: Stage, rows_in: int, result: Result, seconds: float) -> StageRecord:
    origin = origins.get(type(stage))
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


@dataclass(frozen=True)
class PlannedStage:
    """What a stage of a dry run would do: its columns, and its model calls where they can be known beforehand."""

    stage: str
    config: dict[str, Any]
    columns: list[str]
    calls: tuple[Plan, ...] = ()
    rows: int | None = None
    """Rows that reach the stage; None when that depends on replies that are not there yet."""


def plan(data: Dataset | DatasetDict, stages: Sequence[Stage]) -> list[PlannedStage]:
    """Check the chain, run the stages that ask no model, and count the calls of those that do, without a call.

    Stages that leave the rows as they are do not run: a push would publish. A stage that needs the columns of a model's
    stage cannot be looked at before that one has run; its rows are unknown.
    Requests that several stages or splits share are counted once.
    """
    features = next(iter(data.values())).features if isinstance(data, dict) else data.features
    after = [list(check(features, stages[: position + 1])) for position in range(len(stages))]
    steps: list[PlannedStage] = []
    reached: Dataset | DatasetDict | None = data
    seen: set[int] = set()
    for stage, columns in zip(stages, after, strict=True):
        reached = _within_reach(reached, stage)
        rows = None if reached is None else count(reached)
        calls: tuple[Plan, ...] = ()
        if reached is not None and isinstance(stage, Asking):
            calls = tuple(calls for ds in _splits(reached) for calls in stage.plan_calls(ds, seen))
            reached = reached if _keeps_rows(stage, _splits(reached)[0]) else None
        elif reached is not None and stage.makes_rows and not stage.only_reads():
            reached = stage.run(reached).dataset
        steps.append(PlannedStage(stage.name, stage.config(), columns, calls, rows))
    return steps


def _keeps_rows(stage: Asking, ds: Dataset) -> bool:
    """Whether a stage adds to its rows, and makes no rows of another kind."""
    return stage.keeps_rows() and set(ds.column_names) <= set(stage.output_features(ds.features))


def _within_reach(data: Dataset | DatasetDict | None, stage: Stage) -> Dataset | DatasetDict | None:
    """The data if the stage can work on it as it is, without the columns that models have yet to give."""
    try:
        for ds in _splits(data) if data is not None else []:
            stage.output_features(ds.features)
    except SchemaError:
        return None
    return data


def _splits(data: Dataset | DatasetDict) -> list[Dataset]:
    return list(data.values()) if isinstance(data, dict) else [data]


def count(data: Dataset | DatasetDict) -> int:
    """Rows in all splits."""
    return sum(ds.num_rows for ds in data.values()) if isinstance(data, dict) else data.num_rows


@contextmanager
def _reporting(watcher: Observer) -> Iterator[None]:
    rows, calls = on_rows.set(watcher.advanced), on_calls.set(watcher.called)
    try:
        yield
    finally:
        on_rows.reset(rows)
        on_calls.reset(calls)


@contextmanager
def _located(position: int, stage: Stage) -> Iterator[None]:
    """Errors of a stage say which stage of the chain it was."""
    try:
        yield
    except KbError as error:
        if error.args and not str(error).startswith("stage "):
            error.args = (f"stage {position} ({stage.name}): {error}",)
        raise


def load(
    dataset: str,
    *,
    split: str | None = None,
    config: str | None = None,
    revision: str | None = None,
    limit: int | None = None,
) -> Dataset | DatasetDict:
    """A dataset from a Hub id, a file (parquet, jsonl, csv), a `save_to_disk` folder, or `"sample"`; kept on disk.

    The source, with the resolved commit or the digest of the file, is the start of its lineage. A lineage on the Hub
    (`hf://datasets/me/x/kbtools-lineage.json`) is run again from its source, and gives the same rows.
    """
    source = Source(dataset=dataset, split=split, config=config, revision=revision, limit=limit)
    if dataset.startswith("hf://") and dataset.endswith(".json"):
        if source != Source(dataset=dataset):
            raise UsageError(f"{dataset} says itself what was loaded: leave split, config, revision and limit out.")
        return again(lineages.read_hub(dataset))
    return load_source(source)


def again(recipe: Recipe) -> Dataset | DatasetDict:
    """The result of a recipe or of the run that a lineage describes, from its source."""
    if recipe.source is None:
        raise UsageError("the recipe has no source, so it cannot be run from it.")
    return run(load_source(recipe.source), build(recipe)).dataset


def load_source(source: Source) -> Dataset | DatasetDict:
    """As `load`, from a description."""
    data, found = loading.read(source)
    lineages.attach(data, Lineage(source=found, versions=lineages.versions()))
    return data


def save(data: Dataset | DatasetDict, path: str | Path) -> list[Path]:
    """Write a dataset as parquet, jsonl or a folder, as the name says, with its lineage; returns the files.

    Every file is written aside and renamed when whole. The lineage goes beside the output as NAME.lineage.json.
    """
    target = Path(path)
    splits = {name: ds.num_rows for name, ds in data.items()} if isinstance(data, dict) else None
    files = saving.write(data, target, lineages.of(data).embedded())
    return [*files, save_lineage(data, saving.lineage_file(target), lineages.Output(out=str(path), splits=splits))]


def save_lineage(data: Dataset | DatasetDict, path: Path, output: lineages.Output | None = None) -> Path:
    """Write only how a dataset was made and what its stages found, as JSON."""
    full = lineages.of(data).model_copy(update={"output": output})
    path.parent.mkdir(parents=True, exist_ok=True)
    saving.write_text(path, full.model_dump_json(indent=1, exclude_none=True) + "\n")
    return path


def save_dropped(done: Run, path: Path) -> Path:
    """Write every row that was left out, as its stage received it, with `dropped_by` and `reason`."""
    import datasets
    import pyarrow as pa

    parts = [_labelled(stage, drop) for stage, drop in done.dropped if drop.rows.num_rows]
    labels = pa.schema([("dropped_by", pa.string()), ("reason", pa.string())])
    try:
        table = pa.concat_tables(parts, promote_options="permissive") if parts else labels.empty_table()
    except pa.ArrowException as error:
        raise UsageError(f"--dropped {path}: stages changed a column's type between two drops ({error}).") from error
    saving.write(datasets.Dataset(table.replace_schema_metadata(None)), path, "")
    return path


def _labelled(stage: str, drop: Drop) -> pa.Table:
    import pyarrow as pa

    table = drop.rows.with_format("arrow")[:]
    names = [pa.array([stage] * table.num_rows, pa.string()), pa.array([drop.reason] * table.num_rows, pa.string())]
    return table.append_column("dropped_by", names[0]).append_column("reason", names[1])


def build(recipe: Recipe) -> tuple[Stage, ...]:
    """The stages of a recipe; UsageError names the stage and the key that does not fit."""
    return tuple(_build(position, dict(fields), recipe.seed) for position, fields in enumerate(recipe.stages, start=1))


def _build(position: int, fields: dict[str, Any], seed: int | None) -> Stage:
    name = fields.pop("stage", None)
    if not isinstance(name, str):
        raise UsageError(f"stage {position}: the key `stage` must name the stage.")
    return make(name, fields, where=f"stage {position} ({name})", seed=seed)


def make(name: str, fields: dict[str, Any], *, where: str, seed: int | None = None) -> Stage:
    """A stage from its name and fields; UsageError with the nearest field for an unknown one."""
    cls = registry().stage(name)
    if cls.name == "judge" and "judge" in fields:
        cls = registry().judge(str(fields["judge"]))
    if seed is not None and "seed" in cls.model_fields:
        fields = {"seed": seed, **fields}
    for meaning in fields.get("columns", {}):
        if meaning not in MEANINGS:
            raise UsageError(f"{where}: no meaning is called {meaning!r}. {did_you_mean(meaning, MEANINGS)}")
    try:
        return cls(**fields)
    except ValidationError as error:
        raise UsageError(f"{where}: {lineages.explain(error, cls)}") from error


def raise_for_failures(done: Run) -> None:
    """RowError when rows failed in a run whose result was written all the same."""
    if done.failed:
        kinds = "; ".join(
            f"{stage}: {failure.count} x {failure.kind} ({', '.join(failure.examples)})"
            for stage, failure in done.failed
        )
        raise RowError(f"some rows failed: {kinds}")
