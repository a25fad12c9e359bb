"""Who does what: jobs go to idle workers in order, answers come back as they are known, the lost are replaced.

A worker that dies takes only its job with it; the job goes to another one, unless it has killed `ATTEMPTS` of them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from kbtools.engines.job import Job, JobAnswer, JobFault, Kind
from kbtools.errors import ConfigError, KbError
from kbtools.wording import counted

ATTEMPTS = 3
"""Workers that may die over one job before it counts as the job's fault."""
PATIENCE = 300.0
"""Seconds until workers that nobody gives a processor are given up."""

_crew: ContextVar[Crew | None] = ContextVar("_crew", default=None)


def crew() -> Crew | None:
    """The workers of the run that is under way; None where it runs in this process alone."""
    return _crew.get()


class Worker(Protocol):
    """Someone who does one job at a time."""

    where: str
    """How people find it: its host and what it is called there."""

    def ready(self) -> bool:
        """Whether it can be given jobs by now."""

    def send(self, job: Job) -> None:
        """Start a job."""

    def close(self) -> None:
        """End, whatever is under way."""


@dataclass(frozen=True)
class WorkerAnswer:
    """A worker's answer; None when it died."""

    worker: Worker
    answer: JobAnswer | None


class Staff(Protocol):
    """How workers of a kind are found and heard."""

    def hire(self, kind: Kind) -> list[Worker]:
        """All the workers that there can be."""

    def replace(self, worker: Worker) -> Worker | None:
        """Another one in the place of one that died; None where there can be none."""

    def heard(self, working: Iterable[Worker]) -> list[WorkerAnswer]:
        """What came from them, after at most a second."""

    def has_gpus(self) -> bool:
        """Whether a job may ask for a worker with a GPU of its own."""

    def close(self) -> None:
        """End what was started."""


@dataclass(frozen=True)
class PlacedJob:
    """A job at its place among the others."""

    index: int
    job: Job
    deaths: int = 0


@dataclass(frozen=True)
class Done:
    """The answer to the job at a place, and who gave it."""

    index: int
    answer: JobAnswer
    where: str

    def text(self) -> str:
        """The answer; raises the error that the job ended with."""
        if self.answer.fault is not None:
            raise self.answer.fault.error(self.where)
        return self.answer.text


class Crew:
    """The workers of one run."""

    def __init__(self, staff: Staff, scratch: str, shards: int | None, described: str) -> None:
        self.scratch = scratch
        """Folder that every worker sees."""
        self.shards = shards
        """Parts that rows are to be cut into, where that was said."""
        self.described = described
        """The workers in words, as in `2 processes`."""
        self._staff = staff
        self._workers: dict[Kind, list[Worker]] = {}

    def kind(self, *, gpu: bool) -> Kind:
        """The kind of workers for jobs that use a GPU where there is one."""
        return "gpu" if gpu and self._staff.has_gpus() else "cpu"

    def work(
        self,
        function: str,
        payloads: Iterable[str],
        kind: Kind = "cpu",
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Iterator[Done]:
        """Answers of `function`, as module:name, in the order in which they are known; payloads are taken as needed.

        While workers are at their jobs, `meanwhile` is called about once a second. Whoever stops listening ends them.
        """
        source = (PlacedJob(index, Job(function=function, payload=text)) for index, text in enumerate(payloads))
        again: deque[PlacedJob] = deque()
        under_way: dict[Worker, PlacedJob] = {}
        try:
            while True:
                self._assign(kind, under_way, again, source)
                if not under_way:
                    return
                meanwhile()
                for heard in self._staff.heard(under_way):
                    assignment = under_way.pop(heard.worker)
                    if heard.answer is not None:
                        yield Done(assignment.index, heard.answer, heard.worker.where)
                        continue
                    self._replace(kind, heard.worker)
                    yield from _once_more(assignment, heard.worker, again)
        finally:
            for worker in under_way:
                worker.close()
                self._workers[kind].remove(worker)

    def size(self, kind: Kind) -> int:
        """How many workers of a kind there are."""
        return len(self._of_kind(kind))

    def dismiss(self, kind: Kind) -> None:
        """End the workers of a kind, and with them what they keep in memory; new ones are hired for the next job."""
        for worker in self._workers.pop(kind, []):
            worker.close()

    def close(self) -> None:
        """End all workers."""
        for kind in list(self._workers):
            self.dismiss(kind)
        self._staff.close()

    def _of_kind(self, kind: Kind) -> list[Worker]:
        if not self._workers.get(kind):
            self._workers[kind] = self._staff.hire(kind)
        return self._workers[kind]

    def _assign(
        self,
        kind: Kind,
        under_way: dict[Worker, PlacedJob],
        again: deque[PlacedJob],
        source: Iterator[PlacedJob],
    ) -> None:
        """Give every idle worker a job; nobody is hired, nor waited for, before there is one."""
        while not under_way or self._idle(kind, under_way):
            assignment = again.popleft() if again else next(source, None)
            if assignment is None:
                return
            if not under_way:
                self._wait_until_ready(kind)
            worker = self._idle(kind, under_way)[0]
            worker.send(assignment.job)
            under_way[worker] = assignment

    def _idle(self, kind: Kind, under_way: dict[Worker, PlacedJob]) -> list[Worker]:
        return [worker for worker in self._of_kind(kind) if worker not in under_way and worker.ready()]

    def _wait_until_ready(self, kind: Kind) -> None:
        """Until a worker can be given a job; ConfigError when it takes so long that none will come."""
        end = time.monotonic() + PATIENCE
        while True:
            if any(worker.ready() for worker in self._of_kind(kind)):
                return
            if time.monotonic() > end:
                raise ConfigError(
                    f"no worker could be given work for {PATIENCE:.0f} s: the processors of {self.described} "
                    "are taken by others, or its nodes do not start processes."
                )
            time.sleep(0.05)

    def _replace(self, kind: Kind, worker: Worker) -> None:
        """Another worker in the place of this one, if there can be one."""
        worker.close()
        new = self._staff.replace(worker)
        self._workers[kind].remove(worker)
        self._workers[kind] += [new] if new else []


def _once_more(assignment: PlacedJob, worker: Worker, again: deque[PlacedJob]) -> Iterator[Done]:
    """Put the job of a dead worker back, or answer for it when it has killed enough of them."""
    deaths = assignment.deaths + 1
    if deaths < ATTEMPTS:
        again.append(PlacedJob(assignment.index, assignment.job, deaths))
        return
    told = (
        f"{counted(deaths, 'worker')} died over this part of the rows, the last on {worker.where}. The usual "
        "reason is memory: "
        "give more --shards, or fewer workers."
    )
    error = KbError(told)
    yield Done(assignment.index, JobAnswer(fault=JobFault.of(error)), worker.where)
