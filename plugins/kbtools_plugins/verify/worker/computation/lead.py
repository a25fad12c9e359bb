"""The job that runs a module on inputs of its own: from secret seeds, and with other values, scales and shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

from kbtools_plugins.verify.protocol.computation import LeadJob, LeadReply, OwnSet
from kbtools_plugins.verify.protocol.roles import RoleFailure
from kbtools_plugins.verify.protocol.wire import Talk
from kbtools_plugins.verify.worker import loading
from kbtools_plugins.verify.worker.computation.subject import Subject, guarded, require_small, tensors
from kbtools_plugins.verify.worker.reference import state
from kbtools_plugins.verify.worker.reference.inputs import (
    SCALES,
    VARIANTS,
    alone,
    map_floats,
    other_booleans,
    varied,
    with_plain_values_of,
)
from kbtools_plugins.verify.worker.reference.patterns import structured
from kbtools_plugins.verify.worker.reference.ties import kept
from kbtools_plugins.verify.worker.tensors import Inputs, clone_tree, encode, encode_tensor

Kind = Literal["seed", "values", "extreme", "shape"]
Made = Callable[[], "Inputs | None"]
_EXTREME = ("values of 1e-3", "values of 1e3", "zeros")


def warm_up() -> None:
    """Everything is imported with this module."""
    torch.set_num_threads(1)


def run(job: LeadJob, talk: Talk) -> LeadReply | RoleFailure:
    """The reply, or why the module cannot be run."""
    return guarded(lambda: _led(job))


def _led(job: LeadJob) -> LeadReply:
    subject = Subject(job.code, job.entry)
    first = subject.inputs(job.seeds[0])
    require_small(subject, first, job.most_elements)
    main, *others = subject.settled_modes(first)
    names = subject.watched(first, main).parameters
    subject.instance = _moved(subject, first, main, job.seeds[0])
    sets = [_set("seed", subject, inputs, subject(inputs, main), main) for inputs in _seeded(subject, first, job.seeds)]
    sets += [_set("values", subject, first, subject(first, mode), mode) for mode in others]
    sets += _further(subject, first, job.seeds, main)
    parameters = [encode_tensor(tensor) for tensor in subject.parameters(names)]
    return LeadReply(init=encode(subject.init), names=names, parameters=parameters, sets=sets)


def _moved(subject: Subject, inputs: Inputs, mode: str, seed: int) -> Any:
    if not isinstance(subject.instance, torch.nn.Module):
        return subject.instance

    def forward(used: torch.nn.Module) -> Any:
        loading.set_mode(used, mode)
        return used(*clone_tree(inputs))

    return state.moved(subject.instance, set(), seed, [forward])


def _seeded(subject: Subject, first: Inputs, seeds: list[int]) -> Iterator[Inputs]:
    """Inputs of every seed; those that `get_inputs` fixes are varied."""
    yield first
    for seed in seeds[1:]:
        inputs = with_plain_values_of(first, subject.inputs(seed))
        yield tuple(tree_map_only(torch.Tensor, varied, inputs)) if state.equal(inputs, first) else inputs


def _further(subject: Subject, first: Inputs, seeds: list[int], mode: str) -> Iterator[OwnSet]:
    """Sets of other values, scales and shapes, as far as the module takes them: of each kind the first that it does."""
    torch.manual_seed(seeds[-1])
    for kind, ways in _ways(first, subject.inputs(seeds[-1] + 1)):
        for way in ways:
            inputs = way()
            plain = None if inputs is None else _taken(subject, inputs, mode)
            if inputs is not None and plain is not None:
                yield _set(kind, subject, inputs, plain, mode)
                break


def _taken(subject: Subject, inputs: Inputs, mode: str) -> Any:
    """What the module makes of the inputs; None where it does not take them."""
    try:
        return subject(inputs, mode)
    except Exception:  # noqa: BLE001 - other people's module, which need not take such inputs
        return None


def _ways(first: Inputs, again: Inputs) -> Iterator[tuple[Kind, list[Made]]]:
    habits = kept(first, again)
    yield "values", [lambda: other_booleans(first)]
    yield "values", [lambda: structured(first, habits)]
    yield from (("values", way.changes) for way in alone(first, habits, (), signs=False))
    for name, change in (next(iter(ways.items())) for ways in SCALES):
        yield "extreme" if name in _EXTREME else "values", [lambda change=change: map_floats(change, first)]  # type: ignore[misc]
    for vary in (VARIANTS["shape"], VARIANTS["layout"], _cut, _permuted):
        yield "shape", [lambda vary=vary: vary(first)]  # type: ignore[misc]


def _cut(inputs: Inputs) -> Inputs | None:
    """All tensors without the last of their first dimension, where it has as many as that of the first tensor."""
    sizes = [tensor.shape[0] for tensor in tensors(inputs) if tensor.dim() > 1]
    if not sizes or sizes[0] < 2:
        return None
    return _each(lambda one: one[:-1] if one.dim() > 1 and one.shape[0] == sizes[0] else one, inputs)


def _permuted(inputs: Inputs) -> Inputs | None:
    """All tensors with their dimensions in reverse order, where that gives other shapes."""
    if all(list(one.shape) == list(one.shape)[::-1] for one in tensors(inputs)):
        return None
    return _each(lambda one: one.permute(*reversed(range(one.dim()))).contiguous(), inputs)


def _each(change: Callable[[torch.Tensor], torch.Tensor], inputs: Inputs) -> Inputs:
    leaves, spec = tree_flatten(inputs)
    return tuple(tree_unflatten([change(leaf) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves], spec))


def _set(kind: Kind, subject: Subject, inputs: Inputs, plain: Any, mode: str) -> OwnSet:
    return OwnSet(
        kind=kind,
        mode=mode,
        inputs=encode(inputs),
        plain=encode(plain),
        exact=encode(_exact(subject, inputs, plain, mode)),
    )


def _exact(subject: Subject, inputs: Inputs, plain: Any, mode: str) -> Any:
    """Outputs computed in float64; the plain ones where there is no float64 path."""
    try:
        found = subject.runner(mode, double=True)(tree_map_only(torch.Tensor, _double, inputs), 0)
    except Exception:  # noqa: BLE001 - the module may know only its own types
        return plain
    alike = [getattr(leaf, "shape", None) for leaf in tree_flatten(found)[0]] == [
        getattr(leaf, "shape", None) for leaf in tree_flatten(plain)[0]
    ]
    return found if alike else plain


def _double(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor
