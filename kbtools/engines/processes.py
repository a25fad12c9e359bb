"""Workers that are processes of this machine, each on the two ends of a pair of pipes.

They end when the driver does, however it ends: the pipe that they read from is closed then.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import IO

from kbtools.engines import versions
from kbtools.engines.crew import Worker, WorkerAnswer
from kbtools.engines.job import Job, JobAnswer, Kind
from kbtools.engines.versions import Versions
from kbtools.errors import ConfigError


class LocalProcess:
    """One process that works."""

    def __init__(self, number: int) -> None:
        command = [sys.executable, "-P", "-m", "kbtools.engines.worker", str(number)]
        self.number = number
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
        )  # a group of its own: Ctrl-C is for the driver, which then ends its workers
        self.where = f"process {self._process.pid}"
        self._ready = False

    def fileno(self) -> int:
        """What to wait for: the pipe on which it answers."""
        return _pipe(self._process.stdout).fileno()

    def ready(self) -> bool:
        """Whether it has said who it is; ConfigError where it cannot."""
        if not self._ready and _readable([self], 0.0):
            line = _pipe(self._process.stdout).readline()
            if not line:
                raise ConfigError(f"a worker could not be started ({' '.join(map(str, self._process.args))}).")  # type: ignore[arg-type]  # it was given a list
            versions.refuse_difference(versions.here(), Versions.model_validate_json(line), self.where)
            self._ready = True
        return self._ready

    def send(self, job: Job) -> None:
        """Write the job; a process that has died is noticed when its answer is read."""
        stdin = _pipe(self._process.stdin)
        with suppress(BrokenPipeError):
            stdin.write(job.model_dump_json().encode() + b"\n")
            stdin.flush()

    def answer(self) -> JobAnswer | None:
        """The answer that has come, or None where the pipe has ended, in the middle of one or before."""
        line = _pipe(self._process.stdout).readline()
        return JobAnswer.model_validate_json(line) if line.endswith(b"\n") else None

    def close(self) -> None:
        """Kill it; what it was writing is aside, under a name that nobody reads."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, 9)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                _pipe(pipe).close()


class LocalStaff:
    """Processes of this machine."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def hire(self, kind: Kind) -> list[Worker]:
        """As many as were asked for."""
        return [LocalProcess(number) for number in range(self._workers)]

    def replace(self, worker: Worker) -> Worker | None:
        """A new process under the number of the old one."""
        assert isinstance(worker, LocalProcess)
        return LocalProcess(worker.number)

    def heard(self, working: Iterable[Worker]) -> list[WorkerAnswer]:
        """The answers that have come."""
        processes = [worker for worker in working if isinstance(worker, LocalProcess)]
        return [WorkerAnswer(worker, worker.answer()) for worker in _readable(processes, 1.0)]

    def has_gpus(self) -> bool:
        """They share those of the machine; who has one to itself is for the job to settle."""
        return False

    def close(self) -> None:
        """There is nothing beside the processes."""


def _readable(processes: Iterable[LocalProcess], seconds: float) -> list[LocalProcess]:
    with selectors.DefaultSelector() as selector:
        for process in processes:
            selector.register(process, selectors.EVENT_READ, process)
        return [key.data for key, _ in selector.select(seconds)]


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "both ends are pipes"
    return pipe
