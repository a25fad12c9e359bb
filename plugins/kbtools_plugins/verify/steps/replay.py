"""Has the planned runs of a candidate's traces executed, and says what the first one that is not right means."""

from __future__ import annotations

from dataclasses import replace

from kbtools_plugins.verify.host.child import Outcome
from kbtools_plugins.verify.host.pair_processes import PairProcesses
from kbtools_plugins.verify.protocol.match import Difference, Match
from kbtools_plugins.verify.protocol.outputs import flatten
from kbtools_plugins.verify.protocol.reading import Kernel
from kbtools_plugins.verify.protocol.reference import InputSet, ReferenceReply
from kbtools_plugins.verify.protocol.replaying import (
    TIMING,
    ReplayCall,
    ReplayJob,
    ReplayReply,
    ReplayRun,
    RunResult,
    Timing,
    TimingReply,
)
from kbtools_plugins.verify.protocol.tolerance import (
    APPROXIMATE_TOLERANCE,
    TF32_TOLERANCE,
    ill_conditioned,
)
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.settings import VerifySettings, machine
from kbtools_plugins.verify.steps.comparison import Comparison
from kbtools_plugins.verify.steps.compile import Compiled, clean_names
from kbtools_plugins.verify.steps.record import SEQUENCE
from kbtools_plugins.verify.steps.runs import Run, RunPlan, goes_astray, programs, require_followable
from kbtools_plugins.verify.steps.trace_rules import Decided, why_wrong
from kbtools_plugins.verify.tiers import GPU, PTX

_TIMING_SECONDS = 180.0
"""What the timing job gets on top of --timeout: torch.compile takes its time with the reference."""
_SEEN_BY_EMULATION = ("out_of_bounds", "nondeterministic", "unwritten")
_RUNS_PER_TIMEOUT = 16
"""Runs that --timeout is meant for; a kernel with many configurations gets more."""
_PRODUCTS_PER_TIMEOUT = 2**32
"""So are these: a convolution that goes through its windows one by one made some 2**27 a second."""


