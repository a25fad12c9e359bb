"""Other whole numbers than those that a reference's inputs hold: places in something, counts, lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from kbtools_plugins.verify.worker.reference.state import equal
from kbtools_plugins.verify.worker.reference.ties import are_distinct
from kbtools_plugins.verify.worker.tensors import Inputs

_SIGNED = (torch.int8, torch.int16, torch.int32, torch.int64)
_TRUTH_VALUES = 2
"""Integers of so many values are a mask: they are not made larger."""
_AT_THE_LARGE_END = 0.9


def counts(tensor: torch.Tensor) -> bool:
    """Whether integers are more than a mask."""
    return tensor.dtype in _SIGNED and len(set(tensor.flatten().tolist())) > _TRUTH_VALUES


def is_of_bytes(tensor: torch.Tensor) -> bool:
    """Whether integers are bytes of more values than a mask has."""
    return tensor.dtype in (torch.uint8, torch.int8) and len(set(tensor.flatten().tolist())) > _TRUTH_VALUES


def any_bytes(tensor: torch.Tensor) -> torch.Tensor:
    """All that a byte can be."""
    known = torch.iinfo(tensor.dtype)
    return torch.randint(known.min, known.max + 1, tensor.shape, dtype=tensor.dtype)


def is_one(tensor: torch.Tensor) -> bool:
    """Whether a tensor holds a single whole number: a position, a step, a length."""
    return tensor.numel() == 1 and tensor.dtype in (torch.uint8, *_SIGNED)


def next_to(tensor: torch.Tensor) -> list[Callable[[torch.Tensor], torch.Tensor]]:
    """What makes another number of a single one: one less, which is as good a place or length, else one more."""
    less = [lambda values: values - 1] if int(tensor) > 0 else []
    return [*less, lambda values: values + 1]


def bytes_at_ends(inputs: Inputs) -> Inputs | None:
    """All bytes as large as they come, some as small: sums of their products are then as large as any. None without."""
    leaves, spec = tree_flatten(inputs)
    changed = [
        at_ends(leaf, (torch.iinfo(leaf.dtype).min, torch.iinfo(leaf.dtype).max))
        if isinstance(leaf, torch.Tensor) and is_of_bytes(leaf)
        else leaf
        for leaf in leaves
    ]
    same = all(new is old for new, old in zip(changed, leaves, strict=True))
    return None if same else tuple(tree_unflatten(changed, spec))


def holds(tensor: torch.Tensor, size: int) -> bool:
    """Whether a type has all places in something of this size."""
    return size - 1 <= torch.iinfo(tensor.dtype).max


def far_off(tensor: torch.Tensor) -> torch.Tensor:
    """Numbers that no reference takes for places."""
    return torch.full_like(tensor, torch.iinfo(tensor.dtype).max // 2)


def drawn_below(size: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """What draws places in something of this size, all of them different where they are."""

    def drawn(values: torch.Tensor) -> torch.Tensor:
        if are_distinct(values) and size - int(values.min()) >= values.numel():
            return distinct(values, size)
        return torch.randint(int(values.min()), size, values.shape, dtype=values.dtype)

    return drawn


def distinct(values: torch.Tensor, size: int) -> torch.Tensor:
    """As many different ones below a size, as places are that are written to; in order if they are, unless all are
    taken."""
    least, count = int(values.min()), values.numel()
    made = (least + torch.randperm(size - least)[:count]).to(values.dtype)
    in_order = size - least > count and bool((values.flatten().diff() > 0).all())
    return (made.sort().values if in_order else made).view(values.shape)


def at_ends(tensor: torch.Tensor, ends: tuple[int, int]) -> torch.Tensor:
    """Nearly all as large as they come, the others as small; in order if they are."""
    made = torch.where(torch.rand(tensor.shape) < _AT_THE_LARGE_END, ends[1], ends[0]).to(tensor.dtype)
    flat = tensor.flatten()
    return made.flatten().sort().values.view(tensor.shape) if bool((flat.diff() >= 0).all()) else made


def are_lengths(
    tensor: torch.Tensor, most: int, sizes: Iterable[int], outputs: Callable[[torch.Tensor], object]
) -> bool:
    """Whether those beyond a size that they come near to are all as good as that size: nothing is that long."""
    near = [size for size in sizes if most <= size < 2 * most and holds(tensor, size + most + 1)]
    try:
        return any(equal(outputs(tensor + size), outputs(torch.full_like(tensor, size))) for size in near)
    except Exception:  # noqa: BLE001 - the reference need not take numbers beyond a size
        return False
