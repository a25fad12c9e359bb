"""The look at the sizes that were asked for, where these are too large to be run: do kernels stay in their buffers?

The candidate is recorded on tensors that have addresses and no memory. Some programs of each launch run there, on the
reference's own whole numbers and zeros: an offset that no longer fits into 32 bits leads out of its buffer. What zeros
lead astray at the sizes that the candidate was judged at, too, is not held against it.
"""

from __future__ import annotations

from dataclasses import dataclass

from kbtools_plugins.verify.host.child import Outcome
from kbtools_plugins.verify.host.pair_processes import PairProcesses
from kbtools_plugins.verify.protocol.compiling import COMPILE, CompileReply
from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.outputs import flatten, is_float
from kbtools_plugins.verify.protocol.reading import SHRINK, ReadReply, ShrinkJob, Sized
from kbtools_plugins.verify.protocol.recording import RECORD, Plan, RecordJob
from kbtools_plugins.verify.protocol.replaying import FEW, PTX, ReplayJob, ReplayReply, ReplayRun, RunResult
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.steps import read
from kbtools_plugins.verify.steps.compile import Compiled, clean_names, compile_job
from kbtools_plugins.verify.steps.trace_rules import Decided

_ADDRESSES_GB = 2.0**10
_MOST_ELEMENTS = 2**38
_SECONDS = 4.0
"""Of processor time that the programs may take: what a program's number makes overflow does so in its first rounds."""
_PLAN = "far"
_NOTHING = Tensor(tensor=b"", dtype="float32", shape=[0], stride=[1])
WHERE = "at the sizes that were asked for"


@dataclass(frozen=True)
class Launches:
    """What is launched at some sizes, and what runs of it."""

    trace: Trace
    compiled: Compiled
    inputs: list[Tensor]
    """The whole numbers among them are used."""


class NotRun(Exception):
    """The sizes that were asked for say nothing; the text is why."""


class FarCheck:
    """Of a pair that is right at the sizes that it was `judged` at."""

    def __init__(
        self, pair: ReadReply, judged: Launches, seed: int, settings: VerifySettings, processes: PairProcesses
    ) -> None:
        self._pair = pair
        self._judged = judged
        self._seed = seed
        self._settings = settings
        self._processes = processes

    def note(self) -> str:
        """What was looked at; Decided if a kernel leaves its buffers."""
        try:
            asked = self._asked()
            far = self._compiled(*self._recorded(asked), flatten(asked.shapes.inputs)[1])
            found = self._run(far)
            leaves = found.failed == "out_of_bounds" and not self._run(self._judged).failed
        except NotRun as error:
            return f"offsets were not looked at {WHERE}: {error}"
        if leaves:
            why = "" if "grid" in found.error else " (an offset may need 64 bits there)"
            raise Decided("runtime_error", f"{WHERE}{why}: {found.error}")
        if found.failed == "timeout":
            return f"{FEW} programs of each launch stay in their buffers {WHERE}, as far as {_SECONDS:g} s go"
        if found.failed:
            return f"offsets were not looked at {WHERE}: {found.failed}: {found.error}"
        return f"{FEW} programs of each launch stay in their buffers {WHERE}"

    def _asked(self) -> Sized:
        """The pair as it was asked for; of its inputs whole numbers have values."""
        job = ShrinkJob(
            reference=self._pair.reference,
            entry=self._pair.reference_name,
            candidate=self._pair.candidate,
            most_elements=_MOST_ELEMENTS,
            far=True,
        )
        outcome = self._processes.run(SHRINK, job, addresses_gb=_ADDRESSES_GB)
        if outcome.reply is None:
            raise NotRun(outcome.failed)
        if outcome.reply.cut.values != outcome.reply.asked:
            raise NotRun(f"more than {_MOST_ELEMENTS:,} elements")
        return outcome.reply.cut

    def _recorded(self, pair: Sized) -> tuple[Trace, Compiled]:
        """What is launched there, and its source."""
        plan = Plan(name=_PLAN, mode="eval", inputs=[pair.shapes.inputs], kept=[], required=True)
        job = RecordJob(
            code=pair.candidate,
            entry=self._pair.name,
            init=pair.shapes.init,
            state={},
            weights={},
            allow=list(self._settings.allow),
            card=0,
            plans=[plan],
            watch=False,
            far=True,
        )
        outcome = self._processes.run(RECORD, job, addresses_gb=_ADDRESSES_GB)
        found = outcome.reply.plans.get(_PLAN) if outcome.reply else None
        if outcome.reply is None or found is None or not found.traces:
            raise NotRun(f"it cannot be recorded: {outcome.failed}: {outcome.error[-200:]}")
        if found.traces[-1].reads:
            raise NotRun("it reads values of tensors")
        return found.traces[-1], Compiled(read.kernels(self._processes, pair.candidate, outcome.reply.bindings), [])

    def _compiled(self, trace: Trace, known: Compiled, inputs: list[Tensor]) -> Launches:
        job = compile_job([trace], [], known.source, frozenset(), self._settings)
        outcome: Outcome[CompileReply] = self._processes.run(COMPILE, job)
        if outcome.reply is None or outcome.reply.error:
            raise NotRun("it does not compile")
        return Launches(trace, Compiled(known.source, job.launches, outcome.reply.programs), inputs)

    def _run(self, launches: Launches) -> RunResult:
        trace, compiled = launches.trace, launches.compiled
        inputs = [found if found.tensor and not is_float(found.dtype) else _NOTHING for found in launches.inputs]
        run = ReplayRun(trace=0, inputs=inputs, order="forward", shift=self._seed, turn=0, optional=False)
        job = ReplayJob(
            source=compiled.source.text,
            lines=list(compiled.source.lines),
            names=clean_names([trace], compiled.source),
            allow=list(self._settings.allow),
            state={},
            traces=[trace],
            programs=compiled.runnable,
            launches=[compiled.numbers(trace)],
            runs=[run],
            far=True,
        )
        outcome: Outcome[ReplayReply] = self._processes.run(PTX, job, _SECONDS, _ADDRESSES_GB)
        if outcome.reply is None:
            raise NotRun(f"{outcome.failed}: {outcome.error[-200:]}")
        return outcome.reply.results[0]
