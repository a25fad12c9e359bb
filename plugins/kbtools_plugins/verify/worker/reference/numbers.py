"""Other plain numbers than those that `get_inputs()` gives, which a candidate may know."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from kbtools_plugins.verify.worker.tensors import Inputs, clone_tree, tensors_in

_INSTEAD_OF_ZERO = 0.5


def other_numbers(whole: frozenset[int], inputs: Inputs) -> Inputs | None:
    """Numbers with a fraction three quarters as large, zeros and whole ones at these places larger."""
    leaves, spec = tree_flatten(inputs)
    changed = [
        _larger(leaf) if number in whole else 0.75 * leaf if isinstance(leaf, float) else leaf
        for number, leaf in enumerate(leaves)
    ]
    if not whole and not any(isinstance(leaf, float) and leaf for leaf in leaves):
        return None
    return tuple(tree_unflatten(changed, spec))


def fixed(whole: frozenset[int], inputs: Inputs) -> list[str]:
    """Numbers, truth values and texts among inputs that have no others: nobody sees what is done with others."""
    leaves = enumerate(tree_flatten(inputs)[0])
    settings = ((at, leaf) for at, leaf in leaves if isinstance(leaf, int | str) or (type(leaf) is float and not leaf))
    return [f"input {at} ({leaf!r:.40})" for at, leaf in settings if at not in whole]


def computed_with(forward: Callable[[Inputs], object], inputs: Inputs) -> frozenset[int]:
    """The places of whole numbers and zeros that a forward computes with: with others it does the same to tensors of
    the same shapes, so that they choose no dimension, no size and no course, and nothing is drawn by them."""
    leaves, spec = tree_flatten(inputs)
    places = [number for number, leaf in enumerate(leaves) if type(leaf) is int or (type(leaf) is float and not leaf)]
    if not places:
        return frozenset()
    known = _course(forward, inputs)
    return frozenset(
        place
        for place in places
        if known
        and _course(
            forward, tree_unflatten([_larger(leaf) if at == place else leaf for at, leaf in enumerate(leaves)], spec)
        )
        == known
    )


def _larger(number: float) -> float:
    return number + 1 if type(number) is int else number + _INSTEAD_OF_ZERO


def _course(forward: Callable[[Inputs], object], inputs: Inputs) -> list[object] | None:
    seen = _Course()
    try:
        with seen:
            forward(clone_tree(inputs))
    except Exception:  # noqa: BLE001 - the reference need not take such a number
        return None
    return None if seen.draws else seen.steps


_COMPUTED = re.compile("number|Tensor")
"""Kinds of arguments that an operator computes with; all others say what it does."""


class _Course(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down what a forward does, but for the numbers that it computes with."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.steps: list[object] = []
        self.draws = False
        """Whether it draws random numbers."""

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        kwargs = kwargs or {}
        self.draws |= torch.Tag.nondeterministic_seeded in func.tags
        result = func(*args, **kwargs)
        asked = func._schema.arguments
        given = [*zip(asked, args, strict=False), *((one, kwargs[one.name]) for one in asked if one.name in kwargs)]
        plain = [
            repr(value) for one, value in given if not _COMPUTED.search(str(one.type)) and type(value) is not float
        ]
        self.steps.append((str(func), plain, [list(tensor.shape) for tensor in tensors_in((args, kwargs, result))]))
        return result
