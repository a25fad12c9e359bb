"""Row-wise stages of a chain in the workers of an engine: the driver's part, and what a worker is called with.

The driver hands out shards in order, and none after one that failed: so the error that is raised is that of the lowest
shard, whoever was faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools import lineage as lineages
from kbtools.engines import Crew, crew
from kbtools.engines.crew import Done
from kbtools.errors import UsageError
from kbtools.lineage import Recipe
from kbtools.pipeline.observers import Observer
from kbtools.pipeline.serialization import build, entry
from kbtools.pipeline.step import checked
from kbtools.shards import (
    Inputs,
    Manifest,
    Outcome,
    Rows,
    Segment,
    Task,
    filled,
    finished,
    key_of,
    merged,
    pinned,
    placed,
    ranges,
    rows_before,
    work,
)
from kbtools.stage import Stage, of_splits

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

WORK = "kbtools.pipeline.sharding:work_on"


def run_sharded(data: Dataset | DatasetDict, segment: Segment, watcher: Observer) -> list[Outcome]:
    """What each stage of the segment did to all rows, once every shard is finished."""
    workers = crew()
    assert workers is not None, "segments are sharded only where an engine is open"
    drive = _Drive(workers, segment, watcher, _shards(data, workers))
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
    task = Task.model_validate_json(payload)
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
    _sent: list[tuple[_Shard, Task]] = field(default_factory=list)
    _failed: dict[_Shard, Done] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """A line for people."""
        self.watcher.say(f"    {text}")

    def of(self, split: str | None) -> list[_Shard]:
        """The shards of one split, in order."""
        return [shard for shard in self.shards if shard.split == split]

    def run(self) -> None:
        """Until every shard is finished; the error of the lowest one that failed."""
        try:
            for done in self.workers.work(WORK, self._payloads()):
                self._heard(done)
        except KeyboardInterrupt as interrupt:
            kept = f"interrupted: {len(self.finished)} of {_count(len(self.shards))} are finished and kept"
            raise KeyboardInterrupt(f"{kept}, the same command goes on from there.") from interrupt
        finally:
            for _, task in self._sent:
                _remove(task.rows)
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
            task = Task(
                key=key_of(rows, self.segment.stages),
                rows=rows,
                stages=entries,
                first=self.segment.first,
                scratch=self.workers.scratch,
            )
            if (manifest := finished(Path(task.scratch), task.key)) is not None:
                self.reused += 1
                self._finish(shard, manifest)
                continue
            shard.inputs.write(rows)
            self._sent.append((shard, task))
            yield task.model_dump_json()

    def _heard(self, done: Done) -> None:
        shard, task = self._sent[done.index]
        if done.answer.fault is not None:
            self._failed[shard] = done
            return
        _remove(task.rows)
        self._finish(shard, Manifest.model_validate_json(done.answer.text))

    def _finish(self, shard: _Shard, manifest: Manifest) -> None:
        self.finished[shard] = manifest
        self.watcher.advanced(len(shard.part))

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


def _shards(data: Dataset | DatasetDict, workers: Crew) -> list[_Shard]:
    """All splits cut into shards."""
    lineage = lineages.of(data)
    source = None if lineage.stages or lineage.derived_from_memory else pinned(lineage.source)
    splits: dict[str | None, Dataset] = {**data} if isinstance(data, dict) else {None: data}
    found = []
    for name, ds in splits.items():
        its_source = source.model_copy(update={"split": name}) if source and name else source
        inputs = Inputs(ds, its_source, Path(workers.scratch))
        size = ds.data.nbytes * ds.num_rows // max(ds.data.num_rows, 1)
        found += [_Shard(name, part, inputs) for part in ranges(ds.num_rows, size, workers.shards)]
    return found


def _over_splits(found: dict[str, list[Outcome]]) -> list[Outcome]:
    """The outcomes of each stage in all splits, as one."""
    stages = zip(*found.values(), strict=True)
    return [
        Outcome(
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


def _remove(rows: Rows) -> None:
    if rows.file is not None:
        Path(rows.file).unlink(missing_ok=True)


def _count(shards: int) -> str:
    return "1 shard" if shards == 1 else f"{shards:,} shards"
