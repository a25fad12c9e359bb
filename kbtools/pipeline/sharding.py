"""Row-wise stages of a chain in the workers of an engine: the driver's part, and what a worker is called with.

The driver hands out shards in order, and none after one that failed: so the error that is raised is that of the lowest
shard, whoever was faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.engines import Crew, crew
from kbtools.engines.crew import Done
from kbtools.errors import UsageError
from kbtools.lineage import Lineage, Recipe
from kbtools.pipeline.observers import Observer
from kbtools.pipeline.serialization import build, entry
from kbtools.pipeline.step import checked
from kbtools.result import of_splits
from kbtools.shards import (
    INPUTS,
    Inputs,
    LoadedInput,
    Manifest,
    Segment,
    ShardTask,
    StageOutcome,
    Watched,
    clear,
    filled,
    finished,
    inputs_of,
    key_of,
    merged,
    pinned,
    placed,
    progress_file,
    ranges,
    rows_before,
    work,
)
from kbtools.stage import Stage
from kbtools.wording import counted

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

WORK = "kbtools.pipeline.sharding:work_on"


Beginning = Mapping[str | None, LoadedInput]
"""What a run began with, by split, where workers can load it themselves."""


def beginning(data: Dataset | DatasetDict, lineage: Lineage) -> Beginning:
    """The dataset, or its splits, with where workers find it; nothing where it is in this process alone."""
    source = None if lineage.stages or lineage.derived_from_memory else pinned(lineage.source)
    if source is None:
        return {}
    if not isinstance(data, dict):
        return {None: LoadedInput(data, source)}
    return {name: LoadedInput(ds, source.model_copy(update={"split": name})) for name, ds in data.items()}


def run_sharded(
    data: Dataset | DatasetDict, segment: Segment, watcher: Observer, began_with: Beginning
) -> list[StageOutcome]:
    """What each stage of the segment did to all rows, once every shard is finished."""
    workers = crew()
    assert workers is not None, "segments are sharded only where an engine is open"
    clear(Path(workers.scratch) / INPUTS)
    drive = _Drive(workers, segment, watcher, _shards(data, workers, began_with))
    watcher.started(segment.first, segment.stages[0], sum(len(shard.part) for shard in drive.shards))
    names = ", ".join(stage.name for stage in segment.stages)
    drive.say(f"{names}: {_count(len(drive.shards))} on {workers.described}")
    drive.run()
    scratch = Path(workers.scratch)
    found = {
        split: merged(inputs.ds, segment.stages, placed(scratch, [drive.finished[shard] for shard in drive.of(split)]))
        for split, inputs in {shard.split: shard.inputs for shard in drive.shards}.items()
    }
    return found[None] if None in found else _over_splits({str(split): outcomes for split, outcomes in found.items()})


def work_on(payload: str) -> str:
    """A worker's part: the task in, the manifest out."""
    import datasets

    datasets.disable_progress_bars()
    task = ShardTask.model_validate_json(payload)
    return work(task, build(Recipe(stages=task.stages)), checked).model_dump_json()


@dataclass(frozen=True, eq=False)
class _Shard:
    """A range of the rows of a dataset, or of one split."""

    split: str | None
    part: range
    inputs: Inputs


