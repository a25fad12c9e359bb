"""The replay on the PTX machine: the same traces and clean kernels, compiled to PTX and executed on the CPU.

Nothing else of a check changes. What is judged is what a device would run: its types, layouts and barriers, and the
accesses of every thread.
"""

from __future__ import annotations

from functools import partial

import torch

from kbtools_plugins.verify.protocol.replaying import ReplayJob, ReplayReply
from kbtools_plugins.verify.protocol.wire import Talk
from kbtools_plugins.verify.worker.ptx.machine import PtxMachine
from kbtools_plugins.verify.worker.replay.job import replay


def warm_up() -> None:
    """Everything is imported; torch works in one thread."""
    import kbtools_plugins.ptx.compile
    import kbtools_plugins.ptx.launch  # noqa: F401

    torch.set_num_threads(1)


def run(job: ReplayJob, talk: Talk) -> ReplayReply:
    """The outputs of each run of the job, or the error that ended it."""
    return replay(job, partial(PtxMachine, lines=tuple(job.lines)))
