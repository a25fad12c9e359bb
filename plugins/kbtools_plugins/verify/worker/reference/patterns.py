"""Inputs whose elements say something together: in order, all equal, one far above the rest."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from kbtools_plugins.verify.worker.reference.ties import Kept, are_distinct
from kbtools_plugins.verify.worker.tensors import Inputs, widely


def structured(inputs: Inputs, habits: list[Kept], signs: bool = False) -> Inputs | None:
    """Numbers in order, and integers that may be equal all equal: what is evenly spread hides limits and samples.

    `habits` say what each tensor keeps. With `signs` sizes are in order, and every other number is negative.
    """
    return _each(inputs, habits, partial(_in_order, signs=signs))


def _each(inputs: Inputs, habits: list[Kept], change: Callable[[torch.Tensor, Kept], torch.Tensor]) -> Inputs | None:
    """The change made to each tensor; None where it leaves all as they are."""
    leaves, spec = tree_flatten(inputs)
    each = iter(habits)
    changed = [change(leaf, next(each)) if isinstance(leaf, torch.Tensor) and leaf.numel() else leaf for leaf in leaves]
    if all(new is old for new, old in zip(changed, leaves, strict=True)):
        return None
    return tuple(tree_unflatten(changed, spec))


def _in_order(tensor: torch.Tensor, stays: Kept, signs: bool) -> torch.Tensor:
    flat = tensor.flatten()
    if stays.tied is not None or flat.numel() == 1:
        return tensor
    if tensor.is_floating_point():
        return widely(_swinging if signs else lambda values: values.sort().values, flat).view(tensor.shape)
    if tensor.dtype == torch.bool or tensor.is_complex() or are_distinct(tensor):
        return tensor
    return flat[:1].expand(flat.numel()).clone().view(tensor.shape)


_LOUD, _QUIET, _FEW = 8.0, 0.1, 16


def outliers(inputs: Inputs, habits: list[Kept], *, signs: bool) -> Inputs | None:
    """In each row one number far above all others, in the first two the last and the first one: what is left out of a
    maximum, a sum of exponentials or a question whether any is so large hides behind the others elsewhere. With `signs`
    it is as far below them in every other pair of rows."""
    return _each(inputs, habits, partial(_with_outliers, signs=signs))


def _with_outliers(tensor: torch.Tensor, stays: Kept, signs: bool) -> torch.Tensor:
    if not tensor.is_floating_point() or stays.tied is not None or tensor.dim() == 0 or tensor.shape[-1] <= _FEW:
        return tensor
    rows = tensor[..., :1].numel()
    places = torch.randint(tensor.shape[-1], (rows, 1))
    places[:4] = torch.tensor([[tensor.shape[-1] - 1], [0]]).repeat(2, 1)[:rows]
    loud = torch.full((rows, 1), _LOUD)
    if signs:
        loud[2::4], loud[3::4] = -_LOUD, -_LOUD

    def change(values: torch.Tensor) -> torch.Tensor:
        return (values * _QUIET).reshape(rows, -1).scatter(1, places, loud.to(values.dtype)).view(values.shape)

    return widely(change, tensor)


def _swinging(values: torch.Tensor) -> torch.Tensor:
    values = values.abs().sort().values
    values[1::2].neg_()
    return values
