"""A fork of a warm process, as the caller has it: a channel over which it is given jobs, and how it has ended."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from kbtools_plugins.verify import devices
from kbtools_plugins.verify.protocol import wire
from kbtools_plugins.verify.protocol.message import ProcessMessage, WrongShape
from kbtools_plugins.verify.protocol.roles import Assignment, Go, Role, RoleFailure, WaitingForDevice

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


@dataclass
class Child:
    """One fork: it does a job, or all of one pair's that run no foreign code."""

    pid: int
    folder: Path
    channel: socket.socket
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    counted: float = 0.0
    """Seconds of its processor time that were counted as those of its jobs so far."""
    stopped: bool = False
    """Whether nobody wants its reply any more."""

    def begin(self) -> None:
        """Tell it what its messages are signed with."""
        self.channel.sendall(self.key)

    def stop(self) -> None:
        """Whoever waits for its reply gets none: what is known does without."""
        self.stopped = True
        with suppress(OSError):  # it has just ended
            self.channel.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """Its reply is there, and it does nothing more. Nobody else gets its number until it is waited for."""
        self.channel.close()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def do(
        self, role: Role[J, R], assignment: Assignment, turn: ExitStack, device: devices.Device | None
    ) -> Outcome[R]:
        """Send a job and wait for its reply; one that asks for the device gets its time once it has it, each time."""
        seconds = WALL_PER_PROCESSOR_SECOND * assignment.timeout
        try:
            tree = self._asked(assignment.tree(), seconds)
            while device is not None and _is(WaitingForDevice, tree):
                turn.close()
                turn.enter_context(devices.lock(device, alone=WaitingForDevice.read(tree).alone))
                tree = self._asked(Go().tree(), seconds)
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

    def _asked(self, tree: wire.Tree, seconds: float) -> wire.Tree:
        deadline = time.monotonic() + seconds
        self.channel.settimeout(seconds)
        wire.send(self.channel, tree, self.key)
        return wire.receive(self.channel, self.key, deadline)

    def count(self) -> float:
        """Seconds of processor time since they were counted last; programs that it started count at its end."""
        try:
            now = time.clock_gettime(~self.pid << 3 | 2)  # CPUCLOCK_SCHED of another process, as Linux numbers clocks
        except OSError:  # it has just died, or this is no Linux: all is counted at its end
            return 0.0
        since, self.counted = now - self.counted, now
        return since


def _is(kind: type[ProcessMessage], tree: wire.Tree) -> bool:
    return isinstance(tree, dict) and set(tree) == set(kind.model_fields)


def explain_death(outcome: Outcome[R], status: int) -> Outcome[R]:
    """The outcome of a job whose process has ended so; WorkerDied if somebody has killed it."""
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
