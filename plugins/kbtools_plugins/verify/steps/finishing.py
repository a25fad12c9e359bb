"""Whether torch only finishes what kernels have made, or prepares parameters for them."""

from __future__ import annotations

from kbtools_plugins.verify.protocol.operators import is_finishing, puts_together
from kbtools_plugins.verify.protocol.reference import WorkSize
from kbtools_plugins.verify.protocol.trace import Trace, TraceStep, refs, step_refs

_FINISHING_SHARE = 32
"""Torch may finish what kernels have made of the inputs, and prepare parameters and buffers for them, if all that is so
many times smaller than the inputs that it is made of."""
_ALL_FINISHING = 0.25
"""The share of all such steps together: many small ones are the whole."""


def only_finishes(work: list[TraceStep], trace: Trace, results: set[int], size: WorkSize) -> bool:
    """Whether torch only finishes or prepares: it works on results of kernels, on parameters and buffers, all of them
    far smaller than the inputs; on results far smaller than what the reference works on, too.

    `results` are the storages that kernels write.
    """
    given = {number for number, storage in enumerate(trace.storages) if storage.origin == "constant"}
    prepared = _made_of(given, trace)
    made = _made_of(given | results, trace)
    used = {ref.storage for step in work for ref in step_refs(step)}
    known = all(is_finishing(step.operator) for step in work)
    if not (work and known and used <= made and _is_far_smaller(work, trace)):
        return False
    finished = [step for step in work if not {ref.storage for ref in step_refs(step)} <= prepared]
    return all(
        largest_of(trace, [step]) * _FINISHING_SHARE
        <= largest_input(trace) * (size.together if puts_together(step.operator) else size.whole)
        for step in finished
    )


def _made_of(storages: set[int], trace: Trace) -> set[int]:
    """These, and what operators make of nothing else."""
    made = set(storages)
    for step in trace.steps:
        touched = {ref.storage for ref in [*refs(step.args), *refs(step.kwargs)]}
        if not step.kernel and touched and touched <= made:
            made |= {ref.storage for ref in step.results}
    return made


def _is_far_smaller(work: list[TraceStep], trace: Trace) -> bool:
    """Whether each step works on far less than the largest of the inputs that what it is given was made from; where
    that is none, as of parameters, than the largest input."""
    sources: dict[int, set[int]] = {
        number: {number} for number, storage in enumerate(trace.storages) if storage.origin == "input"
    }
    worked = {id(step) for step in work}
    share = 0.0
    for step in trace.steps:
        touched = {ref.storage for ref in step_refs(step)}
        found = {source for number in touched for source in sources.get(number, ())}
        if id(step) in worked:
            largest = max((trace.storages[number].size for number in found), default=largest_input(trace))
            share += largest_of(trace, [step]) / max(1, largest)
            if largest_of(trace, [step]) * _FINISHING_SHARE > largest or share > _ALL_FINISHING:
                return False
        if found:
            sources |= {number: found | sources.get(number, set()) for number in touched}
    return True


def largest_of(trace: Trace, work: list[TraceStep]) -> int:
    """Bytes of the largest memory that steps work on."""
    return max((trace.storages[ref.storage].size for step in work for ref in step_refs(step)), default=0)


def largest_input(trace: Trace) -> int:
    """Bytes of the largest input."""
    return max((storage.size for storage in trace.storages if storage.origin == "input"), default=0)
