"""Operators of a reference that no set of inputs tells from nothing: a candidate without them would pass.

Each operator is left out once: its first argument takes the place of a result of the same shape and type, zeros that of
any other. One whose absence changes no output of any set by more than a candidate may be off is untested.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

from kbtools_plugins.verify.protocol.operators import base_name, is_allowed
from kbtools_plugins.verify.protocol.reference import InputSet
from kbtools_plugins.verify.worker.reference.module import ReferenceModule
from kbtools_plugins.verify.worker.tensors import Inputs, clone_tree, decode

_MOST_ELEMENTS = 2**23
"""Of all inputs of all forwards: operators after that are taken to be tested."""
_TOLERANCE = 1e-4
Operator = tuple[int, str]
"""Its number among those of a forward that compute, and its name."""


class _Without(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Leaves one operator out, by its number among those that compute; counts them."""

    def __init__(self, left_out: int = -1) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._left_out = left_out
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        if is_allowed(str(func), (), False):
            return func(*args, **(kwargs or {}))
        self.names.append(base_name(str(func)))
        if len(self.names) - 1 != self._left_out:
            return func(*args, **(kwargs or {}))
        if func._schema.is_mutable:
            return args[0]
        result = func(*args, **(kwargs or {}))
        return tree_map_only(torch.Tensor, lambda tensor: _instead(tensor, args), result)


def _instead(result: torch.Tensor, args: Any) -> torch.Tensor:
    given = next((leaf for leaf in tree_flatten(args)[0] if isinstance(leaf, torch.Tensor)), None)
    same = given is not None and (given.shape, given.dtype) == (result.shape, result.dtype)
    return given.clone() if given is not None and same else torch.zeros_like(result)


def untested(module: ReferenceModule, mode: str, sets: list[InputSet]) -> list[Operator]:
    """Those that can be left out, in the order of a forward."""
    given: list[Inputs] = [decode(found.inputs) for found in sets]
    return Search(module, mode).hidden(list(enumerate(operators(module, mode, given[0]))), given)


def operators(module: ReferenceModule, mode: str, inputs: Inputs) -> list[str]:
    """The operators of a forward that compute."""
    counted = _Without()
    with counted:
        module.forward(mode, clone_tree(inputs))
    return counted.names


class Search:
    """For operators that inputs do not tell from nothing; of one module in one mode, as far as time allows."""

    def __init__(self, module: ReferenceModule, mode: str) -> None:
        self._module, self._mode = module, mode
        self._left = _MOST_ELEMENTS

    def hidden(
        self, among: Iterable[Operator], given: list[Inputs], changed: ReferenceModule | None = None
    ) -> list[Operator]:
        """Those that none of the inputs show, where the module is the `changed` one."""
        module = changed or self._module
        expected = [_floats(module.forward(self._mode, clone_tree(inputs))) for inputs in given]
        size = sum(leaf.numel() for leaf in tree_flatten(given[0])[0] if isinstance(leaf, torch.Tensor))
        return [one for one in among if not self._shows(module, one[0], zip(given, expected, strict=True), size)]

    @property
    def over(self) -> bool:
        """Whether there is no time for more."""
        return self._left < 0

    def _shows(
        self, module: ReferenceModule, number: int, sets: Iterable[tuple[Inputs, list[torch.Tensor]]], size: int
    ) -> bool:
        for inputs, true in sets:
            self._left -= max(1, size)
            if self._left < 0 or not _alike(_outputs_without(module, self._mode, inputs, number), true):
                return True
        return False


def _outputs_without(module: ReferenceModule, mode: str, inputs: Inputs, number: int) -> list[torch.Tensor]:
    """Nothing where the forward does not go on without the operator: then it matters."""
    try:
        with _Without(number):
            return _floats(module.forward(mode, clone_tree(inputs)))
    except Exception:  # noqa: BLE001 - a forward that fails has been changed
        return []


def _floats(outputs: object) -> list[torch.Tensor]:
    return [leaf.double() for leaf in tree_flatten(outputs)[0] if isinstance(leaf, torch.Tensor)]


def _alike(got: list[torch.Tensor], true: list[torch.Tensor]) -> bool:
    if [one.shape for one in got] != [one.shape for one in true]:
        return False
    return all(map(_close, got, true))


def _close(got: torch.Tensor, true: torch.Tensor) -> bool:
    scale = float(true.nan_to_num(0.0, 0.0, 0.0).square().mean().sqrt()) if true.numel() else 0.0
    return torch.allclose(got, true, rtol=_TOLERANCE, atol=_TOLERANCE * scale, equal_nan=True)
