"""Which replays a candidate's traces get: on every set of inputs, in other orders, modes and configurations."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from kbtools_plugins.verify.protocol.reference import InputSet, ReferenceReply
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
            if not ill_conditioned(variant.set.plain, variant.set.exact)
        }

    def required(self) -> list[Run]:
        """Those that all have to agree, but for the one without kernels; Decided without a set to compare on."""
        sets = [found for found in self._reference.sets if not ill_conditioned(found.plain, found.exact)]
        if programs(self._steady) > self._many_programs:
            sets = sets[:2]
            self._notes.append("many programs for a CPU: two sets of random inputs only, no other scales")
        skipped = [found.name for found in self._reference.sets if ill_conditioned(found.plain, found.exact)]
        if skipped:
            self._notes.append(f"not compared, the reference itself is inexact there: {', '.join(skipped)}")
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
        for elsewhere in self._traces.get(ELSEWHERE, []):
            if elsewhere.state or elsewhere.shape_of_it() not in (
                self._first.shape_of_it(),
                self._steady.shape_of_it(),
            ):
                runs.append(Run(elsewhere, sets[0], what="recorded on another card with other parameters: "))
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


def programs(trace: Trace) -> int:
    """How many programs one forward runs."""
    return sum(math.prod(step.grid) for step in trace.launches)


def _unknowable(inputs: InputSet) -> int:
    """A number that follows from secret inputs: no kernel can be made for one order of its programs."""
    return zlib.crc32(b"".join(tensor.tensor for tensor in inputs.tensors))
