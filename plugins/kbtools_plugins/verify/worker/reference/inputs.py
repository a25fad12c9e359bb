"""Other inputs made from a reference's own: other values, other scales, other shapes, other strides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from kbtools_plugins.verify.worker.reference.integers import (
    any_bytes,
    are_lengths,
    at_ends,
    counts,
    distinct,
    drawn_below,
    far_off,
    holds,
    is_of_bytes,
    is_one,
    next_to,
)
from kbtools_plugins.verify.worker.reference.state import equal
from kbtools_plugins.verify.worker.reference.ties import Kept, alike, are_distinct
from kbtools_plugins.verify.worker.tensors import Inputs, clone_tree, tensors_in, widely

Change = Callable[[torch.Tensor], torch.Tensor]
LARGE: dict[str, Change] = {
    "values of 1e3": lambda tensor: tensor * 1e3,
    "values of 100": lambda tensor: tensor * 100,
    "values of 30": lambda tensor: tensor * 30,
    "values of 10": lambda tensor: tensor * 10,
}
SCALES: list[dict[str, Change]] = [
    {"values of 1e-3": lambda tensor: tensor * 1e-3},
    LARGE,
    {"zeros": torch.zeros_like},
    {
        "negative values": lambda tensor: -tensor.abs(),
        "negative values, varied": lambda tensor: -tensor.abs() * (0.5 + torch.rand_like(tensor)),
    },
]
"""Changes of all inputs: of each line the first that the reference takes."""


def varied(tensor: torch.Tensor) -> torch.Tensor:
    """Other values of the same kind for inputs that `get_inputs()` fixes: signs, zeros and the set of integers stay."""
    if tensor.is_floating_point():
        return widely(lambda values: values * (0.5 + alike(tensor).drawn(values)), tensor)
    if counts(tensor) and are_distinct(tensor) and int(tensor.max() - tensor.min()) >= tensor.numel():
        return distinct(tensor, int(tensor.max()))
    if tensor.numel() > 1 and not tensor.is_complex():
        known = _between_extremes(tensor)
        return known[torch.randint(known.numel(), (tensor.numel(),))].view(tensor.shape)
    return tensor


def _between_extremes(tensor: torch.Tensor) -> torch.Tensor:
    """The elements between the smallest and the largest if these differ, else all: permuted, or drawn from all of
    them, integers would keep a maximum that a candidate may have read off its own inputs."""
    flat = tensor.flatten()
    if tensor.dtype == torch.bool:
        return flat
    inner = flat[(flat > flat.min()) & (flat < flat.max())]
    return inner if inner.numel() and bool(inner.min() < inner.max()) else flat


def with_plain_values_of(first: Inputs, other: Inputs) -> Inputs:
    """The other inputs' tensors with the first ones' numbers and strings: a trace is made for these."""
    ones, spec = tree_flatten(first)
    others = tree_flatten(other)[0]
    if [getattr(leaf, "shape", None) for leaf in ones] != [getattr(leaf, "shape", None) for leaf in others]:
        raise ValueError(
            "get_inputs() gives other shapes each time it is called; they must be the same for a comparison"
        )
    merged = [b if isinstance(b, torch.Tensor) else a for a, b in zip(ones, others, strict=True)]
    return tuple(torch.utils._pytree.tree_unflatten(merged, spec))


def other_booleans(inputs: Inputs) -> Inputs | None:
    """A quarter of the truth values turned round; None without any: a mask of ones tells nothing of its use."""
    leaves, spec = tree_flatten(inputs)
    changed = [
        leaf ^ some(leaf) if isinstance(leaf, torch.Tensor) and leaf.dtype == torch.bool and leaf.numel() else leaf
        for leaf in leaves
    ]
    if all(new is old for new, old in zip(changed, leaves, strict=True)):
        return None
    return tuple(torch.utils._pytree.tree_unflatten(changed, spec))


def map_floats(change: Change, inputs: Inputs | None) -> Inputs | None:
    leaves, spec = tree_flatten(inputs)
    if not any(isinstance(leaf, torch.Tensor) and leaf.is_floating_point() for leaf in leaves):
        return None
    changed = [
        widely(change, leaf) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf for leaf in leaves
    ]
    return tuple(torch.utils._pytree.tree_unflatten(changed, spec))


def _longer_batch(inputs: Inputs) -> Inputs | None:
    """One more row in every tensor whose first size is that of the first tensor."""
    leaves, spec = tree_flatten(inputs)
    sizes = [leaf.shape[0] for leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.dim() > 1]
    if not sizes:
        return None
    grown = [
        torch.cat([leaf, leaf[:1]])
        if isinstance(leaf, torch.Tensor) and leaf.dim() > 1 and leaf.shape[0] == sizes[0]
        else leaf
        for leaf in leaves
    ]
    return tuple(torch.utils._pytree.tree_unflatten(grown, spec))


def _other_layout(inputs: Inputs) -> Inputs | None:
    """Every floating tensor of two or more dimensions with its last two dimensions swapped in memory."""
    leaves, spec = tree_flatten(inputs)
    changed = [
        leaf.transpose(-1, -2).contiguous().transpose(-1, -2)
        if isinstance(leaf, torch.Tensor) and leaf.dim() > 1 and leaf.is_floating_point()
        else leaf
        for leaf in leaves
    ]
    if all(new is old or new.stride() == old.stride() for new, old in zip(changed, leaves, strict=True)):
        return None
    return tuple(torch.utils._pytree.tree_unflatten(changed, spec))


Variation = Callable[[], "Inputs | None"]
_SOME = 0.25
_ZEROS, _FEW = 0.125, 16
"""The share of zeros among larger numbers; so few may be scales, none of which may be zero."""
_MOST_INTEGER = 2**30
_BEYOND = frozenset({"larger", "of other signs", "as long as a size", "another number"})
"""Ways on which integers may be no places any more."""
_MOST_ALONE = 4
"""Inputs that are varied one by one."""


@dataclass(frozen=True)
class Way:
    """How inputs are varied: the first of the changes that the reference takes counts."""

    name: str
    changes: list[Variation]
    far_off: Variation | None = None
    """Inputs that no reference takes to which integers are places; None where that says nothing."""


def alone(
    inputs: Inputs,
    habits: list[Kept],
    sizes: Iterable[int],
    outputs: Callable[[Inputs], object] | None = None,
    *,
    signs: bool,
    zeros: bool = True,
) -> Iterator[Way]:
    """Ways to vary each input by itself: under each name several, the first that the reference takes counts.

    What hides behind an input that stays as it is (a mask of ones, equal weights, one sign) shows when it alone
    changes. `habits` say what each tensor keeps. Integers may be places in something of one of the `sizes`; with
    `signs` they may be negative too; what `outputs` tell to be lengths is neither. With `zeros` some floating numbers
    may be equal, all of them zero.
    """
    known = sorted({*sizes, *(size for leaf in tensors_in(inputs) for size in leaf.shape)}, reverse=True)
    leaves, spec = tree_flatten(inputs)
    places = [number for number, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor) and leaf.numel()]
    for number, habit in list(zip(places, habits, strict=True))[:_MOST_ALONE]:
        stays = habit.fixed and not all(found.fixed for found in habits)
        free = outputs is None or not _are_lengths(leaves, spec, number, habit, known, outputs)
        ways: dict[str, list[Change]] = {
            "larger": _larger(leaves[number], known, habit, zeros=zeros) if free else [],
            "of other signs": [partial(_signed, stays=habit)] if signs and free and counts(leaves[number]) else [],
            "with zeros": [_some_zeros] if counts(leaves[number]) and int(leaves[number].min()) > 0 else [],
            "another number": next_to(leaves[number]) if habit.fixed and is_one(leaves[number]) else [],
            "as long as a size": _as_long(leaves[number], known, habit),
            "at its ends": [partial(at_ends, ends=habit.ends)] if habit.ends and counts(leaves[number]) else [],
            "permuted": [_permuted] if stays and habit.tied is None else [],
            "varied": ([varied] if leaves[number].any() else [_off_zero, _above_zero]) if stays else [],
        }
        for what, changes in ways.items():
            if changes:
                beyond = what in _BEYOND and (counts(leaves[number]) or is_one(leaves[number]))
                boundless = _with(leaves, spec, number, far_off) if beyond else None
                made = [_with(leaves, spec, number, change) for change in changes]
                yield Way(f"input {number} alone, {what}", made, boundless)


def _are_lengths(
    leaves: list[Any], spec: Any, number: int, habit: Kept, sizes: list[int], outputs: Callable[[Inputs], object]
) -> bool:
    def given(tensor: torch.Tensor) -> object:
        return outputs(clone_tree(_with(leaves, spec, number, lambda _: tensor)()))

    tensor = leaves[number]
    return counts(tensor) and are_lengths(tensor, habit.ends[1] if habit.ends else int(tensor.max()), sizes, given)


def _with(leaves: list[Any], spec: Any, number: int, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    def made() -> Inputs:
        changed = [widely(change, leaf) if at == number else leaf for at, leaf in enumerate(leaves)]
        return tuple(torch.utils._pytree.tree_unflatten(changed, spec))

    return made


def _larger(tensor: torch.Tensor, sizes: list[int], stays: Kept, *, zeros: bool) -> list[Change]:
    if tensor.is_floating_point():
        signed, parted = partial(_signed, stays=stays), partial(_parted, stays=stays)
        with_zeros: list[Change] = [lambda values: parted(signed(values) * 10)] if zeros else []
        return [*with_zeros, lambda values: signed(values) * 10, lambda values: values * 10, signed]
    if is_of_bytes(tensor):
        return [any_bytes, *(drawn_below(size) for size in sizes if holds(tensor, size))]
    if not counts(tensor):
        return []
    most = int(tensor.abs().max())
    factor = min(_MOST_INTEGER, torch.iinfo(tensor.dtype).max // 2) // max(1, most)
    places = [drawn_below(size) for size in sizes if size > most + 1 and holds(tensor, size)]
    return [lambda values: values * factor, *places] if factor > 1 else places


def _as_long(tensor: torch.Tensor, sizes: list[int], stays: Kept) -> list[Change]:
    """Integers that are all below a size may be lengths, which reach it, where the reference takes that."""
    if not counts(tensor):
        return []
    least, most = stays.ends or (int(tensor.min()), int(tensor.max()))
    return [partial(at_ends, ends=(least, most + 1))] if most + 1 in sizes and holds(tensor, most + 2) else []


def _off_zero(tensor: torch.Tensor) -> torch.Tensor:
    """Small numbers for zeros, of which no factor makes anything else."""
    return 0.1 * torch.randn_like(tensor) if tensor.is_floating_point() else varied(tensor)


def _above_zero(tensor: torch.Tensor) -> torch.Tensor:
    """The same where nothing negative is taken, as a second moment is not."""
    return _off_zero(tensor).abs()


def some(tensor: torch.Tensor) -> torch.Tensor:
    """A quarter of the places, one at the least."""
    drawn = torch.rand(tensor.shape)
    return (drawn < _SOME) | (drawn == drawn.min())


def _some_zeros(tensor: torch.Tensor) -> torch.Tensor:
    """A quarter of the elements turned to zeros, one at the least."""
    return torch.where(some(tensor), 0, tensor)


def _signed(tensor: torch.Tensor, stays: Kept) -> torch.Tensor:
    return torch.where(stays.drawn(tensor) < 0.5, tensor, -tensor)


def _parted(tensor: torch.Tensor, stays: Kept) -> torch.Tensor:
    """Some elements as zeros among the others: where a function has a place of its own, random numbers never are."""
    return torch.where(stays.drawn(tensor) < _ZEROS, 0.0, tensor) if tensor.numel() > _FEW else tensor


def _permuted(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.flatten()[torch.randperm(tensor.numel())].view(tensor.shape)


_TRIED = 12


def needed_bytes(inputs: Inputs, outputs: Callable[[Inputs], Any], seed: int) -> float:
    """Bytes of the floating inputs that outputs depend on: the share of random elements whose change shows, of each."""
    generator = torch.Generator().manual_seed(seed)
    plain = outputs(clone_tree(inputs))
    total = 0.0
    for number, leaf in enumerate(tree_flatten(inputs)[0]):
        if not (isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and leaf.numel()):
            continue
        places = torch.randint(leaf.numel(), (_TRIED,), generator=generator).tolist()
        shown = sum(not equal(plain, outputs(_with_other_element(inputs, number, place))) for place in places)
        total += leaf.numel() * leaf.element_size() * shown / _TRIED
    return total


def _with_other_element(inputs: Inputs, number: int, place: int) -> Inputs:
    leaves, spec = tree_flatten(clone_tree(inputs))
    at = torch.unravel_index(torch.tensor(place), leaves[number].shape)
    leaves[number][at] += 1 + 10 * leaves[number].abs().max()  # so much that a maximum or a threshold shows it
    return tuple(torch.utils._pytree.tree_unflatten(leaves, spec))


VARIANTS = {"shape": _longer_batch, "layout": _other_layout}