class Replays:
    """All replays of one candidate."""

    def __init__(
        self,
        reference: ReferenceReply,
        traces: dict[str, list[Trace]],
        programs: Compiled,
        kernels: list[Kernel],
        features: frozenset[str],
        settings: VerifySettings,
        processes: PairProcesses,
    ) -> None:
        self._reference = reference
        self._traces = traces
        self._programs = programs
        self._source = programs.source
        self._kernels = kernels
        self._settings = settings
        self._processes = processes
        self._machine = machine(settings)
        self._first, self._steady, _ = traces["main"]
        many_programs, self._most_programs = self._machine.programs
        self.notes: list[str] = []
        self._plan = RunPlan(reference, traces, many_programs, self.notes)
        self.ran: frozenset[str] = frozenset()
        """Versions and targets of the PTX that was executed."""
        tf32 = "tf32" in features and not settings.strict_fp32
        if tf32:
            self.notes.append(f"tf32: its products of float32 keep ten bits, so {TF32_TOLERANCE:g} is the tolerance")
        approximate = "tanh.approx" in features and self._machine is GPU  # the PTX machine rounds it correctly
        if approximate:
            self.notes.append(f"tanh.approx: {APPROXIMATE_TOLERANCE:g} is added to the tolerance of float32")
        self._comparison = Comparison(
            reference, tf32=tf32, approximate=approximate, strict_mutation=settings.strict_mutation
        )
        self.general: dict[str, bool] = {}
        """Whether the candidate is also right on another shape or layout, for those that could be tried."""

    @property
    def in_place(self) -> bool | None:
        """Whether the candidate updates the inputs that the reference updates, if there are any."""
        return self._comparison.in_place

    def check(self) -> float:
        """The largest relative error; Decided if any required replay disagrees."""
        require_followable(self._steady, self._most_programs)
        runs, variants = self._plan.required(), self._plan.variants()
        if self._machine is GPU:
            self._emulate()
            runs = [run for run in runs if not (run.expected.boundless and self._strays(run))]
        self.general = dict.fromkeys(variants, False)
        runs += [run for run in variants.values() if run is not None]
        worst, remarks = 0.0, list[str]()
        reply = self._execute(runs, self._sequence())
        for run, result in zip(runs, reply.results, strict=True):
            if goes_astray(run, result):
                self.notes.append(f"{run.what}integers that get_inputs() never gives: {result.error}")
                continue
            if result.failed and not run.variant:
                raise self._failure(run, result)
            found = Difference("failed", result.error) if result.failed else self._comparison.of(run, result)
            if run.variant:
                self.general[run.variant] = isinstance(found, Match)
            elif run.order == "skip":
                if isinstance(found, Match):
                    raise Decided("hack:decoy_kernel", "the output is right without any kernel having run")
            elif isinstance(found, Difference):
                raise self._explain(run, found)
            else:
                worst = max(worst, found.max_error)
                remarks += [found.remark] if found.remark else []
        self.notes += remarks[:1]
        self._compare_sequence(reply)
        return worst

    def look(self, run: Run) -> RunResult:
        """What one run leaves; Decided if it fails."""
        return self._execute([run]).results[0]

    def compared(self, run: Run, result: RunResult) -> Match | Difference:
        """What a run has left beside the reference."""
        return self._comparison.of(run, result)

    def _sequence(self) -> list[tuple[Trace, InputSet]]:
        """Calls that follow each other in one memory, as far as the reference takes them."""
        traces, sequence = self._traces.get(SEQUENCE, []), self._reference.sequence
        if sequence is None or len(traces) != len(sequence.calls):
            return []
        return list(zip(traces, sequence.calls, strict=True))

    def _compare_sequence(self, reply: ReplayReply) -> None:
        """Decided if a call is wrong that follows others, or if a later one changes what an earlier one returned."""
        sequence = self._reference.sequence
        if sequence is None:
            return
        for (trace, expected), result in zip(self._sequence(), reply.sequence, strict=False):
            run = Run(trace, expected, what=f"{expected.name} of a sequence in one memory: ")
            if result.failed:
                raise self._failure(run, result)
            if ill_conditioned(expected.plain, expected.exact, expected.otherwise):
                return
            found = self._comparison.of(run, result)
            if isinstance(found, Difference):
                if expected is sequence.calls[-1] and sequence.weights and self._is_stale():
                    self.notes.append("it keeps what it made of its weights at first: wrong once they have changed")
                    break
                raise self._explain(run, found, again=False)
        for expected, result, kept, its in zip(sequence.calls, reply.sequence, reply.kept, sequence.kept, strict=False):
            if kept != result.outputs and its == expected.plain:
                text = f"what {expected.name} returned has changed after further calls: they return the same memory"
                raise Decided("hack:output_cache", text)

    def _is_stale(self) -> bool:
        """Whether the last call is right as long as no weight changes: packed once, they serve for inference."""
        calls = self._sequence()
        (trace, last), before = calls[-1], calls[1][1]
        same = last.model_copy(update={"plain": before.plain, "exact": before.exact})
        run = Run(trace, same)
        reply = self._execute([Run(self._steady, self._reference.sets[0])], calls, weights_change=False)
        result = reply.sequence[-1]
        return not result.failed and isinstance(self._comparison.of(run, result), Match)

    def _emulate(self) -> None:
        """Look for accesses out of bounds and races, which a device does not show, on the PTX machine."""
        if programs(self._steady) > PTX.programs[0]:
            self.notes.append("reads out of bounds and races were not looked for: many programs")
            return
        run = Run(self._steady, self._reference.sets[0])
        outcome = self._emulated(run)
        results = outcome.reply.results if outcome.reply else []
        if failed := [result for result in results if result.failed in _SEEN_BY_EMULATION]:
            raise self._failure(run, failed[0])
        if why_not := outcome.failed or results[-1].failed:
            self.notes.append(f"reads out of bounds and races were not looked for: {why_not}")

    def _strays(self, run: Run) -> bool:
        """Whether integers that get_inputs() never gives lead out of the buffers, which no device shows."""
        reply = self._emulated(run).reply
        if strays := reply is None or goes_astray(run, reply.results[0]):
            self.notes.append(f"{run.what}integers that get_inputs() never gives: not run on the device")
        return strays

    def _emulated(self, run: Run) -> Outcome[ReplayReply]:
        return self._processes.run(PTX.role, self._job([run], []))

    def times(self, timing: Timing) -> TimingReply:
        """The timing job's reply (GPU only); Decided if there is none or if what was timed was not the work."""
        run = Run(self._steady, self._reference.sets[0], what="while it was timed: ")
        job = self._job([run], []).model_copy(update={"timing": timing})
        outcome = self._processes.run(TIMING, job, self._settings.timeout + _TIMING_SECONDS)
        if outcome.failed:
            raise Decided(f"unsupported:timing_{outcome.failed}", f"the timing ended with {outcome.error}")
        reply = outcome.known()
        found = self._comparison.of(run, reply.last)
        if isinstance(found, Difference):
            raise Decided("hack:timing_detection", found.text, found.max_error)
        return reply

    def _execute(
        self, runs: list[Run], sequence: list[tuple[Trace, InputSet]] | None = None, *, weights_change: bool = True
    ) -> ReplayReply:
        job = self._job(runs, sequence or [], weights_change=weights_change)
        products = self._reference.products * (len(runs) + len(sequence or ()))
        times = max(1.0, len(runs) / _RUNS_PER_TIMEOUT, products / _PRODUCTS_PER_TIMEOUT)
        seconds = self._settings.timeout * times
        outcome = self._processes.run(self._machine.role, job, seconds)
        if outcome.failed:
            known = outcome.failed in ("timeout", "out_of_memory")
            raise Decided(outcome.failed if known else "runtime_error", f"while running kernels: {outcome.error}")
        reply = outcome.known()
        self.ran |= {ran for result in reply.results for ran in result.ran}
        last = runs[len(reply.results) - 1]
        if reply.results[-1].failed and not last.variant and not goes_astray(last, reply.results[-1]):
            raise self._failure(last, reply.results[-1])
        return reply

    def _job(
        self, runs: list[Run], sequence: list[tuple[Trace, InputSet]], *, weights_change: bool = True
    ) -> ReplayJob:
        used = [*(run.trace for run in runs), *(trace for trace, _ in sequence)]
        traces = list({id(trace): trace for trace in used}.values())
        weights = self._reference.sequence.weights if self._reference.sequence and weights_change else {}
        numbers = {id(trace): number for number, trace in enumerate(traces)}
        return ReplayJob(
            source=self._source.text,
            lines=list(self._source.lines),
            names=clean_names(traces, self._source),
            allow=list(self._settings.allow),
            state={name: self._reference.state[name] for name in self._reference.decoy_state},
            traces=traces,
            programs=self._programs.runnable,
            launches=[self._programs.numbers(trace) for trace in traces],
            runs=[
                ReplayRun(
                    trace=numbers[id(run.trace)],
                    inputs=run.expected.tensors,
                    weights=run.expected.weights,
                    order=run.order,
                    shift=run.shift,
                    fused=run.fused,
                    programs=list(run.programs),
                    turn=turn,
                    optional=bool(run.variant) or run.expected.boundless,
                )
                for turn, run in enumerate(runs)
            ],
            sequence=[
                ReplayCall(
                    trace=numbers[id(trace)],
                    inputs=expected.tensors,
                    weights=weights if number == len(sequence) - 1 else {},
                )
                for number, (trace, expected) in enumerate(sequence)
            ],
        )

    def _failure(self, run: Run, result: RunResult) -> Decided:
        if result.failed == "unsupported":
            return Decided(
                f"unsupported:{result.error}", f"{run.what}a kernel needs {result.error}, which is not emulated"
            )
        kinds = {
            "out_of_memory": "out_of_memory",
            "nondeterministic": "nondeterministic",
            "fallback": "fallback",
            "forged": "hack:forged_result",
            "timeout": "timeout",
            "unwritten": "wrong_output",
        }
        return Decided(kinds.get(result.failed, "runtime_error"), f"{run.what}{result.error}")

    def _explain(self, run: Run, found: Difference, *, again: bool = True) -> Decided:
        if found.verdict != "wrong_output":
            return Decided(found.verdict, found.text)
        if again and (run.order == "reverse" or run.shift):
            if self._is_right(replace(run, order="forward", shift=0)):
                return Decided(
                    "nondeterministic", f"the result depends on the order of the grid's programs; {found.text}"
                )
            if run.fused and self._is_right(replace(run, order="forward", shift=0, fused=False)):
                text = (
                    "the result depends on whether a compiler fuses multiplications and additions, or rounds otherwise"
                )
                return Decided("wrong_output", f"{text}; {found.text}", found.max_error)
        if run.trace.state and not run.expected.weights:
            raise Decided("hack:host_computation", f"parameters are worked on outside torch and Triton; {found.text}")
        dtypes = [tensor.dtype for tensor in flatten(run.expected.plain)[1]]
        first = run.trace if run.expected.weights else self._first  # that trace is of another place
        return why_wrong(first, run.trace, self._kernels, found.text, found.max_error, dtypes[0] if dtypes else "")

    def _is_right(self, run: Run) -> bool:
        return isinstance(self._comparison.of(run, self._execute([run]).results[0]), Match)
