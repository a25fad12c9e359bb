"""The job that looks at one module: its form, its operators, and what it makes of public inputs in two numbers.

The inputs are the same for all modules of one form: of the shapes of the module's own, and of small shapes that most
modules without parameters take as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from kbtools_plugins.verify.protocol.computation import Print, ProbeJob, ProbeReply
from kbtools_plugins.verify.protocol.roles import RoleFailure
from kbtools_plugins.verify.protocol.wire import Talk
from kbtools_plugins.verify.worker.computation.subject import Subject, guarded, require_small, tensors
from kbtools_plugins.verify.worker.tensors import Inputs

_SEED = 11
_SMALL = 4
"""The size that all dimensions of more than one element get: equal sizes fit each other."""


def warm_up() -> None:
    """Everything is imported with this module."""
    torch.set_num_threads(1)


def run(job: ProbeJob, talk: Talk) -> ProbeReply | RoleFailure:
    """The reply, or why the module cannot be run."""
    return guarded(lambda: _probed(job))


def _probed(job: ProbeJob) -> ProbeReply:
    subject = Subject(job.code, job.entry)
    inputs = subject.inputs(_SEED)
    require_small(subject, inputs, job.most_elements)
    modes = subject.settled_modes(inputs)
    found = subject.watched(inputs, modes[0])
    parameters = subject.parameters(found.parameters)
    outputs = subject(inputs, modes[0])
    form = " | ".join([_kinds(inputs), _kinds(outputs), _kinds(sorted(parameters, key=_kind)), ", ".join(modes)])
    _fill(parameters)
    prints = list(_prints(subject, inputs, modes[0]))
    return ProbeReply(form=form, operators=found.operators, prints=prints)


def _kinds(values: Any) -> str:
    return ", ".join(map(_kind, tree_flatten(values)[0]))


def _kind(value: object) -> str:
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    return f"{str(value.dtype).removeprefix('torch.')} of rank {value.dim()}"


def _fill(parameters: list[torch.Tensor]) -> None:
    """Give parameters values by their shape alone, so that the order in which they are used does not matter."""
    for parameter in parameters:
        generator = torch.Generator().manual_seed(_SEED)
        parameter.copy_(0.1 + 0.2 * torch.rand(parameter.shape, generator=generator))


def _prints(subject: Subject, inputs: Inputs, mode: str) -> Iterator[Print]:
    """For the module's own shapes and for small ones, as far as it takes them."""
    for given in (_drawn(inputs, small=False), _drawn(inputs, small=True)):
        with suppress(Exception):  # the module need not take such inputs
            yield _print(_described(given), tensors(subject(given, mode)))


def _drawn(inputs: Inputs, *, small: bool) -> Inputs:
    """Tensors of these types with public values, of these shapes or of small ones."""
    leaves, spec = tree_flatten(inputs)
    generator = torch.Generator().manual_seed(_SEED)
    drawn = [_values(leaf, generator, small=small) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    return tuple(tree_unflatten(drawn, spec))


def _values(like: torch.Tensor, generator: torch.Generator, *, small: bool) -> torch.Tensor:
    """Numbers from 0 to 1: what takes probabilities takes them, and as an index they are always valid."""
    shape = [size if size <= 1 else _SMALL for size in like.shape] if small else like.shape
    values = torch.rand(shape, generator=generator)
    return values.to(like.dtype) if like.is_floating_point() or like.is_complex() else (values < 0.5).to(like.dtype)


def _described(inputs: Inputs) -> str:
    leaves = tree_flatten(inputs)[0]
    return ", ".join(
        f"{_kind(leaf)} {list(leaf.shape)}" if isinstance(leaf, torch.Tensor) else repr(leaf) for leaf in leaves
    )


def _print(on: str, outputs: list[torch.Tensor]) -> Print:
    wide = [(torch.view_as_real(one) if one.is_complex() else one).double().flatten() for one in outputs]
    values = torch.cat(wide) if wide else torch.zeros(0, dtype=torch.float64)
    values = values.nan_to_num(0.0, 0.0, 0.0)
    generator = torch.Generator().manual_seed(_SEED)
    weights = torch.randn(len(values), generator=generator, dtype=torch.float64)
    root = math.sqrt(max(len(values), 1))
    return Print(on=on, size=float(values.norm()) / root, projection=float(values @ weights) / root)
