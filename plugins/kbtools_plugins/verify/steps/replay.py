"""Plans the replays of a candidate's traces and holds what comes back against the reference's outputs."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kbtools_plugins.verify.host.budget import Budget
from kbtools_plugins.verify.protocol.agreement import Agreement, Difference
from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.outputs import flatten
from kbtools_plugins.verify.protocol.reading import Kernel, KernelSource
from kbtools_plugins.verify.protocol.reference import NUMBERS, InputSet, ReferenceReply, UpdatedBuffer
from kbtools_plugins.verify.protocol.replaying import (
    GPU,
    PTX,
    REPLAY,
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
    TF32_TOLERANCE,
    Tf32,
    compare,
    compare_tensor,
    ill_conditioned,
    scales,
)
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.settings import Machine, VerifySettings, machine
from kbtools_plugins.verify.steps.compile import clean_names
from kbtools_plugins.verify.steps.record import ELSEWHERE, SEQUENCE, TUNING
from kbtools_plugins.verify.steps.trace_rules import Decided, why_wrong

_PROGRAMS: dict[Machine, tuple[int, int]] = {
    "interpreter": (4_000, 40_000),
    "ptx": (100_000, 1_000_000),
    "gpu": (2**62, 2**62),
}
"""Programs per forward above which only two sets of inputs are run, and those that are not run at all."""
_TIMING_SECONDS = 180.0
"""What the timing job gets on top of --timeout: torch.compile takes its time with the reference."""
_RUNS_PER_TIMEOUT = 16
"""Runs that --timeout is meant for; a kernel with many configurations gets more."""
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
    fused: bool = False
    """Whether multiplications and additions may be made one."""
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
        features: frozenset[str],
        settings: VerifySettings,
        processes: Budget,
    ) -> None:
        self._reference = reference
        self._traces = traces
        self._source = source
        self._kernels = kernels
        self._settings = settings
        self._processes = processes
        self._machine = machine(settings)
        self._many_programs, self._most_programs = _PROGRAMS[self._machine]
        self._role = {"gpu": GPU, "ptx": PTX, "interpreter": REPLAY}[self._machine]
        self._first, self._steady, self._last = traces["main"]
        self._least_scales = [scale * _LEAST_SHARE for scale in scales(reference.sets[0].exact)]
        self.notes: list[str] = []
        self.ran: frozenset[str] = frozenset()
        """Versions and targets of the PTX that was executed."""
        self._tf32 = "tf32" in features and not settings.strict_fp32
        if self._tf32:
            self.notes.append(f"tf32: its products of float32 keep ten bits, so {TF32_TOLERANCE:g} is the tolerance")
        self.general: dict[str, bool] = {}
        """Whether the candidate is also right on another shape or layout, for those that could be tried."""
        self.in_place: bool | None = None
        """Whether it updates the inputs that the reference updates, if there are any."""

    def check(self) -> float:
        """The largest relative error; Decided if any required replay disagrees."""
        if self._machine == "gpu":
            self._emulate()
        elif (programs := _programs(self._steady)) > self._most_programs:
            raise Decided("unsupported:too_large", f"the launches have {programs:,} programs, too many for a CPU")
        runs = [*self._required(), *self._variants()]
        worst = 0.0
        reply = self._execute(runs, self._sequence())
        for run, result in zip(runs, reply.results, strict=True):
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
        self._compare_sequence(reply)
        return worst

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
            if ill_conditioned(expected.plain, expected.exact):
                return
            found = self._compare(run, result)
            if isinstance(found, Difference):
                if expected is sequence.calls[-1] and self._is_stale():
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
        return not result.failed and isinstance(self._compare(run, result), Agreement)

    def _emulate(self) -> None:
        """Look for accesses out of bounds and races, which a device does not show, on the PTX machine."""
        if _programs(self._steady) > _PROGRAMS["ptx"][0]:
            self.notes.append("reads out of bounds and races were not looked for: many programs")
            return
        run = Run(self._steady, self._reference.sets[0])
        outcome = self._processes.run(PTX, self._job([run], []))
        results = outcome.reply.results if outcome.reply else []
        if failed := [
            result for result in results if result.failed in ("out_of_bounds", "nondeterministic", "unwritten")
        ]:
            raise self._failure(run, failed[0])
        if why_not := outcome.failed or results[-1].failed:
            self.notes.append(f"reads out of bounds and races were not looked for: {why_not}")

    def _variants(self) -> Iterator[Run]:
        for name, variant in self._reference.variants.items():
            if ill_conditioned(variant.set.plain, variant.set.exact):
                continue
            traces = self._traces.get(name)
            if name == NUMBERS:
                yield from (Run(trace, variant.set, what="with other numbers: ") for trace in traces or [])
                continue
            self.general[name] = False
            if traces:
                yield Run(traces[0], variant.set, variant=name)

    def _required(self) -> list[Run]:
        sets = [found for found in self._reference.sets if not ill_conditioned(found.plain, found.exact)]
        if _programs(self._steady) > self._many_programs:
            sets = sets[:2]
            self.notes.append("many programs for a CPU: two sets of random inputs only, no other scales")
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
            runs.append(Run(self._steady, found, order, _unknowable(found), number == 0, f"on {found.name}: "))
        if self._first.shape_of_it() != self._steady.shape_of_it():
            runs.append(Run(self._first, sets[0], what="in its first call: "))
        if self._last.shape_of_it() != self._steady.shape_of_it():
            runs.append(Run(self._last, sets[0], what="in a later call: "))
        known = {self._first.shape_of_it(), self._steady.shape_of_it()}
        for elsewhere in self._traces.get(ELSEWHERE, []):
            if (shape := elsewhere.shape_of_it()) not in known:
                known.add(shape)
                runs.append(Run(elsewhere, sets[0], what="recorded in another place with other parameters: "))
        runs += self._configurations(sets[0])
        for mode, forward in self._reference.modes.items():
            expected = sets[0].model_copy(
                update={"plain": forward.outputs, "exact": forward.outputs, "tf32": None, "state": forward.state}
            )
            if (trace := self._differing(mode)) or (mode in self._traces and self._mode_matters()):
                runs.append(Run(trace or self._traces[mode][0], expected, what=f"in {mode} mode: "))
        return runs

    def _configurations(self, expected: InputSet) -> Iterator[Run]:
        """One run for each further configuration of tuned kernels, as far as the machine can."""
        known, programs = {self._steady.shape_of_it()}, 0
        for number, trace in enumerate(self._traces.get(TUNING, []), 2):
            if (shape := trace.shape_of_it()) in known:
                continue
            known.add(shape)
            programs += _programs(trace)
            if programs > self._many_programs:
                self.notes.append(f"many programs for a CPU: configurations from the {number}th were not run")
                return
            yield Run(trace, expected, what=f"with configuration {number} of its autotuning: ")

    def _mode_matters(self) -> bool:
        outputs = [found.outputs for found in self._reference.modes.values() if not found.random]
        return any(output != outputs[0] for output in outputs[1:])

    def _differing(self, name: str) -> Trace | None:
        traces = self._traces.get(name, [])
        return traces[0] if traces and traces[0].shape_of_it() != self._steady.shape_of_it() else None

    def times(self, timing: Timing) -> TimingReply:
        """The timing job's reply (GPU only); Decided if there is none or if what was timed was not the work."""
        run = Run(self._steady, self._reference.sets[0], what="while it was timed: ")
        job = self._job([run], []).model_copy(update={"timing": timing})
        outcome = self._processes.run(TIMING, job, self._settings.timeout + _TIMING_SECONDS)
        if outcome.failed:
            raise Decided(f"unsupported:timing_{outcome.failed}", f"the timing ended with {outcome.error}")
        reply = outcome.known()
        found = self._compare(run, reply.last)
        if isinstance(found, Difference):
            raise Decided("hack:timing_detection", found.text, found.max_error)
        return reply

    def _execute(
        self, runs: list[Run], sequence: list[tuple[Trace, InputSet]] | None = None, *, weights_change: bool = True
    ) -> ReplayReply:
        job = self._job(runs, sequence or [], weights_change=weights_change)
        seconds = self._settings.timeout * max(1.0, len(runs) / _RUNS_PER_TIMEOUT)
        outcome = self._processes.run(self._role, job, seconds)
        if outcome.failed:
            known = outcome.failed in ("timeout", "out_of_memory")
            raise Decided(outcome.failed if known else "runtime_error", f"while running kernels: {outcome.error}")
        reply = outcome.known()
        self.ran |= {ran for result in reply.results for ran in result.ran}
        last = runs[len(reply.results) - 1]
        if reply.results[-1].failed and not last.variant:
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
            runs=[
                ReplayRun(
                    trace=numbers[id(run.trace)],
                    inputs=run.expected.tensors,
                    order=run.order,
                    shift=run.shift,
                    fused=run.fused,
                    turn=turn,
                    optional=bool(run.variant),
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
            why = result.error if self._role is PTX else "interpreter"
            return Decided(f"unsupported:{why}", f"{run.what}a kernel needs {result.error}, which is not emulated")
        kinds = {
            "out_of_memory": "out_of_memory",
            "nondeterministic": "nondeterministic",
            "fallback": "fallback",
            "forged": "hack:forged_result",
            "timeout": "timeout",
            "unwritten": "wrong_output",
        }
        return Decided(kinds.get(result.failed, "runtime_error"), f"{run.what}{result.error}")

    def _compare(self, run: Run, result: RunResult) -> Agreement | Difference:
        expected = run.expected
        promised = [] if run.variant else self._reference.modes[self._reference.main].promised
        ordinary = run.variant or expected.name.startswith(("seed ", "call "))
        least = None if ordinary else self._least_scales
        by_seed = expected.name.startswith("seed ")
        tf32 = Tf32(expected.tf32) if self._tf32 else None
        found = compare(result.outputs, expected.plain, expected.exact, least, promised, ordinary=by_seed, tf32=tf32)
        if isinstance(found, Agreement) and run.order != "skip":
            found = self._compare_buffers(run.trace, result.changed, expected.state) or found
        if isinstance(found, Difference):
            return Difference(found.verdict, run.what + found.text, found.max_error)
        for index, (before, now, wanted) in enumerate(
            zip(run.expected.tensors, result.inputs, run.expected.after, strict=True)
        ):
            if wanted is None and now.tensor != before.tensor:
                return Difference(
                    "hack:mutated_input", f"{run.what}it changed input {index}, which the reference leaves alone"
                )
            if wanted is not None and not self._is_updated(run, before, now, wanted):
                return Difference(
                    "wrong_output", f"{run.what}input {index}, which the reference updates, ends up different"
                )
        return found

    def _is_updated(self, run: Run, before: Tensor, now: Tensor, wanted: Tensor) -> bool:
        """Whether an input is as the reference leaves it; or as it was, where the new values are returned as well."""
        updated = not isinstance(compare_tensor("", now, wanted, wanted), Difference)
        returned = any(output.tensor == wanted.tensor for output in flatten(run.expected.plain)[1])
        left_alone = now.tensor == before.tensor and returned and not self._settings.strict_mutation
        if not run.variant:
            self.in_place = updated and self.in_place is not False
        return updated or left_alone

    def _compare_buffers(
        self, trace: Trace, got: dict[str, Tensor], wanted: dict[str, UpdatedBuffer]
    ) -> Difference | None:
        for name in sorted(set(got) - set(wanted) - set(self._reference.counters)):
            return Difference("wrong_output", f"it changes its {name}, which the reference leaves as it was")
        for name, true in wanted.items():
            text = f"the reference's forward updates the buffer {name}"
            if name not in got:
                has = "leaves as it was" if name in trace.buffers else "does not have"
                return Difference("wrong_output", f"{text}, which the candidate {has}")
            found = compare_tensor("it", got[name], true.plain, true.exact)
            if isinstance(found, Difference):
                return Difference(found.verdict, f"{text}, and {found.text}", found.max_error)
        return None

    def _explain(self, run: Run, found: Difference, *, again: bool = True) -> Decided:
        if found.verdict != "wrong_output":
            return Decided(found.verdict, found.text)
        if again and (run.order == "reverse" or run.shift):
            if self._is_right(replace(run, order="forward", shift=0)):
                return Decided(
                    "nondeterministic", f"the result depends on the order of the grid's programs; {found.text}"
                )
            if run.fused and self._is_right(replace(run, order="forward", shift=0, fused=False)):
                text = "the result depends on whether a compiler fuses multiplications and additions"
                return Decided("wrong_output", f"{text}; {found.text}", found.max_error)
        if run.trace.state:
            raise Decided("hack:host_computation", f"parameters are worked on outside torch and Triton; {found.text}")
        dtypes = [tensor.dtype for tensor in flatten(run.expected.plain)[1]]
        return why_wrong(
            self._first, run.trace, self._kernels, found.text, found.max_error, dtypes[0] if dtypes else ""
        )

    def _is_right(self, run: Run) -> bool:
        return isinstance(self._compare(run, self._execute([run]).results[0]), Agreement)


def _programs(trace: Trace) -> int:
    return sum(math.prod(step.grid) for step in trace.launches)


def _unknowable(inputs: InputSet) -> int:
    """A number that follows from secret inputs: no kernel can be made for one order of its programs."""
    return zlib.crc32(b"".join(tensor.tensor for tensor in inputs.tensors))
