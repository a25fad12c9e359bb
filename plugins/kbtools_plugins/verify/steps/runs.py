"""Which replays a candidate's traces get: on every set of inputs, in other orders, modes and configurations."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from kbtools_plugins.verify.protocol.reference import NO_LABELS, InputSet, ReferenceReply
from kbtools_plugins.verify.protocol.replaying import RunResult
from kbtools_plugins.verify.protocol.tolerance import ill_conditioned
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.steps.record import ELSEWHERE, TUNING
from kbtools_plugins.verify.steps.trace_rules import Decided


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
    programs: tuple[int, ...] = ()
    """The only ones of the launch that run; all if there are none."""


class RunPlan:
    """The runs that decide on one candidate; what is left out is said in `notes`."""

    def __init__(
        self, reference: ReferenceReply, traces: dict[str, list[Trace]], many_programs: int, notes: list[str]
    ) -> None:
        self._reference = reference
        self._traces = traces
        self._many_programs = many_programs
        self._first, self._steady, self._last = traces["main"]
        self._notes = notes

    def variants(self) -> dict[str, Run | None]:
        """A run for each other shape or layout that can be compared; None where the candidate could not be recorded."""
        return {
            name: Run(traces[0], variant.set, variant=name) if (traces := self._traces.get(name)) else None
            for name, variant in self._reference.variants.items()
            if name not in NO_LABELS and not _is_inexact(variant.set)
        }

    def required(self) -> list[Run]:
        """Those that all have to agree, but for the one without kernels; Decided without a set to compare on."""
        sets = self._sets()
        first = sets[0]
        return [
            Run(self._steady, first, "skip"),
            Run(self._steady, first),
            *self._on_other_sets(sets[1:]),
            *self._of_other_calls(first),
            *self._configurations(first),
            *self._in_modes(first),
            *self._with_other_numbers(),
        ]

    def _sets(self) -> list[InputSet]:
        """Sets of inputs on which the reference is exact enough, the first seed before all."""
        sets: list[InputSet] = []
        inexact: list[str] = []
        for found in self._reference.sets:
            if _is_inexact(found):
                inexact.append(found.name)
            else:
                sets.append(found)
        if programs(self._steady) > self._many_programs:
            sets = sets[:2]
            self._notes.append("many programs for a CPU: two sets of random inputs only, no other scales")
        if inexact:
            self._notes.append(f"not compared, the reference itself is inexact there: {', '.join(inexact)}")
        if not sets or sets[0].name != "seed 1":
            raise Decided(
                "reference_unfit:ill_conditioned",
                "float32 and float64 runs of the reference differ by more than a candidate may",
            )
        return sets

    def _on_other_sets(self, sets: list[InputSet]) -> Iterator[Run]:
        """The order of programs is another one each time, and of the first one reversed."""
        for number, found in enumerate(sets):
            order = "reverse" if number == 0 else "forward"
            trace = self._traces[ELSEWHERE][0] if found.weights else self._steady
            yield Run(trace, found, order, _unknowable(found), number == 0, f"on {found.name}: ")

    def _of_other_calls(self, expected: InputSet) -> Iterator[Run]:
        """A first call, a later one, or one in another place, where it launches something else than a steady one."""
        steady, first = self._steady.shape_of_it(), self._first.shape_of_it()
        if first != steady:
            yield Run(self._first, expected, what="in its first call: ")
        if self._last.shape_of_it() != steady:
            yield Run(self._last, expected, what="in a later call: ")
        known = {first, steady}
        for elsewhere in self._traces.get(ELSEWHERE, []):
            if (shape := elsewhere.shape_of_it()) not in known:
                known.add(shape)
                yield Run(elsewhere, expected, what="recorded in another place with other parameters: ")

    def _with_other_numbers(self) -> Iterator[Run]:
        """Where the reference is given numbers with a fraction, or other shapes that it asks for itself."""
        for name in sorted(NO_LABELS & self._reference.variants.keys()):
            expected = self._reference.variants[name].set
            if not _is_inexact(expected):
                traces = self._traces.get(name, [])
                yield from (Run(trace, expected, what=f"with other {name}: ") for trace in traces)

    def _in_modes(self, expected: InputSet) -> Iterator[Run]:
        """In train and eval mode, where the candidate or the reference does something else there."""
        for mode, forward in self._reference.modes.items():
            update = {"plain": forward.outputs, "exact": forward.outputs, "tf32": None, "state": forward.state}
            if (trace := self._differing(mode)) or (mode in self._traces and self._mode_matters()):
                changed = expected.model_copy(update=update)
                yield Run(trace or self._traces[mode][0], changed, what=f"in {mode} mode: ")

    def _configurations(self, expected: InputSet) -> Iterator[Run]:
        """One run for each further configuration of tuned kernels, as far as the machine can."""
        known, count = {self._steady.shape_of_it()}, 0
        for number, trace in enumerate(self._traces.get(TUNING, []), 2):
            if (shape := trace.shape_of_it()) in known:
                continue
            known.add(shape)
            count += programs(trace)
            if count > self._many_programs:
                self._notes.append(f"many programs for a CPU: configurations from the {number}th were not run")
                return
            yield Run(trace, expected, what=f"with configuration {number} of its autotuning: ")

    def _mode_matters(self) -> bool:
        outputs = [found.outputs for found in self._reference.modes.values() if not found.random]
        return any(output != outputs[0] for output in outputs[1:])

    def _differing(self, name: str) -> Trace | None:
        traces = self._traces.get(name, [])
        return traces[0] if traces and traces[0].shape_of_it() != self._steady.shape_of_it() else None


def _is_inexact(found: InputSet) -> bool:
    return ill_conditioned(found.plain, found.exact, found.otherwise)


def programs(trace: Trace) -> int:
    """How many programs one forward runs."""
    return sum(math.prod(step.grid) for step in trace.launches)


def require_followable(trace: Trace, most_programs: int) -> None:
    """Decided if no replay can do what a forward did."""
    if trace.addresses:
        raise Decided("unsupported:host_reads_data", "a kernel is given addresses of memory as numbers")
    if (count := programs(trace)) > most_programs:
        raise Decided("unsupported:too_large", f"the launches have {count:,} programs, too many for this machine")


def _unknowable(inputs: InputSet) -> int:
    """A number that follows from secret inputs: no kernel can be made for one order of its programs."""
    return zlib.crc32(b"".join(tensor.tensor for tensor in inputs.tensors))


def goes_astray(run: Run, result: RunResult) -> bool:
    """Whether a run failed as only a kernel does that takes integers for places, where the reference does not."""
    return run.expected.boundless and result.failed == "out_of_bounds"
