"""Whether a reference can tell a right kernel from a wrong one; if not, no candidate is held against it."""

from __future__ import annotations

from kbtools_plugins.verify.protocol import operators
from kbtools_plugins.verify.protocol.agreement import Agreement
from kbtools_plugins.verify.protocol.outputs import flatten, to_numpy
from kbtools_plugins.verify.protocol.reference import InputSet, ReferenceReply
from kbtools_plugins.verify.protocol.tolerance import compare, rms
from kbtools_plugins.verify.steps.trace_rules import Decided

_NEAR_ZERO = 1e-6
_ENOUGH_FINITE = 0.1
"""Share of an output that has to be numbers: these are compared, and NaN has to be in the same places."""


def require_fit(reply: ReferenceReply) -> None:
    """Decided if the control fails or if the outputs say nothing about the inputs."""
    first = reply.sets[0]
    control = compare(reply.control, first.plain, first.exact)
    if not isinstance(control, Agreement):
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


def only_moves(reply: ReferenceReply) -> bool:
    """Whether the reference's forward only moves data."""
    return operators.only_moves(reply.modes[reply.main].operators)


def _never_changes(sets: list[InputSet]) -> bool:
    """Whether all sets of different inputs give what the first gives: nothing could tell a kernel from a constant."""
    first = sets[0]
    inputs = [tensor.tensor for tensor in first.tensors]
    others = [found for found in sets if [tensor.tensor for tensor in found.tensors] != inputs] or sets[1:]
    return bool(others) and all(
        isinstance(compare(found.plain, first.plain, first.exact), Agreement) for found in others
    )


def _finite_share(sets: list[InputSet]) -> float:
    """Share of finite elements in the output that has most of them, over all sets: of few elements one says little."""
    import numpy as np

    found = [[to_numpy(tensor).ravel() for tensor in flatten(one.plain)[1]] for one in sets]
    outputs = [np.concatenate(same) for same in zip(*found, strict=False)]
    return max((float(np.isfinite(values).mean()) for values in outputs if values.size), default=0.0)
