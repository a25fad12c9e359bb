"""What a process of a check does: it is given a job and gives a reply, one pair of messages for each role.

The messages of each process are in a module beside this one. A `Tree` in them is a nested Python value (arguments,
outputs) as worker/tensors.py writes it down: its form is the candidate's or the reference's own. All else has a type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import Field

from kbtools_plugins.verify.protocol.message import ProcessMessage
from kbtools_plugins.verify.protocol.wire import Tree

J = TypeVar("J", bound=ProcessMessage)
R = TypeVar("R", bound=ProcessMessage)


SEVERAL_JOBS = frozenset({"read", "kernels", "relations", "compile", "ptx"})
"""Roles that run no foreign code: one process may do all of a pair's jobs of such roles that it knows."""


class Assignment(ProcessMessage):
    """A job as it is sent: with what the process that does it may use."""

    role: str
    timeout: float
    memory_gb: float
    addresses_gb: float = 0
    """What it may map beyond its memory, and never touches."""
    job: Tree


class RoleFailure(ProcessMessage):
    """Instead of a reply: which kind of failure, and what was found."""

    failed: str = Field(min_length=1)
    error: str = ""
    ran: list[int] | None = None
    """Lines of the candidate that had run, where that was asked."""


class WaitingForDevice(ProcessMessage):
    """Before the reply of a job that needs the device: it has done what it can without."""

    alone: bool
    """Whether it times, and nobody else may use the device."""


class Go(ProcessMessage):
    """The device is the job's."""

    go: bool = True


@dataclass(frozen=True)
class Role(Generic[J, R]):
    """What a process does: its name, and what it is given and gives."""

    name: str
    job: type[J]
    reply: type[R]
