"""A worker's part: read the rows, run the stages, leave what came of them in one folder, renamed when it is whole."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.errors import ConfigError, reason
from kbtools.result import Result
from kbtools.shards import inputs
from kbtools.shards.manifest import (
    MANIFEST,
    ROWS,
    Dropped,
    Failed,
    Figures,
    Manifest,
    StageFindings,
    digests,
    finished,
    write_rows,
)
from kbtools.shards.progress import ShardProgress, progress_file
from kbtools.shards.row_names import marked
from kbtools.shards.task import ShardTask, folder_of, key_of
from kbtools.shards.unfinished import clear, name_for
from kbtools.stage import Stage

if TYPE_CHECKING:
    from datasets import Dataset

Step = Callable[[int, Stage, "Dataset"], Result]
"""Runs the stage at a position of the chain."""


def work(task: ShardTask, stages: Sequence[Stage], step: Step) -> Manifest:
    """Do the task, unless it is done; ConfigError where this worker would do something else than the driver means."""
    scratch = Path(task.scratch)
    if key_of(task.rows, stages) != task.key:
        names = ", ".join(stage.name for stage in stages)
        raise ConfigError(
            f"on {platform.node()} the stages {names} are not the driver's, although their versions are the same: "
            "the code or the prompts differ. Install the same everywhere."
        )
    if (done := finished(scratch, task.key)) is not None:
        return done
    try:
        with _aside(folder_of(scratch, task.key)) as part:
            began, busy = time.perf_counter(), time.process_time()
            findings = _through(task, stages, step, part)
            took = time.perf_counter() - began, time.process_time() - busy
            return _manifest(task, findings, took, part)
    except OSError as error:
        told = f"shard {task.key[:12]} could not be written to {scratch} on {platform.node()} ({reason(error)})."
        raise ConfigError(told) from error


def _through(task: ShardTask, stages: Sequence[Stage], step: Step, part: Path) -> list[StageFindings]:
    """The rows through all stages, and what they found."""
    ds = inputs.read_shard(task.rows, Path(task.scratch), task.key)
    progress = ShardProgress(progress_file(Path(task.scratch), task.key), ds.num_rows, len(stages))
    findings = []
    for number, stage in enumerate(stages):
        began = time.perf_counter()
        with marked(task.key, number), progress.of_stage(number, ds.num_rows):
            result = step(task.first + number, stage, ds)
        seconds = time.perf_counter() - began
        findings.append(_findings(part, number, ds.num_rows, result, seconds))
        ds = result.dataset
    write_rows(ds, part / ROWS)
    return findings


def _findings(part: Path, number: int, rows_in: int, result: Result, seconds: float) -> StageFindings:
    dropped = []
    for index, drop in enumerate(drop for drop in result.dropped if drop.rows.num_rows):
        file = f"dropped-{number}-{index}.arrow"
        write_rows(drop.rows, part / file)
        dropped.append(Dropped(reason=drop.reason, file=file, rows=drop.rows.num_rows))
    return StageFindings(
        rows_in=rows_in,
        rows_out=result.dataset.num_rows,
        dropped=tuple(dropped),
        failed=tuple(Failed(**asdict(failure)) for failure in result.failed),
        notes=result.notes,
        facts=dict(result.facts),
        tables=tuple(Figures(**asdict(table)) for table in result.tables),
        merged=result.merged,
        seconds=seconds,
    )


def _manifest(task: ShardTask, findings: list[StageFindings], took: tuple[float, float], part: Path) -> Manifest:
    manifest = Manifest(
        key=task.key,
        host=platform.node(),
        seconds=took[0],
        processor=took[1],
        files=digests(part),
        findings=tuple(findings),
    )
    (part / MANIFEST).write_text(manifest.model_dump_json(), encoding="utf-8")
    return manifest


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """A folder to write to, renamed when it is whole; removed otherwise.

    When another worker has finished the same shard meanwhile, that one is kept. One that is broken makes room.
    """
    clear(folder.parent)
    part = folder.with_name(name_for(folder.name))
    part.mkdir(parents=True)
    try:
        yield part
        _named(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _named(part: Path, folder: Path) -> None:
    """Give a folder that is whole its name."""
    try:
        part.rename(folder)
    except OSError:
        if finished(folder.parents[2], folder.name) is None:
            broken = folder.with_name(name_for(folder.name))
            with suppress(FileNotFoundError):  # another worker has just done the same
                folder.rename(broken)
            part.rename(folder)
            shutil.rmtree(broken, ignore_errors=True)
