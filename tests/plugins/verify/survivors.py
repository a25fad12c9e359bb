"""What becomes of a mutant that passes: is it the same program, does it give the same results, or is it a hole?

Kernel and mutant are replayed on inputs that their check did not have: more seeds and all variations of each. Where the
results are the same bit by bit, the mutant differs from its kernel in nothing that the reference's shapes can show.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from mutant_changes import Mutant
from verify_suite import Candidate

from kbtools_plugins.verify.check import PairCheck
from kbtools_plugins.verify.host.pair_processes import Deadline
from kbtools_plugins.verify.host.processes import WarmPair
from kbtools_plugins.verify.protocol import local_scale
from kbtools_plugins.verify.protocol.match import Difference
from kbtools_plugins.verify.protocol.outputs import flatten, to_numpy
from kbtools_plugins.verify.protocol.reference import InputSet, ReferenceReply
from kbtools_plugins.verify.protocol.replaying import RunResult
from kbtools_plugins.verify.protocol.tolerance import ill_conditioned
from kbtools_plugins.verify.steps.replay import Replays
from kbtools_plugins.verify.steps.runs import Run

SEEDS = 24
_NOT_CODE = re.compile(r"^\s*(//|\.loc|\.file|[{}]\s*$|\$L__(tmp|func)|\.(target|version)).*$", re.M)
_EPSILON = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}
_KEPT = 4
_SMALLEST = 1e-300
_ROUNDINGS = 4
"""Of the output's type, by which a mutant that only rounds elsewhere may be off."""


@dataclass(frozen=True)
class Survivor:
    """A mutant that passed, and what it is."""

    mutant: Mutant
    kind: str
    """`same program`, `same results`, `rounding`, `tolerance` for more than that, or `found by more seeds`."""
    reason: str


class AllSets(Replays):
    """Replays whose results are wanted as they are."""

    def all_of(self, runs: list[Run]) -> list[RunResult]:
        """What each run leaves, by one process."""
        return self._execute(runs).results


class Subject(PairCheck):
    """A pair that is replayed, but not judged; its reference is run here, or is one that was run before."""

    def __init__(self, candidate: Candidate, code: str, processes: WarmPair, known: ReferenceReply | None) -> None:
        settings = candidate.settings.model_copy(update={"seeds": SEEDS, "seed": 1})
        super().__init__(candidate.reference, code, None, settings, processes, Deadline())
        self._known = known
        self.results: list[RunResult] = []
        """What is left after a forward on each of the reference's sets."""
        self.wrong = ""
        """What the check says of the first of them that is not right."""
        self.verdict = self.run()

    @property
    def reference(self) -> ReferenceReply:
        """What the reference gave."""
        return self._reference

    @property
    def sets(self) -> list[InputSet]:
        """Those that are for the parameters of the recorded trace, and on which the reference is exact enough."""
        found = [one for one in self._reference.sets if not one.weights]
        return [one for one in found if not ill_conditioned(one.plain, one.exact)]

    @property
    def tf32(self) -> bool:
        """Whether its products keep as many bits as those of a float16."""
        return "tf32" in self._features

    def program(self) -> list[str]:
        """All that a device would see: the course of each trace, and the instructions of each launch."""
        traces = [trace.course() for name in sorted(self._traces) for trace in self._traces[name]]
        return [*traces, *(_instructions(program.text) for program in self._programs.runnable)]

    def _run_reference(self) -> ReferenceReply:
        return self._known or super()._run_reference()

    def _replay(self) -> float:
        replays = AllSets(
            self._reference,
            self._traces,
            self._programs,
            self._kernels,
            self._features,
            self._settings,
            self._processes,
        )
        runs = [Run(self._main_trace, found) for found in self.sets]
        self.results = replays.all_of(runs)
        found = [replays.compared(run, result) for run, result in zip(runs, self.results, strict=True)]
        self.wrong = next((one.text for one in found if isinstance(one, Difference)), "")
        return 0.0

    def _look_further(self) -> None:
        """Nothing more is looked at."""

    def _compile_later(self) -> None:
        """No binary is needed."""


def _instructions(text: str) -> str:
    """PTX without comments, places in a source and debugging data."""
    code = text.split(".section")[0]
    return "\n".join(line.strip() for line in _NOT_CODE.sub("", code).split("\n") if line.strip())


def judge(mutant: Mutant, processes: WarmPair) -> Survivor:
    """What a mutant is that has passed."""
    original = _original(mutant.candidate, processes)
    changed = Subject(mutant.candidate, mutant.code(), processes, original.reference)
    if changed.verdict.verdict != "pass" or changed.wrong:
        why = changed.wrong or f"{changed.verdict.verdict}: {changed.verdict.error}"
        return Survivor(mutant, "found by more seeds", why)
    if original.program() == changed.program():
        return Survivor(mutant, "same program", "Triton makes the same instructions of both")
    sets = original.sets
    pairs = zip(sets, original.results, changed.results, strict=True)
    off = max(_roundings(*pair, tf32=changed.tf32) for pair in pairs)
    if off == 0:
        return Survivor(mutant, "same results", f"bit by bit on {len(sets)} sets of inputs")
    kind = "rounding" if off <= _ROUNDINGS else "tolerance"
    what = "tf32" if changed.tf32 else "the output's type"
    return Survivor(mutant, kind, f"off by up to {off:.3g} roundings of {what}, on {len(sets)} sets")


_KNOWN: dict[str, Subject] = {}


def _original(candidate: Candidate, processes: WarmPair) -> Subject:
    """The kernel that a mutant was made of; the last ones are kept."""
    if candidate.name not in _KNOWN:
        while len(_KNOWN) > _KEPT:
            _KNOWN.pop(next(iter(_KNOWN)), None)
        _KNOWN[candidate.name] = Subject(candidate, candidate.code, processes, None)
    return _KNOWN[candidate.name]


def _roundings(expected: InputSet, ours: RunResult, its: RunResult, *, tf32: bool) -> float:
    """By how many roundings of the output's type one result is off the other, beside the scale that a check takes."""
    if ours.model_copy(update={"instructions": 0}) == its.model_copy(update={"instructions": 0}):
        return 0.0
    if ours.failed or its.failed:
        return math.inf
    worst = _SMALLEST
    exact = flatten(expected.exact)[1]
    for one, other, true in zip(flatten(ours.outputs)[1], flatten(its.outputs)[1], exact, strict=True):
        mine, changed, wanted = (to_numpy(found).astype(np.float64) for found in (one, other, true))
        if one.dtype not in _EPSILON:
            worst = max(worst, math.inf if (mine != changed).any() else 0.0)
            continue
        epsilon = _EPSILON["float16"] if tf32 and one.dtype == "float32" else _EPSILON[one.dtype]
        size = np.maximum(np.abs(wanted), local_scale.scale(wanted)) + _SMALLEST
        with np.errstate(all="ignore"):
            off = np.nan_to_num(np.abs(changed - mine) / (size * epsilon), nan=0.0, posinf=0.0)
        odd = np.isfinite(mine) != np.isfinite(changed)
        worst = max(worst, math.inf if odd.any() else float(off.max(initial=0.0)))
    return worst
