"""Which strides a reference promises: those that its code asks for by a memory format, not those that a view has left.

`.contiguous()`, `.clone(memory_format=...)`, `.to(memory_format=...)` ask for a layout; where channels_last was asked
for anywhere, an output that has it got it on purpose. The strides of `x.t()` are an accident that nobody relies on.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from kbtools_plugins.verify.worker.tensors import Inputs


def laid_out_as(first: Inputs, inputs: Inputs) -> Inputs:
    """Tensors in the memory layout of the first inputs, with whose strides launches are recorded."""
    leaves, spec = tree_flatten(inputs)
    laid_out = [_laid_out(known, leaf) for known, leaf in zip(tree_flatten(first)[0], leaves, strict=True)]
    return tuple(tree_unflatten(laid_out, spec))


def _laid_out(known: object, leaf: object) -> object:
    if not (isinstance(known, torch.Tensor) and isinstance(leaf, torch.Tensor)):
        return leaf
    if known.shape != leaf.shape or known.stride() == leaf.stride():
        return leaf
    return torch.empty_like(known, dtype=leaf.dtype).copy_(leaf)


_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


class Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The operators that a forward uses, and the memory whose layout one of them was told."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()
        self._asked: set[int] = set()
        self._kept: list[torch.UntypedStorage] = []  # memory that is freed could come back as another's
        self._channels_last = False

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        self.names.add(str(func))
        result = func(*args, **(kwargs or {}))
        wanted = (kwargs or {}).get("memory_format")
        if wanted not in (None, torch.preserve_format) and isinstance(result, torch.Tensor):
            self._kept.append(result.untyped_storage())
            self._asked.add(self._kept[-1]._cdata)
            self._channels_last |= wanted in _CHANNELS_LAST.values()
        return result

    def promised(self, outputs: object) -> list[bool]:
        """For each tensor of the outputs, whether its strides were asked for."""
        return [self._promises(leaf) for leaf in tree_flatten(outputs)[0] if isinstance(leaf, torch.Tensor)]

    def _promises(self, tensor: torch.Tensor) -> bool:
        if tensor.untyped_storage()._cdata in self._asked:
            return True
        wanted = _CHANNELS_LAST.get(tensor.dim())
        return self._channels_last and wanted is not None and tensor.is_contiguous(memory_format=wanted)
