"""A reference's forward where numbers are rounded otherwise: in float64, or each a few roundings off.

Where a function jumps, as rounding to whole numbers does, what lies within a rounding of the jump may go either way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from kbtools_plugins.verify.protocol.operators import base_name, is_allowed
from kbtools_plugins.verify.worker.reference import state as module_state
from kbtools_plugins.verify.worker.reference.jumps import COMPARING
from kbtools_plugins.verify.worker.tensors import Inputs, clone_tree, tensors_in

_TIMES = 8
_ROUNDINGS = torch.tensor([-12.0, -4.0, 4.0, 12.0])
"""How far numbers are moved; kernels that divide otherwise are two or three roundings off."""
_SPREADING, _SHIFT = 0x9E37_79B1, 40
"""Which way a number is moved follows from its bits alone."""
_SAME = 1e-4
_EXACT = frozenset(
    """
    abs neg relu max min amax amin aminmax maximum minimum clamp clamp_min clamp_max where masked_fill gather index
    index_select embedding take sort topk kthvalue median mode cummax cummin round floor ceil trunc sign sgn flip roll
    max_pool2d_with_indices max_pool3d_with_indices masked_select tril triu
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
"""Operators that give numbers which they are given, or whole ones."""


class Doubles(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """What is asked for as float32 is made as float64: integers that become floats are exact, too. A number that
    something is compared with stays the float32 that it is there."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        kwargs = kwargs or {}
        if kwargs.get("dtype") == torch.float32:
            kwargs = kwargs | {"dtype": torch.float64}
        if base_name(str(func)).removesuffix("_") in COMPARING and isinstance(args[1], float):
            args = (args[0], float(torch.tensor(args[1], dtype=torch.float32)), *args[2:])
        return func(*args, **kwargs)


def double(tensor: torch.Tensor) -> torch.Tensor:
    """Floating numbers as float64."""
    return tensor.double() if tensor.is_floating_point() else tensor


class _OtherwiseRounded(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Moves what is computed by some roundings up or down, but for whole numbers; equal ones stay equal."""

    def __init__(self, turn: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._turn = turn * _SPREADING & 0xFFFF_FFFF

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        result = func(*args, **(kwargs or {}))
        name = str(func)
        if is_allowed(name, (), False) or base_name(name) in _EXACT or func._schema.is_mutable:
            return result
        return tree_map_only(torch.Tensor, self._moved, result)

    def _moved(self, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dtype != torch.float32:
            return tensor
        bits = tensor.contiguous().view(torch.int32).reshape(tensor.shape).long()
        drawn = ((bits ^ self._turn) * _SPREADING >> _SHIFT) & 3
        moved = tensor * (1.0 + _ROUNDINGS[drawn] * torch.finfo(torch.float32).eps)
        return torch.where(tensor == tensor.round(), tensor, moved)


def roundings(used: Any, inputs: Inputs, plain: object) -> Iterator[object]:
    """What else a module, or a function, gives by other roundings."""
    for turn in range(_TIMES):
        again = module_state.copied(used) if isinstance(used, torch.nn.Module) else used
        with _OtherwiseRounded(turn):
            outputs = again(*clone_tree(inputs))
        if not all(map(_alike, tensors_in(outputs), tensors_in(plain))):
            yield outputs


def _alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    if not one.is_floating_point():
        return torch.equal(one, other)
    scale = float(other.float().square().mean().sqrt()) if other.numel() else 0.0
    return torch.allclose(one.float(), other.float(), rtol=_SAME, atol=_SAME * scale, equal_nan=True)
