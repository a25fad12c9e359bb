"""The state of a reference's module: moved off its initial values, and which of its buffers a forward updates.

A bias of zeros or a running mean of zeros says nothing about whether a candidate uses it. So what training would change
(parameters, and floating buffers that a forward updates) is moved before anything is compared; also what is saved with
the module and holds nothing but zeros or ones yet, as weights of classes and statistics of others do.
"""

from __future__ import annotations

import copy
import itertools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from kbtools_plugins.verify.worker.tensors import all_finite, widened

Forward = Callable[[torch.nn.Module], Any]
"""One forward in some mode on inputs of its own; may change the module."""
_EMPTY = (OrderedDict, set)
_TURNED = 0.25
"""The share of truth values that are turned round."""


def moved(
    module: torch.nn.Module, updated: set[str], seed: int, forwards: list[Forward], *, settings: bool = True
) -> torch.nn.Module:
    """A copy whose trainable parameters and updated floating buffers differ; the module itself if that breaks it.

    Parameters that all have one sign, as ones and zeros do, get both if the module works with such. With `settings`
    single whole numbers may say what the module does, and stay.
    """
    for initial, both_signs in itertools.product((True, False), repeat=2):
        other = _moved(module, updated, seed, both_signs=both_signs, initial=initial)
        if initial and not settings:
            _count_from_one(other, updated)
        if all(_works(other, forward) or not _works(module, forward) for forward in forwards):
            return other
    return module


def _moved(
    module: torch.nn.Module, updated: set[str], seed: int, *, both_signs: bool, initial: bool
) -> torch.nn.Module:
    other = copied(module)
    generator = torch.Generator().manual_seed(seed)
    trainable = [parameter for parameter in other.parameters() if parameter.requires_grad]
    learned = {id(parameter) for parameter in trainable}
    held = [(name, tensor) for name, tensor in other.state_dict(keep_vars=True).items() if id(tensor) not in learned]
    buffers = [tensor for name, tensor in held if name in updated or (initial and _is_initial(tensor))]
    for number, tensor in enumerate([*trainable, *buffers]):
        if not tensor.is_floating_point():
            continue
        first, second = torch.rand(2, *tensor.shape, generator=generator).to(tensor.dtype)
        one_sign = both_signs and number < len(trainable) and bool((tensor >= 0).all() | (tensor <= 0).all())
        tensor.mul_(1 + 0.1 * first).add_(0.1 * second)  # what is positive, as a variance is, stays so
        if one_sign:
            tensor.mul_(torch.rand(tensor.shape, generator=generator).sub(0.5).sign().to(tensor.dtype))
    for name, tensor in held if initial else ():
        if name in updated or tensor.is_floating_point() or not _is_initial(tensor):
            continue
        if tensor.dtype == torch.bool:
            tensor.logical_xor_(torch.rand(tensor.shape, generator=generator) < _TURNED)
        else:
            tensor.bitwise_xor_(torch.randint(2, tensor.shape, generator=generator).to(tensor.dtype))
    return other


def _count_from_one(module: torch.nn.Module, updated: set[str]) -> None:
    for name, tensor in module.state_dict().items():
        whole = not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool)
        if whole and name not in updated and tensor.numel() == 1 and not tensor.any():
            tensor.fill_(1)


def _is_initial(tensor: torch.Tensor) -> bool:
    """Whether elements are all zeros or all ones; a single truth value or whole number may be a setting."""
    counts = tensor.is_floating_point() or (not tensor.is_complex() and tensor.numel() > 1)
    return counts and tensor.numel() > 0 and bool((tensor == 0).all() | (tensor == 1).all())


def copied(module: torch.nn.Module) -> torch.nn.Module:
    """A deep copy. What is empty in every module, such as its hooks, is made anew: copying it takes two thirds."""
    empty = (held for part in module.modules() for held in vars(part).values() if type(held) in _EMPTY and not held)
    return copy.deepcopy(module, {id(held): type(held)() for held in empty})


def _works(module: torch.nn.Module, forward: Forward) -> bool:
    try:
        outputs = tree_flatten(forward(copied(module)))[0]
    except Exception:  # noqa: BLE001 - whatever it raises, such values are none that it takes
        return False
    return all(all_finite(leaf) for leaf in outputs if isinstance(leaf, torch.Tensor))


def changes(before: torch.nn.Module, after: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The entries of the state dict that differ, as they are afterwards."""
    old = before.state_dict()
    return {name: now for name, now in after.state_dict().items() if name in old and not equal(old[name], now)}


def matters(module: torch.nn.Module, name: str, updated: set[str], forwards: list[Forward]) -> bool:
    """Whether an output or another updated buffer depends on this one: a counter may count for nothing."""
    changed = copied(module)
    buffer = changed.state_dict()[name]
    buffer.copy_(~buffer if buffer.dtype == torch.bool else buffer + 1)
    others = sorted(updated - {name})
    try:
        return any(
            not equal(_effect(module, forward, others), _effect(changed, forward, others)) for forward in forwards
        )
    except Exception:  # noqa: BLE001 - a value that makes the reference fail is one that it uses
        return True


def _effect(module: torch.nn.Module, forward: Forward, buffers: list[str]) -> object:
    used = copied(module)
    outputs = forward(used)
    return outputs, [used.state_dict()[name] for name in buffers]


def keeps_other_state(module: torch.nn.Module, forward: Forward) -> bool:
    """Whether a second forward gives something else although the state dict was put back."""
    used = copied(module)
    first = forward(used)
    used.load_state_dict(copy.deepcopy(module.state_dict()))
    return not equal(first, forward(used))


def equal(one: Any, other: Any) -> bool:
    """Whether two structures hold the same values; NaN equals NaN."""
    ones, others = tree_flatten(one)[0], tree_flatten(other)[0]
    return len(ones) == len(others) and all(
        _equal_tensors(a, b) if isinstance(a, torch.Tensor) else bool(a == b) for a, b in zip(ones, others, strict=True)
    )


def _equal_tensors(one: torch.Tensor, other: torch.Tensor) -> bool:
    with torch._C.DisableTorchFunction():
        return torch.equal(torch.nan_to_num(widened(one)), torch.nan_to_num(widened(other)))