@dataclass
class _Drive:
    """The shards of one segment on their way."""

    workers: Crew
    segment: Segment
    watcher: Observer
    shards: list[_Shard]
    finished: dict[_Shard, Manifest] = field(default_factory=dict)
    reused: int = 0
    _sent: list[tuple[_Shard, ShardTask]] = field(default_factory=list)
    _failed: dict[_Shard, Done] = field(default_factory=dict)
    _watched: Watched = field(default_factory=Watched)

    def say(self, text: str) -> None:
        """A line for people."""
        self.watcher.say(f"    {text}")

    def of(self, split: str | None) -> list[_Shard]:
        """The shards of one split, in order."""
        return [shard for shard in self.shards if shard.split == split]

    def run(self) -> None:
        """Until every shard is finished; the error of the lowest one that failed."""
        try:
            for done in self.workers.work(WORK, self._payloads(), meanwhile=self._look):
                self._heard(done)
        except KeyboardInterrupt as interrupt:
            kept = f"interrupted: {len(self.finished)} of {_count(len(self.shards))} are finished and kept"
            raise KeyboardInterrupt(f"{kept}, the same command goes on from there.") from interrupt
        finally:
            for _, task in self._sent:
                self._remove(task)
        if self.reused:
            self.say(f"{self.reused} of {_count(len(self.shards))} reused")
        for shard in self.shards:
            if shard in self._failed:
                self._raise(shard)

    def _payloads(self) -> Iterator[str]:
        """The tasks that are not finished yet, until one fails; their rows are put in place as they are taken."""
        entries = tuple(
            _entry(position, stage) for position, stage in enumerate(self.segment.stages, self.segment.first)
        )
        for shard in self.shards:
            if self._failed:
                return
            rows = shard.inputs.rows(shard.part)
            task = ShardTask(
                key=key_of(rows, self.segment.stages),
                rows=rows,
                stages=entries,
                first=self.segment.first,
                scratch=self.workers.scratch,
            )
            if (manifest := finished(Path(task.scratch), task.key)) is not None:
                self.reused += 1
                self._finish(shard, manifest, len(shard.part))
                continue
            shard.inputs.write(rows)
            self._sent.append((shard, task))
            yield task.model_dump_json()

    def _heard(self, done: Done) -> None:
        shard, task = self._sent[done.index]
        if done.answer.fault is not None:
            self._failed[shard] = done
            return
        rest = self._remove(task, len(shard.part))
        self._finish(shard, Manifest.model_validate_json(done.answer.text), rest)

    def _finish(self, shard: _Shard, manifest: Manifest, rows: int) -> None:
        self.finished[shard] = manifest
        self.watcher.advanced(rows)

    def _look(self) -> None:
        """Tell of rows in shards that are under way."""
        under_way = (task.key for shard, task in self._sent if shard not in self.finished)
        if rows := self._watched.news(progress_file(Path(self.workers.scratch), key) for key in under_way):
            self.watcher.advanced(rows)

    def _remove(self, task: ShardTask, rows: int = 0) -> int:
        """Remove what was written for a shard on its way; gives the rows of it that were not told of yet."""
        if task.rows.file is not None:
            Path(task.rows.file).unlink(missing_ok=True)
        return self._watched.rest(progress_file(Path(task.scratch), task.key), rows)

    def _raise(self, shard: _Shard) -> None:
        """The error of a shard, whose rows are now called by their numbers in the whole: all before it are finished."""
        done, key = self._failed[shard], next(task.key for sent, task in self._sent if sent is shard)
        before = rows_before(
            [self.finished[other] for other in self.of(shard.split)[: self.of(shard.split).index(shard)]]
        )
        fault = done.answer.fault
        assert fault is not None, "only faults are failures"
        counts = before[-1] or [0] * len(self.segment.stages)
        message = f"{filled(fault.message, key, counts)} [{self._place(shard)}]"
        raise fault.model_copy(update={"message": message}).error(done.where)

    def _place(self, shard: _Shard) -> str:
        """Which rows a shard is about: it counts only those."""
        split = f" of split {shard.split}" if shard.split else ""
        return f"rows {shard.part.start:,} to {shard.part.stop - 1:,}{split}, as stage {self.segment.first} gets them"


def _shards(data: Dataset | DatasetDict, workers: Crew, began_with: Beginning) -> list[_Shard]:
    """All splits cut into shards."""
    splits: dict[str | None, Dataset] = {**data} if isinstance(data, dict) else {None: data}
    found = []
    for name, ds in splits.items():
        inputs = inputs_of(ds, began_with.get(name) or began_with.get(None), Path(workers.scratch))
        size = ds.data.nbytes * ds.num_rows // max(ds.data.num_rows, 1)
        found += [_Shard(name, part, inputs) for part in ranges(ds.num_rows, size, workers.shards)]
    return found


def _over_splits(found: dict[str, list[StageOutcome]]) -> list[StageOutcome]:
    """The outcomes of each stage in all splits, as one."""
    stages = zip(*found.values(), strict=True)
    return [
        StageOutcome(
            of_splits({name: outcome.result for name, outcome in zip(found, outcomes, strict=True)}),
            rows_in=sum(outcome.rows_in for outcome in outcomes),
            rows_out=sum(outcome.rows_out for outcome in outcomes),
            seconds=sum(outcome.seconds for outcome in outcomes),
        )
        for outcomes in stages
    ]


def _entry(position: int, stage: Stage) -> dict[str, object]:
    """The stage as a worker builds it again; UsageError where it could not, because no plugin offers it."""
    found = entry(stage)
    try:
        again = build(Recipe(stages=(found,)))[0]
    except UsageError:
        again = None
    if again != stage:
        raise UsageError(
            f"stage {position} ({stage.name}): workers build a stage from its recipe entry, and for this "
            f"{type(stage).__name__} that gives another one. Offer it as a plugin (`kbtools new stage NAME` writes "
            "one), or run without an engine."
        )
    return found


def _count(shards: int) -> str:
    return counted(shards, "shard")
