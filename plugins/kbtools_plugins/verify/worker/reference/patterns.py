"""Inputs whose elements say something together: in order, all equal, one far above the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from kbtools_plugins.verify.worker.reference.ties import Kept, are_distinct
from kbtools_plugins.verify.worker.tensors import Inputs, widely, widened


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
_SOME, _PART, _APART = 0.1, 0.25, (3, 16)
"""Shares of elements; how far beside a number one may lie, as negative powers of two of it."""


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


def around(thresholds: list[float], inputs: Inputs, habits: list[Kept], *, exactly: bool) -> list[Inputs | None]:
    """Floating numbers of which a quarter lies on, beside and far beyond those that kernels compare with: of both
    signs, of the signs that they have, and without the far ones. On them only where it is certain what is there."""
    ways = product((True, False), (2.0, 1.0)) if thresholds else ()
    return [_each(inputs, habits, _Around(thresholds, signs, far, exactly)) for signs, far in ways]


@dataclass(frozen=True)
class _Around:
    thresholds: list[float]
    signs: bool
    far: float
    exactly: bool

    def __call__(self, tensor: torch.Tensor, stays: Kept) -> torch.Tensor:
        if not tensor.is_floating_point() or stays.tied is not None:
            return tensor
        most = torch.finfo(tensor.dtype).max / 4
        known = torch.tensor([value for value in self.thresholds if value < most], dtype=torch.float64)
        return widely(lambda values: self._replaced(values, known), tensor) if known.numel() else tensor

    def _replaced(self, values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        drawn = known[torch.randint(known.numel(), values.shape)]
        where = torch.rand(values.shape)
        apart = 2.0 ** -torch.randint(*_APART, values.shape)
        beside = drawn * (1 + apart * (2 * torch.rand(values.shape) - 1))
        there = torch.where((where < 1 / 3) & self.exactly, drawn, beside)
        there = torch.where(where > 2 / 3, self.far * beside, there)
        below = torch.rand(values.shape) < 1 / 2 if self.signs else values < 0
        there = torch.where(below, -there, there).to(values.dtype)
        return torch.where(torch.rand(values.shape) < _PART, there, values)


def some_smaller(inputs: Inputs, habits: list[Kept]) -> Inputs | None:
    """A few floating elements are smaller, but the first and the last, by which a tensor is known most easily."""
    return _each(inputs, habits, _some_smaller)


def _some_smaller(tensor: torch.Tensor, stays: Kept) -> torch.Tensor:
    if not tensor.is_floating_point() or stays.tied is not None:
        return tensor
    few = torch.rand(tensor.numel()) < _SOME
    few[:1] = few[-1:] = False
    return widely(lambda values: torch.where(few.view(values.shape), values / 2, values), tensor)


def whole_rows(inputs: Inputs) -> Inputs | None:
    """Truth values, and zeros and ones that may be some, of which a quarter of the rows is false throughout and a
    quarter true: a mask that hides all of a row leaves nothing to choose from. None without any."""
    leaves, spec = tree_flatten(inputs)
    changed = [_in_whole_rows(leaf) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    if all(new is old for new, old in zip(changed, leaves, strict=True)):
        return None
    return tuple(tree_unflatten(changed, spec))


def _in_whole_rows(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.numel() <= 1 or tensor.is_complex():
        return tensor
    length = next(size for size in reversed(tensor.shape) if size > 1)
    rows = tensor.reshape(-1, length)
    if tensor.dtype != torch.bool and not _may_be_a_mask(rows):
        return tensor
    drawn = torch.rand(len(rows), 1)
    none, every = (drawn < _PART) | (drawn == drawn.min()), drawn > 1 - _PART
    return torch.where(none, 0, torch.where(every, 1, rows)).to(tensor.dtype).view(tensor.shape)


def _may_be_a_mask(rows: torch.Tensor) -> bool:
    """Whether rows hold zeros and ones, not equally many each, as those that name a class do."""
    wide = widened(rows)
    sums = wide.sum(dim=1)
    return bool(((wide == 0) | (wide == 1)).all()) and bool(sums.min() < sums.max())


def _swinging(values: torch.Tensor) -> torch.Tensor:
    values = values.abs().sort().values
    values[1::2].neg_()
    return values
