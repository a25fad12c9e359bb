"""Has the reference run, at a size that the machine does quickly, and says whether it can tell right from wrong.

Where it cannot, no candidate is held against it.
"""

from __future__ import annotations

from kbtools_plugins.verify.evidence import Evidence
from kbtools_plugins.verify.host.child import Outcome
from kbtools_plugins.verify.host.pair_processes import PairProcesses
from kbtools_plugins.verify.protocol import operators
from kbtools_plugins.verify.protocol.match import Match
from kbtools_plugins.verify.protocol.outputs import flatten, to_numpy
from kbtools_plugins.verify.protocol.reading import ReadReply, ShrinkJob
from kbtools_plugins.verify.protocol.reference import REFERENCE, InputSet, ReferenceJob, ReferenceReply
from kbtools_plugins.verify.protocol.tolerance import compare, rms
from kbtools_plugins.verify.settings import VerifySettings, machine, on_gpu
from kbtools_plugins.verify.steps.structure import sound_cut, what_was_cut
from kbtools_plugins.verify.steps.trace_rules import Decided, ReferenceWork

_NEAR_ZERO = 1e-6
_ENOUGH_FINITE = 0.1
"""Share of an output that has to be numbers: these are compared, and NaN has to be in the same places."""


class ReferenceRun:
    """The run of one pair's reference, on inputs from these seeds; what it finds goes into the evidence."""

    def __init__(
        self,
        processes: PairProcesses,
        settings: VerifySettings,
        evidence: Evidence,
        *,
        seeds: list[int],
        decoy_seeds: list[int],
    ) -> None:
        self._processes = processes
        self._settings = settings
        self._evidence = evidence
        self._seeds = seeds
        self._decoy_seeds = decoy_seeds
        self._comfortable, self._most = machine(settings).elements

    def reply(self, pair: ReadReply) -> tuple[ReferenceReply, ReadReply]:
        """What the reference gives, and the pair: both sides have smaller sizes where it is too large as it is.

        Decided if it cannot be run, or is not fit to judge by.
        """
        self._evidence.sizes = "full"
        outcome = self._run(pair, self._comfortable)
        if _is_too_large(outcome) and (cut := self._cut(pair)):
            outcome, pair = cut
        elif _is_too_large(outcome):
            outcome = self._run(pair, self._most)
        if _is_too_large(outcome):
            text = f"{outcome.error[-300:]}, more than {self._most:,}, and no smaller sizes have the same structure"
            raise Decided("unsupported:too_large", text)
        if outcome.failed:
            known = outcome.failed.startswith(("reference_", "unsupported:"))
            raise Decided(outcome.failed if known else "reference_error", outcome.error or outcome.failed)
        reply = outcome.known()
        require_fit(reply)
        if reply.fewer_sets:
            self._evidence.notes.append(f"large inputs: {len(reply.sets)} sets of them only")
        self._note_untested(reply)
        return reply, pair

    def _note_untested(self, reply: ReferenceReply) -> None:
        if reply.computing:
            self._evidence.untested_share = len(reply.untested) / reply.computing
        if reply.untested:
            names = ", ".join(reply.untested)
            self._evidence.notes.append(f"untested operators: {names}: without them the reference gives the same")
        if reply.fixed:
            self._evidence.notes.append(f"only as get_inputs() has them: {', '.join(reply.fixed)}")
        if drawing := [mode for mode, found in reply.modes.items() if found.random]:
            self._evidence.notes.append(f"not compared in {drawing[0]} mode, where the reference draws random numbers")

    def _run(self, pair: ReadReply, most_elements: int) -> Outcome[ReferenceReply]:
        job = ReferenceJob(
            code=pair.reference,
            entry=pair.reference_name,
            seeds=self._seeds,
            decoy_seeds=self._decoy_seeds,
            thresholds=pair.thresholds,
            most_elements=most_elements,
            floor=self._settings.time and on_gpu(self._settings),
        )
        return self._processes.run(REFERENCE, job)

    def _cut(self, pair: ReadReply) -> tuple[Outcome[ReferenceReply], ReadReply] | None:
        """A version that is done quickly and has the same structure, if there is any that runs."""
        job = ShrinkJob(
            reference=pair.reference,
            entry=pair.reference_name,
            candidate=pair.candidate,
            most_elements=self._comfortable,
        )
        sizes = sound_cut(self._processes, job, pair.name, self._most)
        if sizes is None:
            return None
        smaller = pair.model_copy(update={"reference": sizes.cut.reference, "candidate": sizes.cut.candidate})
        outcome = self._run(smaller, self._most)
        if outcome.failed:
            return None
        self._evidence.sizes = "cut"
        self._evidence.notes.append(what_was_cut(sizes) + (", times are for these" if self._settings.time else ""))
        return outcome, smaller


def _is_too_large(outcome: Outcome[ReferenceReply]) -> bool:
    """Too many elements, or memory that could not be had for them."""
    return outcome.failed in ("too_large", "out_of_memory") or "can't allocate memory" in outcome.error


def require_fit(reply: ReferenceReply) -> None:
    """Decided if the control fails or if the outputs say nothing about the inputs."""
    first = reply.sets[0]
    control = compare(reply.control, first.plain, first.exact)
    if not isinstance(control, Match):
        raise Decided("reference_error", f"the reference does not agree with itself: {control.text}")
    seeds = [found for found in reply.sets if found.name.startswith("seed ")]
    tensors = flatten(first.plain)[1]
    if not any(tensor.tensor for tensor in tensors):
        raise Decided("reference_unfit:no_output", "the reference returns no tensor with elements")
    if not first.finite and _finite_share(seeds) < _ENOUGH_FINITE:
        raise Decided("reference_unfit:not_finite", "nearly all of the reference's output is NaN or infinite")
    if all(rms(to_numpy(tensor)) < _NEAR_ZERO for found in seeds for tensor in flatten(found.plain)[1]):
        raise Decided("reference_unfit:near_zero", f"the reference's output is below {_NEAR_ZERO:g} everywhere")
    if _never_changes([*seeds, *(found for found in reply.sets if found.finite)]):
        raise Decided("reference_unfit:ignores_inputs", "the reference gives the same output for different inputs")


def work_of(reply: ReferenceReply) -> ReferenceWork:
    """What the reference's forward does, as far as it says what torch may do for a candidate."""
    return ReferenceWork(operators.only_moves(reply.modes[reply.main].operators), reply.work)


def _never_changes(sets: list[InputSet]) -> bool:
    """Whether all sets of different inputs give what the first gives: nothing could tell a kernel from a constant."""
    first = sets[0]
    inputs = [tensor.tensor for tensor in first.tensors]
    others = [found for found in sets if [tensor.tensor for tensor in found.tensors] != inputs] or sets[1:]
    return bool(others) and all(isinstance(compare(found.plain, first.plain, first.exact), Match) for found in others)


def _finite_share(sets: list[InputSet]) -> float:
    """Share of finite elements in the output that has most of them, over all sets: of few elements one says little."""
    import numpy as np

    found = [[to_numpy(tensor).ravel() for tensor in flatten(one.plain)[1]] for one in sets]
    outputs = [np.concatenate(same) for same in zip(*found, strict=False)]
    return max((float(np.isfinite(values).mean()) for values in outputs if values.size), default=0.0)
