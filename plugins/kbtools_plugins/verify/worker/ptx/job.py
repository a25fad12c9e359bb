"""The replay on the PTX machine: the same traces, and their kernels as the compiling process has made them.

Nothing else of a check changes. What is judged is what a device would run: its types, layouts and barriers, and the
accesses of every thread.
"""

from __future__ import annotations

from types import ModuleType

import torch

from kbtools_plugins.ptx.native.library import library
from kbtools_plugins.verify.protocol.replaying import ReplayJob, ReplayReply
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.protocol.wire import Talk
from kbtools_plugins.verify.worker.ptx.far import FarMachine
from kbtools_plugins.verify.worker.ptx.machine import PtxMachine
from kbtools_plugins.verify.worker.replay.job import replay
from kbtools_plugins.verify.worker.replay.poison import poisoned


def warm_up() -> None:
    """Everything is imported, and the machine in C built before anything foreign runs; torch works in one thread."""
    torch.set_num_threads(1)
    library()
    with torch.device("cpu"):  # torch imports what that takes, and numpy what poison is drawn with
        poisoned(1, 0, 0)


def run(job: ReplayJob, talk: Talk) -> ReplayReply:
    """The outputs of each run of the job, or the error that ended it."""
    programs = {
        id(step): job.programs[number]
        for trace, numbers in zip(job.traces, job.launches, strict=True)
        if numbers
        for step, number in zip(trace.launches, numbers, strict=True)
    }
    lines = tuple(job.lines)

    def machine(trace: Trace) -> PtxMachine:
        kind = FarMachine if job.far else PtxMachine
        return kind(trace, ModuleType("kernels"), job.names, job.allow, job.state, programs=programs, lines=lines)

    return replay(job, machine)
