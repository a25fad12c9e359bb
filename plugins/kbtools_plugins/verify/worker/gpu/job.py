"""The replay on a CUDA device: the same traces and clean kernels, launched instead of interpreted.

Nothing else of a check changes: the candidate's Python has already been left behind on a CPU. Correctness and timing
(timing.py) run in different processes, because a kernel can read any device memory of its own process: reference
outputs must not be there while outputs that count are made. The one that times runs the reference's Python, and is shut
in before that: no programs, sockets or signals, no caches but its own. The CUDA context is made before the device is
asked for, the caller holds the device until this process is dead: with others who replay, or alone to time.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

from kbtools_plugins.verify.host import sandbox
from kbtools_plugins.verify.protocol.compiling import CACHES
from kbtools_plugins.verify.protocol.replaying import ReplayJob, ReplayReply, TimingReply
from kbtools_plugins.verify.protocol.roles import Go, WaitingForDevice
from kbtools_plugins.verify.protocol.wire import Talk
from kbtools_plugins.verify.worker.gpu import timing
from kbtools_plugins.verify.worker.gpu.assembler import Assembler
from kbtools_plugins.verify.worker.gpu.machine import DeviceMachine
from kbtools_plugins.verify.worker.replay.job import launching, replay


def warm_up() -> None:
    """Everything is imported; the device is set up by the first job that uses it: a fork cannot inherit it."""


def run(job: ReplayJob, talk: Talk) -> ReplayReply | TimingReply:
    """Replay on the device, or with `job.timing` time the trace against the reference."""
    assembler = _prepare_for_foreign_code() if job.timing else None
    _start_cuda()
    _wait_for_device(talk, alone=False)
    if job.timing is None or assembler is None:
        return replay(job, launching(job, DeviceMachine))
    trace = timing.TimedTrace(job)  # which starts compilers that are out of reach from here on
    assembler.install()
    sandbox.shut(Path.cwd(), sandbox.readable_paths())
    calls = timing.TimedCalls(trace, job.timing)
    _wait_for_device(talk, alone=True)
    return calls.measured()


def _wait_for_device(talk: Talk, *, alone: bool) -> None:
    talk.send(WaitingForDevice(alone=alone).tree())
    Go.read(talk.receive())


def _prepare_for_foreign_code() -> Assembler:
    """Caches of this process alone, and somebody who will start ptxas when it may not."""
    for name in CACHES:
        os.environ[name] = str(Path.cwd() / name.lower())
    return Assembler()


def _start_cuda() -> None:
    """Make the context and Triton's launcher, which take longer than most kernels."""
    import triton
    from triton.runtime import driver

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.zeros(1, device="cuda")
    torch.cuda.synchronize()
    driver.reset_active()  # what compiles for devices that need not be there has put another in its place
    driver.active.get_current_target()
    triton.set_allocator(lambda size, alignment, stream: torch.empty(size, dtype=torch.int8, device="cuda"))
