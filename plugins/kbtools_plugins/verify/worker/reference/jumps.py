"""Inputs at which a reference's functions jump: ties of a rounding, zeros of a sign, thresholds that are met exactly.

Random numbers never lie there. Inputs are put on a grid, and some of them onto the thresholds that the
reference compares with, or beside them. Such a set counts only where everything on the way to the jump is exact, in
whatever order it is computed: then each honest kernel meets the jump at the same place. What is compared as it was
given is exact, whatever the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kbtools_plugins.verify.worker.tensors import Inputs, tensors_in, widened

_ROUNDING = frozenset({"round", "floor", "ceil", "trunc", "frac"})
_DIVIDING = frozenset({"div", "floor_divide", "remainder", "fmod"})
COMPARING = frozenset({"gt", "ge", "lt", "le", "eq", "ne", "sign", "sgn", "heaviside", "threshold", "hardshrink"})
_RANKING = frozenset(
    """
    argmax argmin sort argsort topk kthvalue median nanmedian mode cummax cummin max_pool2d_with_indices
    max_pool3d_with_indices adaptive_max_pool2d unique _unique2 unique_dim searchsorted bucketize
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
"""Which of equal numbers comes first nobody says."""
_MULTIPLYING = frozenset({"prod", "cumprod"})
"""Where a zero hides all other factors, and products beside it that grow beyond all numbers."""
_GRID, _MOST = 2.0**10, 2.0**12
"""Numbers of so many parts of one, no larger than this, are exact in float32, and so are their sums and products."""
_ON_A_THRESHOLD = 0.25
_APART = (7, 24)
"""How far beside a threshold a number may lie, as negative powers of two of it."""
_FINEST = 6
"""Numbers are made multiples of a half, a quarter and so on: functions jump at halves of what they are scaled to."""


