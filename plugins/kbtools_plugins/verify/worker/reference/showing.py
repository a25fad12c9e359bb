"""Sets on which operators show that no other set tells from nothing.

A term that is far below what it is added to shows where that is zero, or where the term is large. So each parameter and
each input in turn is made zero or thirty times as large, and what shows an operator is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, product

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from kbtools_plugins.verify.protocol.reference import InputSet, ReferenceJob
from kbtools_plugins.verify.worker.reference.inputs import map_floats
from kbtools_plugins.verify.worker.reference.module import ReferenceModule
from kbtools_plugins.verify.worker.reference.patterns import around
from kbtools_plugins.verify.worker.reference.sets import InputSets
from kbtools_plugins.verify.worker.reference.ties import Kept
from kbtools_plugins.verify.worker.reference.untested import Operator, Search
from kbtools_plugins.verify.worker.tensors import Inputs, encode_tensor

_MOST, _LARGE = 4, 30.0
"""Parameters, or inputs, that are changed; by what."""
Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Showing:
    """What was found for operators that were hidden."""

    sets: list[InputSet] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    """Names of those that are hidden on these sets, too."""


def shown(module: ReferenceModule, job: ReferenceJob, first: Inputs, mode: str, hidden: list[Operator]) -> Showing:
    """Sets that show as many of the hidden operators as any way does."""
    search, sets = Search(module, mode), list[InputSet]()
    for name, inputs, weights in _ways(module, first):
        if not hidden or search.over:
            break
        changed = module.with_weights(weights)
        if (left := _left(search, hidden, inputs, changed)) == hidden:
            continue
        if found := InputSets(changed, job, first, mode, signs=False).tried(name, inputs):
            sets.append(_with(found, weights).model_copy(update={"sought": True}))
            hidden = left
    return Showing(sets, [name for _, name in hidden])


def at_thresholds(module: ReferenceModule, job: ReferenceJob, first: Inputs, mode: str) -> list[InputSet]:
    """A set whose parameters lie around numbers that kernels compare with; nothing without any."""
    held = _parameters(module)
    habits = [Kept(fixed=False, tied=None) for _ in held]
    for values in around(job.thresholds, tuple(held.values()), habits, exactly=False) if held else ():
        weights = dict(zip(held, values or (), strict=False))
        sets = InputSets(module.with_weights(weights), job, first, mode, signs=False)
        if weights and (found := sets.tried("parameters around numbers that kernels compare with", first)):
            return [_with(found, weights)]
    return []


def _with(found: InputSet, weights: Weights) -> InputSet:
    sent = {held: encode_tensor(tensor) for held, tensor in weights.items()}
    return found.model_copy(update={"weights": sent})


def _parameters(module: ReferenceModule) -> Weights:
    """The first of those that a recording can be made with others of."""
    held = {name: module.instance.state_dict()[name] for name in islice(module.decoy_state, _MOST)}
    return {name: tensor for name, tensor in held.items() if tensor.is_floating_point()}


def _left(search: Search, hidden: list[Operator], inputs: Inputs, changed: ReferenceModule) -> list[Operator]:
    """Those that these inputs do not show; all where there is no time to see it."""
    try:
        left = search.hidden(hidden, [inputs], changed)
    except Exception:  # noqa: BLE001 - the reference need not take such values
        return hidden
    return hidden if search.over else left


def _ways(module: ReferenceModule, first: Inputs) -> Iterator[tuple[str, Inputs, Weights]]:
    """Inputs and parameters: each of these changed alone, and parameters beside inputs of zeros."""
    parameters = list(_parameters(module).items())
    zeros = map_floats(torch.zeros_like, first)
    for name, tensor in parameters:
        yield f"{name} of zeros", first, {name: torch.zeros_like(tensor)}
        yield f"large {name}", first, {name: tensor * _LARGE}
    for (name, tensor), inputs in product(parameters, [zeros] if zeros else []):
        yield f"zeros and {name} of zeros", inputs, {name: torch.zeros_like(tensor)}
    leaves, spec = tree_flatten(first)
    floats = [at for at, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
    for at in floats[:_MOST] if len(floats) > 1 else ():
        for what, factor in (("of zeros", 0.0), ("alone, large", _LARGE)):
            changed = map_floats(lambda tensor, by=factor: tensor * by, (leaves[at],))  # type: ignore[misc]
            yield (
                f"input {at} {what}",
                tuple(tree_unflatten([*leaves[:at], *(changed or ()), *leaves[at + 1 :]], spec)),
                {},
            )
