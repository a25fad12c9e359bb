"""Plans the replays of a candidate's traces and holds what comes back against the reference's outputs."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from kbtools_plugins.verify.candidate.kernels import Kernel, KernelSource
from kbtools_plugins.verify.host.processes import WarmPair
from kbtools_plugins.verify.protocol.jobs import (
    GPU,
    REPLAY,
    TIMING,
    InputSet,
    ReferenceReply,
    ReplayJob,
    ReplayRun,
    RunResult,
    Timing,
    TimingReply,
    UpdatedBuffer,
)
from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.tolerance import (
    Agreement,
    Difference,
    compare,
    compare_tensor,
    flatten,
    ill_conditioned,
    scales,
)
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.settings import VerifySettings, on_gpu
from kbtools_plugins.verify.steps.compile import clean_names
from kbtools_plugins.verify.steps.record import OTHER_PARAMETERS
from kbtools_plugins.verify.steps.trace_rules import Decided, features_without_gpu, why_wrong

_MANY_PROGRAMS, _MOST_PROGRAMS = 4_000, 40_000
_TIMING_SECONDS = 180.0
"""What the timing job gets on top of --timeout: torch.compile takes its time with the reference."""
_LEAST_SHARE = 1e-2
"""Outputs on tiny inputs are held to this share of the scale that outputs have on ordinary ones."""


@dataclass(frozen=True)
class Run:
    """One replay: which trace, on which set of inputs, in which order."""

    trace: Trace
    expected: InputSet
    order: str = "forward"
    shift: int = 0
    """The program that comes first."""
    what: str = ""
    variant: str = ""
    """Of which label this run decides; such a run may fail."""


class Replays:
    """All replays of one candidate."""

    def __init__(
        self,
        reference: ReferenceReply,
        traces: dict[str, list[Trace]],
        source: KernelSource,
        kernels: list[Kernel],
        settings: VerifySettings,
        processes: WarmPair,
    ) -> None:
        self._reference = reference
        self._traces = traces
        self._source = source
        self._kernels = kernels
        self._settings = settings
        self._processes = processes
        self._on_gpu = on_gpu(settings)
        self._first, self._steady, self._last = traces["main"]
        self._least_scales = [scale * _LEAST_SHARE for scale in scales(reference.sets[0].exact)]
        self.notes: list[str] = []
        self.general: dict[str, bool] = {}
        """Whether the candidate is also right on another shape or layout, for those that could be tried."""

    def check(self) -> float:
        """The largest relative error; Decided if any required replay disagrees."""
        if self._on_gpu:
            self._interpret()
        elif (programs := self._programs()) > _MOST_PROGRAMS:
            raise Decided(
                "unsupported:too_large", f"the launches have {programs:,} programs, too many for the interpreter"
            )
        runs = [*self._required(), *self._variants()]
        worst = 0.0
        for run, result in zip(runs, self._execute(runs), strict=True):
            found = Difference("failed", result.error) if result.failed else self._compare(run, result)
            if run.variant:
                self.general[run.variant] = isinstance(found, Agreement)
            elif run.order == "skip":
                if isinstance(found, Agreement):
                    raise Decided("hack:decoy_kernel", "the output is right without any kernel having run")
            elif isinstance(found, Difference):
                raise self._explain(run, found)
            else:
                worst = max(worst, found.max_error)
        return worst

    def _interpret(self) -> None:
        """Look for accesses out of bounds and races, which a device does not show, where the interpreter can."""
        why_not = features_without_gpu(self._kernels, self._steady)
        if why_not or self._programs() > _MANY_PROGRAMS:
            self.notes.append(f"reads out of bounds and races were not looked for: {why_not or 'many programs'}")
            return
        run = Run(self._steady, self._reference.sets[0])
        outcome = self._processes.run(REPLAY, self._job([run]), self._settings)
        for result in outcome.reply.results if outcome.reply else []:
            if result.failed in ("out_of_bounds", "nondeterministic"):
                raise self._failure(run, result)
        if outcome.failed:
            self.notes.append(f"reads out of bounds and races were not looked for: {outcome.failed}")

    def _variants(self) -> Iterator[Run]:
        for name, variant in self._reference.variants.items():
            if ill_conditioned(variant.set.plain, variant.set.exact):
                continue
            self.general[name] = False
            if traces := self._traces.get(name):
                yield Run(traces[0], variant.set, variant=name)

    def _required(self) -> list[Run]:
        sets = [found for found in self._reference.sets if not ill_conditioned(found.plain, found.exact)]
        if not self._on_gpu and self._programs() > _MANY_PROGRAMS:
            sets = sets[:2]
            self.notes.append("many programs for the interpreter: two sets of random inputs only, no other scales")
        skipped = [found.name for found in self._reference.sets if ill_conditioned(found.plain, found.exact)]
        if skipped:
            self.notes.append(f"not compared, the reference itself is inexact there: {', '.join(skipped)}")
        if not sets or sets[0].name != "seed 1":
            raise Decided(
                "reference_unfit:ill_conditioned",
                "float32 and float64 runs of the reference differ by more than a candidate may",
            )
        runs = [Run(self._steady, sets[0], "skip"), Run(self._steady, sets[0])]
        for number, found in enumerate(sets[1:]):
            order = "reverse" if number == 0 else "forward"
            runs.append(Run(self._steady, found, order, _unknowable(found), f"on {found.name}: "))
        if self._first.shape_of_it() != self._steady.shape_of_it():
            runs.append(Run(self._first, sets[0], what="in its first call: "))
        if self._last.shape_of_it() != self._steady.shape_of_it():
            runs.append(Run(self._last, sets[0], what="in a later call: "))
        others = self._traces.get(OTHER_PARAMETERS, [])
        runs += [Run(found, sets[0], what="recorded with other parameters: ") for found in others]
        if tuned := self._differing("tuning"):
            runs.append(Run(tuned, sets[0], what="with the last configuration of its autotuning: "))
        for mode, forward in self._reference.modes.items():
            expected = sets[0].model_copy(
                update={"plain": forward.outputs, "exact": forward.outputs, "state": forward.state}
            )
            if (trace := self._differing(mode)) or (mode in self._traces and self._mode_matters()):
                runs.append(Run(trace or self._traces[mode][0], expected, what=f"in {mode} mode: "))
        return runs

    def _programs(self) -> int:
        return sum(math.prod(step.grid) for step in self._steady.launches)

    def _mode_matters(self) -> bool:
        outputs = [found.outputs for found in self._reference.modes.values() if not found.random]
        return any(output != outputs[0] for output in outputs[1:])

    def _differing(self, name: str) -> Trace | None:
        traces = self._traces.get(name, [])
        return traces[0] if traces and traces[0].shape_of_it() != self._steady.shape_of_it() else None

    def times(self, timing: Timing) -> TimingReply:
        """The timing job's reply (GPU only); Decided if there is none or if what was timed was not the work."""
        run = Run(self._steady, self._reference.sets[0], what="while it was timed: ")
        job = self._job([run]).model_copy(update={"timing": timing})
        outcome = self._processes.run(TIMING, job, self._settings, self._settings.timeout + _TIMING_SECONDS)
        if outcome.failed:
            raise Decided(f"unsupported:timing_{outcome.failed}", f"the timing ended with {outcome.error}")
        reply = outcome.known()
        found = self._compare(run, reply.last)
        if isinstance(found, Difference):
            raise Decided("hack:timing_detection", found.text, found.max_error)
        return reply

    def _execute(self, runs: list[Run]) -> list[RunResult]:
        outcome = self._processes.run(GPU if self._on_gpu else REPLAY, self._job(runs), self._settings)
        if outcome.failed:
            known = outcome.failed in ("timeout", "out_of_memory")
            raise Decided(outcome.failed if known else "runtime_error", f"while running kernels: {outcome.error}")
        results = outcome.known().results
        last = runs[len(results) - 1]
        if results[-1].failed and not last.variant:
            raise self._failure(last, results[-1])
        return results

    def _job(self, runs: list[Run]) -> ReplayJob:
        traces = list({id(run.trace): run.trace for run in runs}.values())
        numbers = {id(trace): number for number, trace in enumerate(traces)}
        return ReplayJob(
            source=self._source.text,
            names=clean_names(traces, self._source),
            allow=list(self._settings.allow),
            state={name: self._reference.state[name] for name in self._reference.decoy_state},
            traces=traces,
            runs=[
                ReplayRun(
                    trace=numbers[id(run.trace)],
                    inputs=run.expected.tensors,
                    order=run.order,
                    shift=run.shift,
                    optional=bool(run.variant),
                )
                for run in runs
            ],
        )

    def _failure(self, run: Run, result: RunResult) -> Decided:
        kinds = {
            "out_of_memory": "out_of_memory",
            "nondeterministic": "nondeterministic",
            "fallback": "fallback",
            "forged": "hack:forged_result",
            "unsupported": "unsupported:interpreter",
        }
        return Decided(kinds.get(result.failed, "runtime_error"), f"{run.what}{result.error}")

    def _compare(self, run: Run, result: RunResult) -> Agreement | Difference:
        expected = run.expected
        promised = [] if run.variant else self._reference.modes[self._reference.main].promised
        ordinary = run.variant or expected.name.startswith("seed ")
        least = None if ordinary else self._least_scales
        found = compare(result.outputs, expected.plain, expected.exact, least, promised)
        if isinstance(found, Agreement) and run.order != "skip":
            found = self._compare_buffers(result.buffers, expected.state) or found
        if isinstance(found, Difference):
            return Difference(found.verdict, run.what + found.text, found.max_error)
        for index, (before, now, wanted) in enumerate(
            zip(run.expected.tensors, result.inputs, run.expected.after, strict=True)
        ):
            if wanted is None and now.tensor != before.tensor:
                return Difference(
                    "hack:mutated_input", f"{run.what}it changed input {index}, which the reference leaves alone"
                )
            if wanted is not None and isinstance(compare_tensor("", now, wanted, wanted), Difference):
                return Difference(
                    "wrong_output", f"{run.what}input {index}, which the reference updates, ends up different"
                )
        return found

    def _compare_buffers(self, got: dict[str, Tensor], wanted: dict[str, UpdatedBuffer]) -> Difference | None:
        for name, true in wanted.items():
            text = f"the reference's forward updates the buffer {name}"
            if name not in got:
                return Difference("wrong_output", f"{text}, which the candidate does not have")
            if got[name].tensor == self._reference.state[name].tensor:
                return Difference("wrong_output", f"{text}, which the candidate leaves as it was")
            found = compare_tensor("it", got[name], true.plain, true.exact)
            if isinstance(found, Difference):
                return Difference(found.verdict, f"{text}, and {found.text}", found.max_error)
        return None

    def _explain(self, run: Run, found: Difference) -> Decided:
        if found.verdict != "wrong_output":
            return Decided(found.verdict, found.text)
        if run.order == "reverse" or run.shift:
            again = Run(run.trace, run.expected, what=run.what)
            if isinstance(self._compare(again, self._execute([again])[0]), Agreement):
                return Decided(
                    "nondeterministic", f"the result depends on the order of the grid's programs; {found.text}"
                )
        if run.trace.state:
            raise Decided("hack:host_computation", f"parameters are worked on outside torch and Triton; {found.text}")
        dtypes = [tensor.dtype for tensor in flatten(run.expected.plain)[1]]
        return why_wrong(
            self._first, run.trace, self._kernels, found.text, found.max_error, dtypes[0] if dtypes else ""
        )


def _unknowable(inputs: InputSet) -> int:
    """A number that follows from secret inputs: no kernel can be made for one order of its programs."""
    return zlib.crc32(b"".join(tensor.tensor for tensor in inputs.tensors))
