"""What inputs keep each time they are made: all of them, or that some elements are equal.

The halves of a rotation, a symmetric matrix, a copied row: a candidate may use that they are, so other values keep it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kbtools_plugins.verify.worker.reference.state import equal
from kbtools_plugins.verify.worker.tensors import Inputs, tensors_in

_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
_FEW_VALUES = 16
"""So many are a mask or a constant, whose elements only look alike."""

_MOST_PLACES = 2**22
"""In anything that inputs are places in."""


@dataclass(frozen=True)
class Kept:
    """Of one tensor that was made twice."""

    fixed: bool
    """Whether it was the same both times."""
    tied: torch.Tensor | None
    """For each element the number of its group; None where no elements are tied."""
    ends: tuple[int, int] | None = None
    """Of integers that are drawn and may be equal, the smallest and the largest of all that were made."""

    def drawn(self, like: torch.Tensor) -> torch.Tensor:
        """Random numbers from 0 to 1 in the shape of the tensor, the same one for tied elements."""
        if self.tied is None:
            return torch.rand(like.shape)
        return torch.rand(int(self.tied.max()) + 1)[self.tied]


def alike(fixed: torch.Tensor) -> Kept:
    """Of a tensor that is the same each time."""
    return Kept(fixed=True, tied=_ties(fixed, fixed))


def kept(first: Inputs, *others: Inputs) -> list[Kept]:
    """Of each tensor among inputs that were made twice or more often, as far as it has elements."""
    made = zip(tensors_in(first), *map(tensors_in, others), strict=True)
    return [Kept(equal(one, more[0]), _ties(one, more[0]), _ends([one, *more])) for one, *more in made if one.numel()]


def are_distinct(tensor: torch.Tensor) -> bool:
    """Whether no two elements are equal, as with places that are written to; larger numbers may be so by chance."""
    values = set(tensor.flatten().tolist())
    return len(values) == tensor.numel() and (not values or max(values) < _MOST_PLACES)


def _ends(made: list[torch.Tensor]) -> tuple[int, int] | None:
    one = made[0]
    if one.dtype not in _WHOLE or all(map(are_distinct, made)) or equal(one, made[1]):
        return None
    return min(int(tensor.min()) for tensor in made), max(int(tensor.max()) for tensor in made)


def _ties(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor | None:
    """Tied are floating elements that are of one size both times, whatever their signs."""
    if not one.is_floating_point() or one.numel() <= _FEW_VALUES or one.shape != other.shape:
        return None
    bits = [tensor.detach().float().abs().flatten().contiguous().view(torch.int32).long() for tensor in (one, other)]
    groups, numbers = torch.unique(bits[0] << 32 | bits[1], return_inverse=True)
    return numbers.view(one.shape) if _FEW_VALUES < groups.numel() < one.numel() else None
