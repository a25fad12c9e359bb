"""What a forward computes that no candidate has to reproduce: integers of numbers that none can hold, exponentials of
arguments so large that a mask of -1e6 no longer hides what it is added to, an order of numbers that are equal, how far
numbers spread that are nearly equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kbtools_plugins.verify.worker.reference.tensor_cores import is_product
from kbtools_plugins.verify.worker.tensors import tensors_in

_EXPONENTIALS = {"_softmax", "_log_softmax", "_safe_softmax", "logsumexp", "exp", "exp2"}
_STEEPEST = 5_000.0
_LONGEST_STEP = 80.0
"""An exponential of what a softplus gives is how much of a state one step leaves: nothing after so long a step, which
float32 cannot hold the exponential of, nor where the step is multiplied by a rate beyond all."""
_NORMS = {"native_layer_norm", "native_group_norm", "native_batch_norm"}
"""Operators that give a mean and the reciprocal of a deviation beside their result."""
_FLATTEST = 400.0
"""How many times the square of a mean may be that of the deviations from it: the mean of the squares less the square of
the mean, as many kernels have it, loses as many times what float32 rounds off."""
FROM_THE_END = {"index", "index_put", "index_put_", "_unsafe_index", "take"}
"""Operators to which a negative integer is a place counted from the end, which no kernel has to know."""
_SOFTMAX = {"_softmax", "_log_softmax", "_safe_softmax"}
_MASKED = -1e4
"""What is no larger is a number that stands for nothing: how a row of nothing else is shared out nobody means."""
_RANKING = {"argmax", "argmin", "max", "min", "sort", "topk", "kthvalue", "median"}
_COMPARING_SIZES = {"lt", "le", "gt", "ge"}
_WITHOUT_END = 2**63 - 1
_WRITING = {
    "index_put", "index_put_", "_index_put_impl_", "scatter", "scatter_", "index_copy", "index_copy_",
}  # fmt: skip


class Extremes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Watches a forward; `undefined` and `steep` say what it met."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.undefined = False
        """Whether a number became an integer that its type cannot hold: each machine makes another one of it. Or
        whether two elements were written to one place, or what is no number was ranked: nobody says what comes of it.
        Or attention was paid to nothing: torch has given zeros for that since 2.5 alone."""
        self.steep = False
        """Whether an exponential had a larger argument than any that a program means."""
        self.tied = False
        """Whether some of the largest or smallest elements are equal: which of them comes first nobody says."""
        self.flat = False
        """Whether it was computed how far numbers spread that hardly do."""
        self.products = False
        """Whether there was a matrix product."""
        self.strays = 0
        """How often a part or an element was taken, or places were compared with a number, where that is negative or
        beyond the last place, which no length is; and how often a row was nothing but masked."""
        self._steps = self._long_step = self._lengths = False

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        name = str(func).removeprefix("aten.").partition(".")[0]
        self.products |= is_product(name)
        if name in _EXPONENTIALS:
            self.steep |= _largest(args[0]) > _STEEPEST
            if self._steps and name.startswith("exp"):
                self.steep |= self._long_step or _largest(-args[0]) > _STEEPEST
        elif "scaled_dot_product" in name:
            query, key = args[0].float(), args[1].float()
            scale = (kwargs or {}).get("scale") or query.shape[-1] ** -0.5
            self.steep |= _largest(query @ key.mT) * scale > _STEEPEST
            self.undefined |= any(map(_hides_a_row, tensors_in((args[3:], kwargs))))
        elif name == "softplus":
            self._steps = True
            self._long_step |= _largest(args[0]) > _LONGEST_STEP
        self.undefined |= name == "_safe_softmax" and _hides_a_row(args[0])
        self.strays += _strays(name, args)
        self._lengths |= name in _COMPARING_SIZES and any(_is_whole(one) and _are_places(one) for one in args)
        if name in _SOFTMAX and self._lengths and args[0].numel():
            self.strays += bool((args[0].amax(args[1]) <= _MASKED).any())
        result = func(*args, **(kwargs or {}))
        self.flat |= _is_flat(name, args, result)
        if name == "topk" and args[0].numel():
            self.tied |= _has_ties(args[0], args[1], *args[2:4])
        if name in _WRITING:
            self.undefined |= _writes_twice(name, args)
        if name in _RANKING:
            self.undefined |= args[0].is_floating_point() and bool(args[0].isnan().any())
        if name in ("_to_copy", "copy_") and isinstance(result, torch.Tensor):
            self.undefined |= not _holds(result.dtype, args[1] if name == "copy_" else args[0])
        return result


def _largest(values: torch.Tensor) -> float:
    return float(values.amax()) if values.numel() and values.is_floating_point() else 0.0


def _strays(name: str, args: Any) -> bool:
    """Whether a length, if this is about one, is none: a place is counted from the end."""
    if name in ("slice", "select"):
        size = args[0].shape[args[1]] if len(args) > 1 else 0
        return any(isinstance(to, int) and not (0 <= to <= size or to == _WITHOUT_END) for to in args[2:4])
    if name in FROM_THE_END:
        places = tensors_in(args[1])
        return any(bool((tensor < 0).any()) for tensor in places if _is_whole(tensor))
    if name not in _COMPARING_SIZES or not all(_is_whole(tensor) for tensor in args):
        return False
    return any(_leaves(places, lengths) for places, lengths in (args, args[::-1]) if _are_places(places))


def _is_whole(tensor: object) -> bool:
    return isinstance(tensor, torch.Tensor) and tensor.dtype in (torch.int32, torch.int64)


def _are_places(numbers: torch.Tensor) -> bool:
    """Whether they are 0, 1, 2 and so on."""
    count = numbers.numel()
    return 1 < count == max(numbers.shape) and bool((numbers.flatten() == torch.arange(count)).all())


def _leaves(places: torch.Tensor, lengths: torch.Tensor) -> bool:
    return bool(((lengths < 0) | (lengths > places.numel())).any())


def _hides_a_row(mask: torch.Tensor) -> bool:
    """Whether nothing is left in a row of what is added to scores, or of truth values."""
    hidden = ~mask if mask.dtype == torch.bool else mask == -torch.inf
    return mask.dim() > 0 and bool(hidden.all(dim=-1).any())


def _is_flat(name: str, args: Any, result: Any) -> bool:
    """Whether a deviation is computed, or what is left when a mean is taken off, that is far below the mean."""
    if name in _NORMS:
        mean, reciprocal = result[1:3]
        return _exceeds(mean, 1 / reciprocal)
    if not args or not isinstance(args[0], torch.Tensor) or not args[0].is_floating_point():
        return False
    if name in ("var", "std"):
        deviation = result if name == "std" else result.sqrt()
        return _exceeds(args[0].mean(args[1] if len(args) > 1 else None), deviation)
    whole, part = args[0], args[1] if name == "sub" else None
    if isinstance(part, torch.Tensor) and part.dim() == whole.dim() and part.numel() < whole.numel():
        dims = [at for at, size in enumerate(part.shape) if size == 1]
        return _exceeds(part, result.double().square().mean(dims, keepdim=True).sqrt())
    return False


def _exceeds(mean: torch.Tensor, deviation: torch.Tensor) -> bool:
    squares = [tensor.flatten().double().square() for tensor in (mean, deviation)]
    return bool((squares[0] > _FLATTEST * squares[1]).any())


def _has_ties(values: torch.Tensor, count: int, dim: int = -1, largest: bool = True) -> bool:
    """Whether equal ones are among the chosen, or one of them was left out."""
    if values.dim() == 0:
        return False
    chosen = values.topk(min(count + 1, values.shape[dim]), dim, largest).values
    return bool((chosen.diff(dim=dim) == 0).any())


def _writes_twice(name: str, args: Any) -> bool:
    """Whether different values go to one place."""
    if name.startswith(("index_put", "_index_put")):
        places = [item for item in args[1] if item is not None]
        if (len(args) > 3 and args[3]) or args[2].numel() <= 1 or any(item.dtype == torch.bool for item in places):
            return False
        rows = list(np.broadcast(*(item.numpy() for item in places)))
        return len(set(rows)) < len(rows)
    dim, index = args[1], args[2]
    if not isinstance(args[3], torch.Tensor) or args[3].numel() <= 1 or len(args) > 4:  # which says how they add up
        return False
    return bool((index.sort(dim).values.diff(dim=dim) == 0).any())


def _holds(dtype: torch.dtype, numbers: torch.Tensor) -> bool:
    """Whether a type has all these numbers, cut to whole ones."""
    if dtype.is_floating_point or dtype.is_complex or dtype == torch.bool or not numbers.is_floating_point():
        return True
    known = torch.iinfo(dtype)
    wide = numbers.double().trunc()
    return bool(((wide >= known.min) & (wide <= known.max)).all())
