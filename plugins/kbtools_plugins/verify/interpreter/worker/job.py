"""The job that runs traces with the clean kernels in Triton's interpreter."""

from __future__ import annotations

import torch

from kbtools_plugins.verify.interpreter.worker.machine import InterpreterMachine
from kbtools_plugins.verify.interpreter.worker.text import interpretable, uses_logic_as_value
from kbtools_plugins.verify.protocol.replaying import ReplayJob, ReplayReply, RunResult
from kbtools_plugins.verify.protocol.wire import Talk
from kbtools_plugins.verify.worker.replay.job import launching, replay


def warm_up() -> None:
    """Everything is imported; torch works in one thread."""
    torch.set_num_threads(1)
    torch.zeros(2).clone()


def run(job: ReplayJob, talk: Talk) -> ReplayReply:
    """The outputs of each run of the job, or the error that ended it."""
    if uses_logic_as_value(job.source, job.names.values()):
        return ReplayReply(results=[RunResult(failed="unsupported", error="target_dependent")])
    job = job.model_copy(update={"source": interpretable(job.source)})
    return replay(job, launching(job, InterpreterMachine))
