"""One warm process as the caller has it: it runs jobs in forks, and can be copied for another worker."""

from __future__ import annotations

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
from pathlib import Path
from threading import Lock

from kbtools.errors import ConfigError, MissingExtra
from kbtools_plugins.verify import devices
from kbtools_plugins.verify.host.child import Child, J, Outcome, R, WorkerDied, explain_death
from kbtools_plugins.verify.host.environment import environment, places
from kbtools_plugins.verify.protocol import wire
from kbtools_plugins.verify.protocol.roles import SEVERAL_JOBS, Assignment, Role
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.tiers import MACHINES, PTX

COMMON = PTX.process
ROLES = {
    COMMON: (
        "read",
        "kernels",
        "relations",
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
} | {machine.process: (machine.role.name,) for machine in MACHINES if machine.process != COMMON}
"""What each warm process can do. One does nearly all: what reads a pair's texts compiles them next, in the same fork.
Those of machines that have their own are started by the first job for them."""
_VARIABLES = {machine.process: dict(machine.environment) for machine in MACHINES}
_START_SECONDS = 600
_SECONDS_TO_LEAVE = 5.0
_DEAD = "the warm process has died"
_ASSEMBLER_KILLED = f"failed with error code {-signal.SIGKILL}"
"""As Triton says it of ptxas."""


class Started:
    """A process that imports everything itself."""

    def __init__(self, kind: str, scratch: Path, number: int, control: socket.socket) -> None:
        command = [sys.executable, "-m", "kbtools_plugins.verify.worker.zygote", str(control.fileno()), *ROLES[kind]]
        variables = environment(scratch) | _VARIABLES.get(kind, {})
        if devices.found()[0]:
            variables["CUDA_VISIBLE_DEVICES"] = devices.visible(number % len(devices.found()[0]))
        self._process = subprocess.Popen(command, env=variables, pass_fds=[control.fileno()], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=scratch)  # fmt: skip

    def why_not_started(self) -> Exception:
        """It has ended before it was ready."""
        message = self._process.stderr.read().decode(errors="replace") if self._process.stderr else ""
        if "No module named 'torch'" in message or "No module named 'triton'" in message:
            return MissingExtra("verify", "verifying kernels")
        if self._process.wait() == -signal.SIGKILL or _ASSEMBLER_KILLED in message:
            return WorkerDied("the warm process, or the assembler that it tries, was killed while it started")
        return ConfigError(f"The process that runs kernels did not start:\n{message[-2000:]}")

    def end(self, control: socket.socket) -> None:
        """Wait for its end, which was asked for; if it does not come, kill it."""
        control.close()
        try:
            self._process.wait(_SECONDS_TO_LEAVE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()


class Copy:
    """A fork of one that has imported everything: a child of that one, which the control socket alone ties to us."""

    def __init__(self, template: Warm, scratch: Path, control: socket.socket) -> None:
        self._pid = template.copy(scratch, control)

    def why_not_started(self) -> Exception:
        """It has ended before it was ready."""
        return WorkerDied("the copy of a warm process was killed while it started")

    def end(self, control: socket.socket) -> None:
        """Wait for its end, which was asked for: it closes the socket. If it does not come, kill it."""
        control.settimeout(_SECONDS_TO_LEAVE)
        try:
            while control.recv(4096):
                pass
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        except OSError:  # it was killed
            pass
        control.close()


class Warm:
    """One warm process (see zygote.py) that runs jobs of some roles.

    One that is like a `template` is a copy of it: torch is imported once for all workers.
    """

    def __init__(self, kind: str, scratch: Path, number: int, template: Warm | None = None) -> None:
        self._scratch = scratch
        present = devices.found()[0]
        self._device = present[number % len(present)] if present else None
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process: Started | Copy = (
                Copy(template, scratch, theirs) if template else Started(kind, scratch, number, theirs)
            )
        self._ready = False
        self._failure: Exception | None = None
        """Why it has not started, which can be read once and is asked for by each that waits."""
        self._kept: Child | None = None
        self._done: list[Child] = []
        """Those of this pair that have replied: they end while others work."""
        self._turn, self._keeping = Lock(), Lock()
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
        child = (self._taken() if shares else None) or self._fork(role.name)
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
            if keep and outcome.reply is not None and device is None:
                if not (shares and self._keep(child)):
                    self._let_end(child)
                return replace(outcome, seconds=child.count())
            status, used = self._end(child)
        if child.stopped:
            return Outcome(failed="stopped", seconds=used)
        outcome = replace(outcome, error=outcome.error.replace(f"{child.folder}{os.sep}", ""))
        return replace(explain_death(outcome, status), seconds=used)

    def _taken(self) -> Child | None:
        """The fork that was kept, which is this job's alone until it is kept again; a job beside it has its own."""
        with self._keeping:
            child, self._kept = self._kept, None
        return child

    def _keep(self, child: Child) -> bool:
        """Whether it is kept now: one is enough."""
        with self._keeping:
            self._kept = self._kept or child
        return self._kept is child

    def stop(self) -> None:
        """Nobody wants what its jobs would say."""
        for child in list(self._busy):
            child.stop()

    def _let_end(self, child: Child) -> None:
        """It does nothing more from here on; to free its memory takes the system longer than anybody has to wait."""
        child.kill()
        with self._keeping:
            self._done.append(child)

    def end_pair(self) -> float:
        """End all that was forked for a pair; seconds of processor time that were not counted yet."""
        kept = self._taken()
        with self._keeping:
            done, self._done = self._done, []
        return sum(self._end(child)[1] for child in [*done, *([kept] if kept else [])])

    def _fork(self, role: str) -> Child:
        folder = Path(tempfile.mkdtemp(prefix=f"{role}-", dir=self._scratch))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        child = Child(self._command({"folder": str(folder)}, theirs)["pid"], folder, ours)
        theirs.close()
        child.begin()
        return child

    def _end(self, child: Child) -> tuple[int, float]:
        """Its wait status, and seconds of its processor time that were not counted yet."""
        child.channel.close()
        try:
            ended = self._command({"end": child.pid})
        finally:
            shutil.rmtree(child.folder, ignore_errors=True)
        return ended["status"], max(0.0, ended["milliseconds"] / 1000 - child.counted)

    def copy(self, scratch: Path, control: socket.socket) -> int:
        """Another process like this one, that answers on the other end of a socket and has a folder of its own."""
        self.wait_until_ready()
        return self._command({"places": places(scratch)}, control)["pid"]

    def close(self) -> None:
        """End the process; it kills what it forked."""
        with suppress(OSError):  # it may be gone already
            self._control.sendall(json.dumps({"leave": True}).encode())
        if self._kept:
            self._kept.channel.close()
        self._process.end(self._control)

    def wait_until_ready(self) -> None:
        """Block until torch and triton are imported there."""
        with self._turn:
            if self._ready:
                return
            try:
                self._control.settimeout(_START_SECONDS)
                said = self._control.recv(64)
            except TimeoutError:
                raise ConfigError(f"The process that runs kernels did not start in {_START_SECONDS} s.") from None
            except OSError:  # it was closed: whose it is has found it dead before another could copy it
                raise WorkerDied(_DEAD) from None
            if said != b"ready\n":
                self._failure = self._failure or self._process.why_not_started()
                raise self._failure
            self._ready = True

    def _command(self, command: dict[str, wire.Tree], channel: socket.socket | None = None) -> dict[str, int]:
        try:
            with self._turn:
                socket.send_fds(self._control, [json.dumps(command).encode()], [channel.fileno()] if channel else [])
                answer = self._control.recv(4096)
        except OSError:  # it has died, or was closed
            answer = b""
        if not answer:
            raise WorkerDied(_DEAD)
        reply: dict[str, int] = json.loads(answer)
        return reply
