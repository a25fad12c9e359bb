"""Other plain numbers than those that `get_inputs()` gives, which a candidate may know."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from kbtools_plugins.verify.worker.tensors import Inputs, clone_tree, tensors_in


def other_numbers(whole: frozenset[int], inputs: Inputs) -> Inputs | None:
    """Numbers with a fraction three quarters as large, and whole ones at these places larger by one."""
    leaves, spec = tree_flatten(inputs)
    changed = [
        0.75 * leaf if isinstance(leaf, float) else leaf + 1 if number in whole else leaf
        for number, leaf in enumerate(leaves)
    ]
    if not whole and not any(isinstance(leaf, float) and leaf for leaf in leaves):
        return None
    return tuple(tree_unflatten(changed, spec))


def computed_with(forward: Callable[[Inputs], object], inputs: Inputs) -> frozenset[int]:
    """The places of whole numbers that a forward computes with: with others it does the same to tensors of the same
    shapes, so that they choose no dimension, no size and no course."""
    leaves, spec = tree_flatten(inputs)
    places = [number for number, leaf in enumerate(leaves) if type(leaf) is int]
    if not places:
        return frozenset()
    known = _course(forward, inputs)
    return frozenset(
        place
        for place in places
        if _course(forward, tree_unflatten([leaf + 1 if at == place else leaf for at, leaf in enumerate(leaves)], spec))
        == known
    )


def _course(forward: Callable[[Inputs], object], inputs: Inputs) -> list[object] | None:
    seen = _Course()
    try:
        with seen:
            forward(clone_tree(inputs))
    except Exception:  # noqa: BLE001 - the reference need not take such a number
        return None
    return seen.steps


_COMPUTED = re.compile("number|Tensor")
"""Kinds of arguments that an operator computes with; all others say what it does."""


class _Course(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down what a forward does, but for the numbers that it computes with."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.steps: list[object] = []

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        asked = func._schema.arguments
        given = [*zip(asked, args, strict=False), *((one, kwargs[one.name]) for one in asked if one.name in kwargs)]
        plain = [
            repr(value) for one, value in given if not _COMPUTED.search(str(one.type)) and type(value) is not float
        ]
        self.steps.append((str(func), plain, [list(tensor.shape) for tensor in tensors_in((args, kwargs, result))]))
        return result
