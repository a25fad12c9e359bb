"""What the process that reads kernels is asked of launches, and what it says: how numbers and blocks are related."""

from __future__ import annotations

from kbtools_plugins.verify.protocol.message import ProcessMessage
from kbtools_plugins.verify.protocol.roles import Role
from kbtools_plugins.verify.protocol.wire import Tree


class Relation(ProcessMessage):
    """That a kernel goes through so many elements in blocks, or holds a number against so many."""

    key: str
    """Where in the text."""
    extent: int
    block: int
    of: list[str]
    """The arguments that the extent is made of."""
    covers: bool = False
    """Whether programs leave out by it what is beyond the extent."""


class Launch(ProcessMessage):
    """One launch of a kernel."""

    kernel: str
    """Its name in the clean module."""
    grid: list[int]
    bound: dict[str, Tree]
    constants: list[str]
    """Parameters that are compile-time constants."""


class RelationsJob(ProcessMessage):
    """Follow the numbers of launches through their kernels."""

    text: str
    """The clean module."""
    launches: list[Launch]


class RelationsReply(ProcessMessage):
    """The relations in each launch."""

    launches: list[list[Relation]]


RELATIONS = Role("relations", RelationsJob, RelationsReply)
