"""The job that runs traces, as PTX, on a GPU or elsewhere, and the one that times them."""

from __future__ import annotations

import random

from kbtools_plugins.verify.protocol.compiling import LaunchProgram
from kbtools_plugins.verify.protocol.message import ProcessMessage, Tensor
from kbtools_plugins.verify.protocol.roles import Role
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.protocol.wire import Tree

FEW = 8
"""Programs of a launch that run where not all can."""


def some_programs(total: int, seed: int) -> tuple[int, ...]:
    """The first and the last program and some that nobody knows before; all where there are few."""
    if total <= FEW:
        return tuple(range(total))
    return tuple(sorted({0, total - 1, *random.Random(seed).sample(range(total), FEW - 2)}))


class ReplayRun(ProcessMessage):
    """One execution of a trace."""

    trace: int
    """Its number among the job's traces."""
    inputs: list[Tensor]
    weights: dict[str, Tensor] = {}
    """Parameters that are others than in the job's state."""
    order: str
    """forward, reverse or skip: how the programs of each launch follow each other, if they run at all."""
    shift: int
    """The program that comes first; a secret, which also decides what fresh memory holds where."""
    fused: bool = False
    """Whether multiplications and additions may be made one where kernels are compiled for this run."""
    programs: list[int] = []
    """The only programs of the launch that run; all if there are none."""
    turn: int
    """Counts the runs: in each, fresh memory holds something else."""
    optional: bool


class ReplayCall(ProcessMessage):
    """One call of a sequence: its trace, its inputs, and the weights that change before it."""

    trace: int
    inputs: list[Tensor]
    weights: dict[str, Tensor]


class Timing(ProcessMessage):
    """What a trace is timed against."""

    reference: str
    entry: str
    init: Tree
    arguments: Tree
    state: dict[str, Tensor]
    mode: str
    needed_bytes: float


class ReplayJob(ProcessMessage):
    """Run traces on the inputs that count; with `timing`, time the first one."""

    source: str
    lines: list[int] = []
    """The candidate's line for each line of the source."""
    names: dict[str, str]
    """Names in the clean module, by `name:line`."""
    allow: list[str]
    state: dict[str, Tensor]
    traces: list[Trace]
    programs: list[LaunchProgram] = []
    launches: list[list[int]] = []
    """For each trace the number of each launch's program, for the PTX machine; none where one cannot be run there."""
    runs: list[ReplayRun]
    sequence: list[ReplayCall] = []
    far: bool = False
    """Whether only some programs run, on zeros, to see where they read and write: memory may be larger than any."""
    timing: Timing | None = None


class RunResult(ProcessMessage):
    """What one execution has left behind, or how it failed."""

    failed: str = ""
    error: str = ""
    outputs: Tree = None
    changed: dict[str, Tensor] = {}
    """Parameters and buffers that are not what they were, by the reference's names."""
    inputs: list[Tensor] = []
    instructions: int = 0
    """Instructions of its launches times threads."""
    stored: list[bytes] = []
    """For each output a bit for each element: whether a program that ran has stored it; only if some ran."""
    ran: list[str] = []
    """Versions and targets of the PTX that was executed."""


class ReplayReply(ProcessMessage):
    """Results of the runs in order, up to the first that failed and may not."""

    results: list[RunResult]
    sequence: list[RunResult] = []
    kept: list[Tree] = []
    """The outputs of each call of the sequence after the last one."""


class TimingReply(ProcessMessage):
    """Intervals (median, low, high) in milliseconds, and what the kernels computed last."""

    times: dict[str, list[float]]
    floor_ms: float
    not_compiled: str
    last: RunResult


GPU = Role("gpu", ReplayJob, ReplayReply)


PTX = Role("ptx", ReplayJob, ReplayReply)


TIMING = Role("gpu", ReplayJob, TimingReply)