class Jumps(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Watches a forward for functions of floating numbers that jump."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        exact = [tensor for tensor in tensors_in(inputs) if tensor.dtype == torch.float32]
        self._given = {tensor.untyped_storage()._cdata for tensor in exact}
        self.thresholds: set[float] = set()
        """Numbers that something is compared with."""
        self.found = False
        self.equates = False
        """Whether tensors are compared with each other."""
        self.orders = False
        """Whether numbers are put in order, or the largest of them are chosen."""
        self.chooses = False
        """Whether it is computed with the places of those that come first."""
        self.shows = False
        """Whether these places are returned."""
        self.multiplies = False
        self.exact = True
        """Whether all that was computed before the last jump lies on a coarse grid."""
        self._still = True
        self._ranks: dict[int, torch.Tensor] = {}
        """Places of numbers that were ranked, by their memory; kept alive."""

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        name = str(func).removeprefix("aten.").partition(".")[0].removesuffix("_")
        kwargs = kwargs or {}
        self.chooses |= any(tensor.untyped_storage()._cdata in self._ranks for tensor in tensors_in((args, kwargs)))
        self.multiplies |= name in _MULTIPLYING
        if _jumps(name, args, kwargs):
            self.found = True
            self.equates |= name in COMPARING and len(tensors_in(args)) > 1
            self.thresholds |= {
                number for item in args[1:2] if isinstance(item, int | float) for number in (item, -item)
            }
            certain = self._still and _is_certain(name, args) and all(map(_on_grid, tensors_in(args)))
            self.exact &= certain or self._compares_as_given(name, args)
        result = func(*args, **kwargs)
        if name in _RANKING or (name in ("max", "min") and len(args) > 1):
            self.orders = True
            self._ranks |= {
                one.untyped_storage()._cdata: one for one in tensors_in(result) if not one.is_floating_point()
            }
        if func._schema.is_mutable:
            self._given -= {tensor.untyped_storage()._cdata for tensor in tensors_in((args, kwargs))}
        if self._still and "empty" not in name:
            self._still = _is_certain(name, args) and all(map(_on_grid, tensors_in(result)))
        return result

    @property
    def ranks(self) -> bool:
        """Whether it matters which of equal numbers comes first."""
        return self.chooses or self.shows

    def returned(self, outputs: object) -> None:
        """The forward gives these."""
        self.shows |= any(tensor.untyped_storage()._cdata in self._ranks for tensor in tensors_in(outputs))

    def _compares_as_given(self, name: str, args: Any) -> bool:
        """Whether an input, as it is, is compared with a number."""
        tensors = tensors_in(args)
        numbers = len(tensors) == 1 and len(args) > 1
        return name in COMPARING and numbers and tensors[0].untyped_storage()._cdata in self._given


def _jumps(name: str, args: Any, kwargs: dict[str, Any]) -> bool:
    if not any(tensor.is_floating_point() for tensor in tensors_in(args)):
        return False
    if name == "_to_copy":
        kind = kwargs.get("dtype")
        return isinstance(kind, torch.dtype) and not (kind.is_floating_point or kind.is_complex)
    return name in _ROUNDING | COMPARING | _DIVIDING - {"div"} or bool(name == "div" and kwargs.get("rounding_mode"))


def _is_certain(name: str, args: Any) -> bool:
    """Whether an operator gives the same however it is computed: 0.1 is another number in each type, and a device
    divides by powers of two alone exactly."""
    if name in _DIVIDING and not (isinstance(args[1], int | float) and math.frexp(args[1])[0] in (0.5, -0.5)):
        return False
    return all(_on_grid(torch.tensor(item, dtype=torch.float64)) for item in args if isinstance(item, float))


def _on_grid(tensor: torch.Tensor) -> bool:
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    values = widened(tensor).double()
    parts = values * _GRID
    return bool(((parts == parts.round()) & (values.abs() <= _MOST)).all())


def onto(thresholds: Iterable[float], tensor: torch.Tensor, *, beside: bool = False) -> torch.Tensor:
    """Multiples of halves, quarters or smaller parts near the numbers, some of them replaced by thresholds; where those
    need not be on the grid, also by what lies `beside` one."""
    most = float(tensor.abs().max()) if tensor.numel() else 0.0
    parts = 2.0 ** torch.randint(1, _FINEST + 1, tensor.shape)
    parted = (tensor * max(1.0, 1.0 / max(most, 1e-3)) * parts).round() / parts + 0.0  # no zero with a sign
    kept = [value for value in thresholds if beside or _on_grid(torch.tensor(value, dtype=torch.float64))]
    if not kept:
        return parted
    known = torch.tensor(kept, dtype=torch.float32)
    drawn = known[torch.randint(known.numel(), tensor.shape)]
    if beside:
        apart = torch.randint(-1, 2, tensor.shape) * 2.0 ** -torch.randint(*_APART, tensor.shape)
        drawn = drawn * (1 + apart)
    drawn = drawn.to(tensor.dtype)
    return torch.where(torch.rand(tensor.shape) < _ON_A_THRESHOLD, drawn, parted)


def changes(seen: Jumps) -> list[Callable[[torch.Tensor], torch.Tensor]]:
    """What to make of floating inputs where a forward jumps, with zeros or without; nothing where it does not jump, or
    ranks equal numbers."""
    if not seen.found or seen.ranks:
        return []
    at_ties = partial(onto, sorted(seen.thresholds))
    beside = [partial(at_ties, beside=True)] if any(seen.thresholds) else []
    return [*beside, at_ties, lambda tensor: (found := at_ties(tensor)).where(found != 0, 1.0)]


def shared_ends(seen: Jumps) -> list[Callable[[torch.Tensor], torch.Tensor]]:
    """What makes numbers equal, several of them the largest and the smallest, where a forward compares tensors or puts
    numbers in order."""
    if seen.chooses or not (seen.equates or seen.orders):
        return []
    return [lambda tensor: onto([], tensor).clamp(-1.0, 1.0), lambda tensor: onto([], tensor).abs().clamp(max=1.0)]
