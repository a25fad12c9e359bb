"""The caller's side of the warm processes: start them, run one job in a fork, get its reply or how it died."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Lock
from types import TracebackType

from kbtools.data.cores import usable_cores
from kbtools.errors import ConfigError, MissingExtra
from kbtools_plugins.verify import devices
from kbtools_plugins.verify.host.child import Child, J, Outcome, R, WorkerDied, explain_death
from kbtools_plugins.verify.host.environment import environment
from kbtools_plugins.verify.protocol import wire
from kbtools_plugins.verify.protocol.roles import SEVERAL_JOBS, Assignment, Role
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.tiers import MACHINES, PTX

_COMMON = PTX.process
_ROLES = {
    "text": ("read", "kernels"),
    _COMMON: (
        "shrink",
        "reference",
        "record",
        "compile",
        "ptx",
        "gpu",
        "operators",
        "probe",
        "lead",
        "follow",
    ),
} | {machine.process: (machine.role.name,) for machine in MACHINES if machine.process != _COMMON}
"""What each warm process can do: one without torch reads texts, since to fork it takes less than the reading. Those of
machines that have their own are started by the first job for them."""
_VARIABLES = {machine.process: dict(machine.environment) for machine in MACHINES}
_START_SECONDS = 600
_ASSEMBLER_KILLED = f"failed with error code {-signal.SIGKILL}"
"""As Triton says it of ptxas."""
_START_ATTEMPTS = 10


class Warm:
    """One warm process (see zygote.py) that runs jobs of some roles."""

    def __init__(self, kind: str, scratch: Path, number: int) -> None:
        self._scratch = scratch
        present = devices.found()[0]
        self._device = present[number % len(present)] if present else None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        command = [sys.executable, "-m", "kbtools_plugins.verify.worker.zygote", str(theirs.fileno()), *_ROLES[kind]]
        variables = environment(scratch) | _VARIABLES.get(kind, {})
        if present:
            variables["CUDA_VISIBLE_DEVICES"] = devices.visible(number % len(present))
        self._process = subprocess.Popen(command, env=variables, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=scratch)  # fmt: skip
        theirs.close()
        self._control = ours
        self._ready = False
        self._kept: Child | None = None
        self._turn = Lock()
        self._busy: list[Child] = []

    def run(
        self,
        role: Role[J, R],
        job: J,
        settings: VerifySettings,
        seconds: float,
        addresses_gb: float = 0,
        *,
        keep: bool = False,
    ) -> Outcome[R]:
        """Run one job in a fork, and clean up after it; one that may do several jobs is kept for the next if asked.

        One that maps more addresses is for itself: the limits of memory are set when a process begins.
        """
        self.wait_until_ready()
        shares = role.name in SEVERAL_JOBS and not addresses_gb
        child = self._kept if shares and self._kept else self._fork(role.name)
        assignment = Assignment(
            role=role.name,
            timeout=seconds,
            memory_gb=settings.memory_gb,
            addresses_gb=addresses_gb,
            job=job.tree(),
        )
        with ExitStack() as turn:  # a device is given back only when its job is dead
            device = self._device if role.name == "gpu" else None
            self._busy.append(child)
            outcome = child.do(role, assignment, turn, device)
            self._busy.remove(child)
            if keep and shares and outcome.reply is not None:
                self._kept = child
                return replace(outcome, seconds=child.count())
            status, used = self._end(child)
        if child.stopped:
            return Outcome(failed="stopped", seconds=used)
        outcome = replace(outcome, error=outcome.error.replace(f"{child.folder}{os.sep}", ""))
        return replace(explain_death(outcome, status), seconds=used)

    def stop(self) -> None:
        """Nobody wants what its jobs would say."""
        for child in list(self._busy):
            child.stop()

    def end_kept(self) -> float:
        """End the fork that was kept; seconds of its processor time that were not counted yet."""
        return self._end(self._kept)[1] if self._kept else 0.0

    def _fork(self, role: str) -> Child:
        folder = Path(tempfile.mkdtemp(prefix=f"{role}-", dir=self._scratch))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        child = Child(self._command({"folder": str(folder)}, theirs)["pid"], folder, ours)
        theirs.close()
        child.begin()
        return child

    def _end(self, child: Child) -> tuple[int, float]:
        """Its wait status, and seconds of its processor time that were not counted yet."""
        if child is self._kept:
            self._kept = None
        child.channel.close()
        try:
            ended = self._command({"end": child.pid})
        finally:
            shutil.rmtree(child.folder, ignore_errors=True)
        return ended["status"], max(0.0, ended["milliseconds"] / 1000 - child.counted)

    def close(self) -> None:
        """End the process; it kills what it forked."""
        with suppress(OSError):  # it may be gone already
            self._control.sendall(json.dumps({"leave": True}).encode())
        self._control.close()
        if self._kept:
            self._kept.channel.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()

    def wait_until_ready(self) -> None:
        """Block until torch and triton are imported there."""
        if self._ready:
            return
        self._control.settimeout(_START_SECONDS)
        try:
            said = self._control.recv(64)
        except TimeoutError:
            raise ConfigError(f"The process that runs kernels did not start in {_START_SECONDS} s.") from None
        if said != b"ready\n":
            message = self._process.stderr.read().decode(errors="replace") if self._process.stderr else ""
            if "No module named 'torch'" in message or "No module named 'triton'" in message:
                raise MissingExtra("verify", "verifying kernels")
            if self._process.wait() == -signal.SIGKILL or _ASSEMBLER_KILLED in message:
                raise WorkerDied("the warm process, or the assembler that it tries, was killed while it started")
            raise ConfigError(f"The process that runs kernels did not start:\n{message[-2000:]}")
        self._ready = True

    def _command(self, command: dict[str, wire.Tree], channel: socket.socket | None = None) -> dict[str, int]:
        try:
            with self._turn:
                socket.send_fds(self._control, [json.dumps(command).encode()], [channel.fileno()] if channel else [])
                answer = self._control.recv(4096)
        except (ConnectionError, TimeoutError):
            answer = b""
        if not answer:
            raise WorkerDied("the warm process has died")
        reply: dict[str, int] = json.loads(answer)
        return reply


class WarmPair:
    """The warm processes that one worker needs: a reader, one with torch and Triton, and those of other machines.

    Workers take turns on the machine's GPUs by their `number`, where it has any. With a `spare_core`, jobs of one pair
    that need nothing of each other run at once.
    """

    def __init__(self, number: int = 0, *, spare_core: bool = False) -> None:
        self._number = number
        self.spare_core = spare_core
        self._scratch = Path(tempfile.mkdtemp(prefix="kbtools-verify-"))
        for name in ("triton", "inductor"):
            (self._scratch / name).mkdir()
        self._keeps = False
        self._warm = {kind: Warm(kind, self._scratch, number) for kind in ("text", _COMMON)}

    def run(
        self,
        role: Role[J, R],
        job: J,
        settings: VerifySettings,
        seconds: float | None = None,
        addresses_gb: float = 0,
    ) -> Outcome[R]:
        """Run a job in the process that knows its role; WorkerDied if it was killed, and a new one is started.

        `seconds` of processor time are --timeout unless given; `addresses_gb` are mapped, but never touched.
        """
        kind = next(kind for kind, roles in _ROLES.items() if role.name in roles)
        self._start(kind)
        warm = self._warm[kind]
        try:
            limit = seconds or settings.timeout
            return warm.run(role, job, settings, limit, addresses_gb, keep=self._keeps)
        except WorkerDied:
            if warm is self._warm[kind]:  # another job of the pair may have found it out
                self._replace(kind)
            raise

    def stop(self) -> None:
        """What jobs run beside this one's caller would say is not wanted any more."""
        for warm in self._warm.values():
            warm.stop()

    def begin_pair(self) -> None:
        """Jobs that run no foreign code share a fork from now on, until the pair is done."""
        self.end_pair()
        self._keeps = True

    def end_pair(self) -> float:
        """End what is kept for a pair; seconds of its processor time that were not counted yet."""
        self._keeps, seconds = False, 0.0
        for warm in self._warm.values():
            with suppress(WorkerDied):  # who needs it next finds out, and starts another one
                seconds += warm.end_kept()
        return seconds

    def _start(self, kind: str) -> None:
        """Wait for a warm process; one that is killed before it had any job says nothing about a candidate."""
        for _ in range(_START_ATTEMPTS):
            try:
                if kind not in self._warm:
                    self._warm[kind] = Warm(kind, self._scratch, self._number)
                return self._warm[kind].wait_until_ready()
            except WorkerDied:
                self._replace(kind)
        raise ConfigError(f"The process that runs kernels was killed {_START_ATTEMPTS} times while it started.")

    def _replace(self, kind: str) -> None:
        self._warm[kind].close()
        self._warm[kind] = Warm(kind, self._scratch, self._number)

    def wait_until_ready(self) -> None:
        """Block until jobs can be taken."""
        for kind in list(self._warm):
            self._start(kind)

    def close(self) -> None:
        """End them and remove their folder."""
        for warm in self._warm.values():
            warm.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> WarmPair:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def spare_cores(workers: int) -> bool:
    """Whether each of so many workers has a second core to itself."""
    return usable_cores() >= 2 * workers


@cache
def shared_pair() -> WarmPair:
    """The pair for checks that bring none: it is kept until the interpreter exits."""
    processes = WarmPair(spare_core=spare_cores(1))
    atexit.register(processes.close)
    return processes
