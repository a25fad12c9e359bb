"""The caller's side of the warm processes: start them, run one job in a fork, get its reply or how it died."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

from kbtools.errors import ConfigError, MissingExtra
from kbtools_plugins.verify import devices
from kbtools_plugins.verify.protocol import wire
from kbtools_plugins.verify.protocol.message import ProcessMessage, WrongShape
from kbtools_plugins.verify.protocol.roles import Assignment, Go, Role, RoleFailure, WaitingForDevice
from kbtools_plugins.verify.settings import VerifySettings

_ROLES = {
    "text": ("read", "kernels"),
    "jit": (
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
    "interpreter": ("replay",),
}
"""What each warm process can do: one without torch reads texts, since to fork it takes less than the reading. The
interpreter's is started by the first job for it."""
_START_SECONDS = 600
_START_ATTEMPTS = 10
WALL_PER_PROCESSOR_SECOND = 3.0
"""A job may take so much longer than its processor time: the machine may be busy with others."""


J = TypeVar("J", bound=ProcessMessage)
R = TypeVar("R", bound=ProcessMessage)


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of a job: its reply, or why there is none."""

    reply: R | None = None
    failed: str = ""
    """"", or timeout, out_of_memory, died, exited, forged, internal, or a failure that the job itself reports."""
    error: str = ""
    ran: list[int] | None = None
    """Lines of the candidate that had run when it failed, where that is known."""
    seconds: float = 0.0
    """Processor time that the job has used."""

    def known(self) -> R:
        """The reply of a job that did not fail."""
        if self.reply is None:
            raise ValueError(f"there is no reply: {self.failed}: {self.error}")
        return self.reply


class WorkerDied(Exception):
    """A warm process or its job was killed from outside: nothing is known of the candidate."""


class Warm:
    """One warm process (see zygote.py) that runs jobs of some roles."""

    def __init__(self, kind: str, scratch: Path, number: int) -> None:
        self._scratch = scratch
        present = devices.found()[0]
        self._device = present[number % len(present)] if present else None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        command = [sys.executable, "-m", "kbtools_plugins.verify.worker.zygote", str(theirs.fileno()), *_ROLES[kind]]
        environment = _environment(interpret=kind == "interpreter", scratch=scratch)
        if present:
            environment["CUDA_VISIBLE_DEVICES"] = devices.visible(number % len(present))
        self._process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=scratch)  # fmt: skip
        theirs.close()
        self._control = ours
        self._ready = False

    def run(
        self, role: Role[J, R], job: J, settings: VerifySettings, seconds: float, addresses_gb: float = 0
    ) -> Outcome[R]:
        """Run one job in a fork of its own and clean up after it."""
        self.wait_until_ready()
        folder = Path(tempfile.mkdtemp(prefix=f"{role.name}-", dir=self._scratch))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        pid = self._command({"role": role.name, "folder": str(folder)}, theirs)["pid"]
        theirs.close()
        assignment = Assignment(
            timeout=seconds, memory_gb=settings.memory_gb, addresses_gb=addresses_gb, job=job.tree()
        )
        with ExitStack() as turn:  # a device is given back only when its job is dead
            device = self._device if role.name == "gpu" else None
            outcome = _converse(ours, role, assignment, turn, device)
            ours.close()
            try:
                ended = self._command({"end": pid})
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        outcome = replace(outcome, error=outcome.error.replace(f"{folder}{os.sep}", ""))
        return replace(_explain_death(outcome, ended["status"]), seconds=ended["milliseconds"] / 1000)

    def close(self) -> None:
        """End the process; it kills what it forked."""
        with suppress(OSError):  # it may be gone already
            self._control.sendall(json.dumps({"leave": True}).encode())
        self._control.close()
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
            if self._process.wait() == -signal.SIGKILL:
                raise WorkerDied("the warm process was killed while it started")
            raise ConfigError(f"The process that runs kernels did not start:\n{message[-2000:]}")
        self._ready = True

    def _command(self, command: dict[str, wire.Tree], channel: socket.socket | None = None) -> dict[str, int]:
        try:
            socket.send_fds(self._control, [json.dumps(command).encode()], [channel.fileno()] if channel else [])
            answer = self._control.recv(4096)
        except (ConnectionError, TimeoutError):
            answer = b""
        if not answer:
            raise WorkerDied("the warm process has died")
        reply: dict[str, int] = json.loads(answer)
        return reply


class WarmPair:
    """The warm processes that one worker needs: a reader, Triton compiling and, if asked for, Triton interpreting.

    Workers take turns on the machine's GPUs by their `number`, where it has any.
    """

    def __init__(self, number: int = 0) -> None:
        self._number = number
        self._scratch = Path(tempfile.mkdtemp(prefix="kbtools-verify-"))
        for cache in ("triton", "inductor"):
            (self._scratch / cache).mkdir()
        self._warm = {kind: Warm(kind, self._scratch, number) for kind in ("text", "jit")}

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
        try:
            return self._warm[kind].run(role, job, settings, seconds or settings.timeout, addresses_gb)
        except WorkerDied:
            self._replace(kind)
            raise

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


def _environment(*, interpret: bool, scratch: Path) -> dict[str, str]:
    """Nothing of the caller's environment but where Python finds its modules: credentials stay out."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES") if name in os.environ}
    return kept | {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "TRITON_CACHE_DIR": str(scratch / "triton"),
        "TORCHINDUCTOR_CACHE_DIR": str(scratch / "inductor"),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # asking whether there is a GPU must not start CUDA before the fork
        "USER": "kbtools",
        "TRITON_INTERPRET": "1" if interpret else "0",
        "TRITON_DEFAULT_FP_FUSION": "0",  # Triton's default from 3.10 on; one run of each check is fused all the same
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def _converse(
    channel: socket.socket, role: Role[J, R], assignment: Assignment, turn: ExitStack, device: devices.Device | None
) -> Outcome[R]:
    """Send the job and wait for its reply; a job that asks for the device gets its time once it has it."""
    key = secrets.token_bytes(32)
    seconds = WALL_PER_PROCESSOR_SECOND * assignment.timeout
    deadline = time.monotonic() + seconds
    try:
        channel.settimeout(seconds)
        channel.sendall(key)
        wire.send(channel, assignment.tree(), key)
        tree = wire.receive(channel, key, deadline)
        if device is not None and _is(WaitingForDevice, tree):
            turn.enter_context(devices.lock(device))
            channel.settimeout(seconds)
            wire.send(channel, Go().tree(), key)
            tree = wire.receive(channel, key, time.monotonic() + seconds)
        if _is(RoleFailure, tree):
            failure = RoleFailure.read(tree)
            return Outcome(failed=failure.failed, error=failure.error, ran=failure.ran)
        return Outcome(role.reply.read(tree))
    except TimeoutError:
        return Outcome(failed="timeout", error="no result in time")
    except (EOFError, ConnectionError) as error:
        return Outcome(failed="died", error=str(error))
    except wire.WireError as error:
        return Outcome(failed="forged", error=f"the result channel carried {error}")
    except WrongShape as error:
        return Outcome(failed="forged", error=f"the {role.name} process sent what is not its reply: {error}")


def _is(kind: type[ProcessMessage], tree: wire.Tree) -> bool:
    return isinstance(tree, dict) and set(tree) == set(kind.model_fields)


def _explain_death(outcome: Outcome[R], status: int) -> Outcome[R]:
    if outcome.failed != "died":
        return outcome
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number == signal.SIGXCPU:
        return Outcome(failed="timeout", error="the processor time was used up")
    if number == signal.SIGKILL:
        raise WorkerDied("the job was killed from outside")
    if number:
        return Outcome(failed="died", error=f"the process was ended by {signal.Signals(number).name}")
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
    return Outcome(failed="exited", error=f"the process ended without a result (exit code {code})")
