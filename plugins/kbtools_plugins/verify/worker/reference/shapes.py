"""Inputs whose shapes are drawn, too: the same shapes are had again with other values.

A shape is drawn as a number of Python's or as a tensor of one element; values are drawn as larger tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten


class SingleDraws(TorchFunctionMode):
    """Draws tensors of one element from a sequence of their own, which follows from this seed."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._own = torch.Generator().manual_seed(seed).get_state()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        before = torch.default_generator.get_state()
        result = func(*args, **(kwargs or {}))
        single = isinstance(result, torch.Tensor) and result.numel() == 1
        if not single or torch.equal(before, torch.default_generator.get_state()):
            return result
        torch.default_generator.set_state(self._own)
        result = func(*args, **(kwargs or {}))
        self._own = torch.default_generator.get_state()
        torch.default_generator.set_state(before)
        return result


def forms(inputs: Any) -> list[tuple[int, ...]]:
    """The shapes of all tensors among them."""
    return [tuple(leaf.shape) for leaf in tree_flatten(inputs)[0] if isinstance(leaf, torch.Tensor)]
