"""Which runs are under way on this machine: each keeps a small file of what it tells its observer."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from kbtools.lineage import StageRecord
from kbtools.pipeline.observers import Observer
from kbtools.stage import Stage

if TYPE_CHECKING:
    from kbtools.models.engine.progress import Progress

logger = logging.getLogger("kbtools")
_SECONDS_BETWEEN = 1.0


class RunState(BaseModel):
    """How far a run has come."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    birth: str
    """When the process began, as the system counts: a later one may have the same number."""
    command: str
    began: float
    """Seconds since 1970."""
    stages: int
    position: int = 0
    """Of the stage that runs, counted from 1."""
    stage: str = ""
    rows: int = 0
    """That the stage was given."""
    done: int = 0
    """Rows that it has worked through, or requests, where it asks a model."""
    failed: int = 0
    """Rows and requests of all stages so far."""
    cost: float | None = None
    """Of the stage's calls, where prices are known."""
    to_go: float | None = None
    """Seconds, where they can be estimated."""


def folder() -> Path:
    """Where the files are: `kbtools/runs` in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "kbtools" / "runs"


def runs() -> list[RunState]:
    """Every run under way, the oldest first; files that killed runs left behind are removed."""
    found = []
    for file in sorted(folder().glob("*.json")):
        try:
            state = RunState.model_validate_json(file.read_bytes())
        except (FileNotFoundError, ValidationError):  # ended just now, or written by another version
            continue
        if _birth(state.pid) == state.birth:
            found.append(state)
        else:
            file.unlink(missing_ok=True)
    return sorted(found, key=lambda state: state.began)


@contextmanager
def noted(watcher: Observer, stages: int) -> Iterator[Observer]:
    """The observer, of whose run everybody on this machine can see how far it is."""
    pid, began = os.getpid(), time.time()
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    state = RunState(pid=pid, birth=_birth(pid), command=command, began=began, stages=stages)
    noting = _Noting(watcher, state, folder() / f"{pid}-{time.time_ns()}.json")
    noting.write()
    try:
        yield noting
    finally:
        if noting.works:
            noting.file.unlink(missing_ok=True)


class _Noting:
    """Tells the observer everything, and a file once a second."""

    def __init__(self, watcher: Observer, state: RunState, file: Path) -> None:
        self.watcher = watcher
        self.state = state
        self.file = file
        self._failed_before = 0
        self._written = 0.0
        self.works = True

    def write(self, **changes: object) -> None:
        """Note what has changed; a folder that cannot be written to costs the status, not the run."""
        self.state = self.state.model_copy(update=changes)
        if not self.works or (
            not {"position"} & changes.keys() and time.monotonic() - self._written < _SECONDS_BETWEEN
        ):
            return
        self._written = time.monotonic()
        part = self.file.with_suffix(".part")
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(self.state.model_dump_json(), encoding="utf-8")
            part.replace(self.file)
        except OSError as error:
            self.works = False
            logger.info("`kbtools status` will not show this run: %s", error)

    def say(self, text: str) -> None:
        self.watcher.say(text)

    def started(self, position: int, stage: Stage, rows: int) -> None:
        self.watcher.started(position, stage, rows)
        self.write(position=position, stage=stage.name, rows=rows, done=0, cost=None, to_go=None)

    def advanced(self, rows: int) -> None:
        self.watcher.advanced(rows)
        self.write(done=self.state.done + rows)

    def counted(self, counts: Mapping[str, int]) -> None:
        self.watcher.counted(counts)

    def called(self, progress: Progress) -> None:
        self.watcher.called(progress)
        failed = self._failed_before + progress.failed
        total = progress.total or self.state.rows
        self.write(done=progress.finished, rows=total, failed=failed, cost=progress.cost, to_go=progress.eta)

    def finished(self, record: StageRecord) -> None:
        self.watcher.finished(record)
        self._failed_before += sum(record.failed.values())
        self.write(failed=self._failed_before)


def _birth(pid: int) -> str:
    """When a process began, in the system's ticks; empty where there is none, `?` where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return "" if Path("/proc/self").exists() else _alive(pid)
    return stat.rpartition(")")[2].split()[19]


def _alive(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    return "?"
