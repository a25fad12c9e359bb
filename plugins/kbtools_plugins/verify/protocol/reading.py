"""What the process that reads texts is asked, and what it says: code out of answers, tricks in it, its
kernels, and how these use the numbers of their launches.

A text may be made so that whatever parses it runs out of stack, memory or time. So no syntax tree of a dataset's text
is ever made in the caller.
"""

from __future__ import annotations

from kbtools_plugins.verify.protocol.message import ProcessMessage
from kbtools_plugins.verify.protocol.roles import Role
from kbtools_plugins.verify.protocol.source import Binding
from kbtools_plugins.verify.protocol.wire import Tree


class ReadJob(ProcessMessage):
    """Find the code and the entry points in two texts that models wrote."""

    reference: str
    candidate: str | None
    """None to read the reference alone."""
    entry_point: str | None


class Finding(ProcessMessage):
    """A trick that a text shows, and the lines that have to run for it to be one."""

    verdict: str
    text: str
    first: int
    last: int
    looks: bool = False
    """Whether it only asks for something (the time, say): a trick where what the candidate does depends on it."""
    in_kernel: bool = False
    """Whether it is in a kernel, which no Python runs."""


class ReadReply(ProcessMessage):
    """Code, names, and what is odd about the candidate's text."""

    reference: str = ""
    reference_name: str = ""
    candidate: str = ""
    name: str = ""
    findings: list[Finding] = []
    thresholds: list[float] = []
    """Numbers that the candidate's kernels compare values with."""
    reference_error: str = ""
    """Why the reference cannot be read; the fields of the candidate are empty then."""
    candidate_error: str = ""


class KernelsJob(ProcessMessage):
    """Take the kernels out of a candidate's code."""

    code: str
    bindings: list[Binding]


class Kernel(ProcessMessage):
    """One `@triton.jit` function of the candidate."""

    name: str
    clean_name: str
    """Its name in the clean module: its own, or a numbered one where several share it."""
    line: int
    end_line: int
    problems: list[str]
    """What in it (or in what it calls) is outside the kernel language."""
    only_copies: bool
    """Whether it stores what it loads, without any arithmetic on it."""
    constants: list[str]
    """Parameters that are compile-time constants."""
    written: list[str]
    """Parameters that it may write through."""
    words: list[str]
    """Names and attributes in it and in what it calls, to tell which features it needs."""


class KernelSource(ProcessMessage):
    """The clean module of one candidate."""

    text: str
    lines: list[int] = []
    """The candidate's line of each line of the text, 0 for those that are ours."""
    kernels: dict[str, list[Kernel]] = {}

    def find(self, name: str, line: int) -> Kernel | None:
        """The kernel of this name whose text, decorators included, starts nearest to `line`."""
        return min(self.kernels.get(name, []), key=lambda kernel: abs(kernel.line - line), default=None)


class ShrinkJob(ProcessMessage):
    """Make a smaller version of a pair by the constants at the top level."""

    reference: str
    entry: str
    candidate: str
    most_elements: int
    far: bool = False
    """Whether sizes may be beyond any memory; then whole numbers among the inputs have values."""
    floors: dict[str, int] = {}
    """Values that constants may not go below."""


class Shapes(ProcessMessage):
    """What a module is made with and called with; tensors have no values, but whole numbers may."""

    init: Tree
    inputs: Tree


class Sized(ProcessMessage):
    """A pair with certain sizes."""

    reference: str
    candidate: str
    shapes: Shapes
    values: dict[str, int]
    """The constants at the top level."""


class ShrinkReply(ProcessMessage):
    """A pair at the largest sizes that can be recorded, and at those that can be run."""

    large: Sized
    cut: Sized
    asked: dict[str, int]
    """The constants as they were."""


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


class NumberedLaunch(ProcessMessage):
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
    launches: list[NumberedLaunch]


class RelationsReply(ProcessMessage):
    """The relations in each launch."""

    launches: list[list[Relation]]


READ = Role("read", ReadJob, ReadReply)
KERNELS = Role("kernels", KernelsJob, KernelSource)
RELATIONS = Role("relations", RelationsJob, RelationsReply)
SHRINK = Role("shrink", ShrinkJob, ShrinkReply)
