"""What a reference gives if its matrix products are those of tensor cores: float32 operands keep ten bits (tf32).

Triton's `tl.dot` computes so unless it is told otherwise. How far that moves the reference's own outputs is how far a
candidate's may be off.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.worker.tensors import Inputs, clone_tree, encode

_PRODUCTS = frozenset(
    {"mm", "bmm", "addmm", "baddbmm", "addbmm", "mv", "addmv", "dot", "linear", "convolution", "_convolution"}
)
_LOST_BITS = 13


def is_product(name: str) -> bool:
    """Whether an operator of this name is one that tensor cores compute."""
    return name in _PRODUCTS or "scaled_dot_product" in name


class TensorCores(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Cuts the operands of matrix products down to tf32; `used` says whether there were any."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.used = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func).removeprefix("aten.").partition(".")[0]
        if is_product(name):
            args, kwargs = tree_map_only(torch.Tensor, self._cut, (args, kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _cut(self, operand: torch.Tensor) -> torch.Tensor:
        if operand.dtype != torch.float32:
            return operand
        self.used = True
        bits = operand.contiguous().view(torch.int32)
        return (bits & -(1 << _LOST_BITS)).view(torch.float32).reshape(operand.shape)


def by_tensor_cores(module: Any, inputs: Inputs) -> Tree:
    """What a call gives where matrix products are those of tensor cores; None where there are none."""
    with TensorCores() as cores:
        outputs = module(*clone_tree(inputs))
    return encode(outputs) if cores.used else None
