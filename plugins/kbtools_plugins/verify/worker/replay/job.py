"""What every job does that runs traces: allowed operators and clean kernels, on the inputs that count.

No code of the candidate but its kernels' text is here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from kbtools_plugins.verify.protocol.replaying import ReplayJob, ReplayReply, RunResult
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.worker.replay.faults import failure
from kbtools_plugins.verify.worker.replay.machine import Machine
from kbtools_plugins.verify.worker.tensors import decode_tensor

Make = Callable[[Trace], Machine]
"""Makes the machine for a trace."""


def launching(job: ReplayJob, kind: type[Machine]) -> Make:
    """Machines of a kind that launch a job's kernels themselves."""
    kernels = load_kernels(job.source)
    return lambda trace: kind(trace, kernels, job.names, job.allow, job.state)


def replay(job: ReplayJob, make: Make) -> ReplayReply:
    """The outputs of each run of the job, or the error that ended it."""
    results: list[RunResult] = []
    for wanted in job.runs:
        machine = make(job.traces[wanted.trace])
        try:
            inputs = [decode_tensor(tensor) for tensor in wanted.inputs]
            results.append(machine.run(inputs, wanted))
        except Exception as error:  # noqa: BLE001 - a kernel's fault is its result
            results.append(failure(error))
        if results[-1].failed and not wanted.optional:
            break
    if not job.sequence or (results[-1].failed and not job.runs[-1].optional):
        return ReplayReply(results=results)
    return _sequence(job, make, results)


def _sequence(job: ReplayJob, make: Make, results: list[RunResult]) -> ReplayReply:
    """The calls of a sequence in one memory, up to the first that fails."""
    machine = make(job.traces[job.sequence[0].trace])
    found: list[RunResult] = []
    try:
        machine.forget(job.runs[-1].shift, len(job.runs))
        for call in job.sequence:
            machine.follow(job.traces[call.trace])
            machine.place([decode_tensor(tensor) for tensor in call.inputs], call.weights)
            machine.execute()
            found.append(machine.results())
    except Exception as error:  # noqa: BLE001 - a kernel's fault is its result
        found.append(failure(error))
        return ReplayReply(results=results, sequence=found)
    kept = [machine.outputs_of(job.traces[call.trace]) for call in job.sequence]
    return ReplayReply(results=results, sequence=found, kept=kept)


def load_kernels(source: str) -> ModuleType:
    """The clean kernel module, imported from a file because Triton reads its functions' text."""
    path = Path("kernels.py").resolve()
    path.write_text(source)
    module = ModuleType("kernels")
    sys.modules["kernels"] = module
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module
