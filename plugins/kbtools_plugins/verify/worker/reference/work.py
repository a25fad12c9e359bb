"""How large what a reference works on is, as far as its outputs need it: what torch may finish is measured by that.

A sum over a part of an input is all of the work where the rest of it is needed for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kbtools_plugins.verify.protocol.operators import ALLOWED, base_name, is_allowed
from kbtools_plugins.verify.protocol.reference import WorkSize
from kbtools_plugins.verify.worker.tensors import Inputs, memory_of, tensors_in

_TAKING = frozenset({"index", "index_select", "gather", "embedding", "take", "masked_select"})
"""Operators that need as many elements as they give."""
_VIEWS = ALLOWED["view"][1]


@dataclass(frozen=True)
class _Step:
    name: str
    moves: bool
    pointwise: bool
    given: list[torch.Tensor]
    made: list[torch.Tensor]


class _WorkSteps(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps the operators of a forward, with their tensors so that no number of one comes back as another's."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[_Step] = []

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        result = func(*args, **(kwargs or {}))
        name = str(func)
        if base_name(name) in _VIEWS:
            return result
        moves = is_allowed(name, (), False) or base_name(name) in _TAKING
        pointwise = torch.Tag.pointwise in func.tags
        self.found.append(_Step(name, moves, pointwise, tensors_in((args, kwargs)), tensors_in(result)))
        return result


def work_size(forward: Any, inputs: Inputs) -> WorkSize:
    """The largest that an operator works on, beside the largest input: of those that put elements together, and of
    all."""
    with _WorkSteps() as seen:
        outputs = tensors_in(forward(*inputs))
    largest = max((tensor.numel() for tensor in tensors_in(inputs)), default=0)
    sizes = list(_needed(seen.found, outputs))
    together = max((size for step, size in sizes if not step.pointwise), default=0.0)
    whole = max((size for _, size in sizes), default=0.0)
    if not largest or not whole:
        return WorkSize()
    return WorkSize(together=min(1.0, (together or whole) / largest), whole=min(1.0, whole / largest))


def multiplications(forward: Any, inputs: Inputs) -> int:
    """How many numbers the matrix products and convolutions of a forward multiply."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counted:
        forward(*inputs)
    return int(counted.get_total_flops()) // 2


def _needed(steps: list[_Step], outputs: list[torch.Tensor]) -> Iterator[tuple[_Step, float]]:
    """For each operator that computes how many elements of its largest operand are needed, the last one first."""
    share: dict[int, float] = {}  # of the elements of each memory
    for tensor in outputs:
        _need(share, tensor, tensor.numel())
    for step in reversed(steps):
        needed = max((_needed_of(share, tensor) for tensor in step.made), default=0.0)
        elements = needed * max((tensor.numel() for tensor in step.made), default=0)
        for tensor in step.given:
            _need(share, tensor, elements if step.moves else needed * tensor.numel())
        if needed and not step.moves:
            yield step, max((needed * tensor.numel() for tensor in step.given), default=0.0)


def _needed_of(share: dict[int, float], tensor: torch.Tensor) -> float:
    """The share of a result's elements that is needed; a loss lies in memory that holds far more."""
    return min(1.0, share.get(memory_of(tensor), 0.0) * _held(tensor) / max(1, tensor.numel()))


def _need(share: dict[int, float], tensor: torch.Tensor, elements: float) -> None:
    """So many elements of a tensor are needed, beside those of its memory that are needed already."""
    share[memory_of(tensor)] = min(1.0, share.get(memory_of(tensor), 0.0) + elements / _held(tensor))


def _held(tensor: torch.Tensor) -> int:
    """How many elements a tensor's memory holds."""
    return max(1, tensor.untyped_storage().nbytes() // tensor.itemsize)
