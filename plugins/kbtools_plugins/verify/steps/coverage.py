"""Which tensors a launch's programs cover exactly, block by block: a kernel without masks is right there alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

from kbtools_plugins.verify.protocol.reading import Kernel
from kbtools_plugins.verify.protocol.trace import TensorRef, TraceStep, refs

_MOST_BLOCKS, _LEAST_BLOCK = 3, 8
"""Dimensions of a block of elements, and elements of one dimension."""


def programs(step: TraceStep) -> int:
    """How many programs a launch has."""
    return math.prod(step.grid)


def covers_otherwise(full: TraceStep, cut: TraceStep, kernel: Kernel, masked: set[int]) -> bool:
    """Whether one launch has blocks that make up a tensor, and the other has not; `masked` ones need not.

    What is covered at the smaller size alone counts where it is written to.
    """
    numbers = {name: value for name in sorted(kernel.constants) if type(value := full.bound.get(name)) is int}
    blocks = {name: value for name, value in numbers.items() if _is_block(value) and value not in masked}
    lost = _covered(full, blocks, set(full.bound)) - _covered(cut, blocks, set(cut.bound))
    written = set(kernel.written)
    return bool(lost or _covered(cut, blocks, written) - _covered(full, blocks, written))


def _is_block(value: int) -> bool:
    """Whether it is a power of two, as `tl.arange` takes them, and no width of a window."""
    return value >= _LEAST_BLOCK and value & (value - 1) == 0


def _covered(step: TraceStep, blocks: dict[str, int], names: set[str]) -> set[tuple[str, ...]]:
    """By which blocks the programs of a launch, or of one dimension of its grid, make up one of these tensors or a
    part of its shape."""
    tensors = [found[0] for name in sorted(names) if (found := refs(step.bound.get(name)))]
    whole = {math.prod(tensor.shape) for tensor in tensors}
    parts = {size for tensor in tensors for size in _parts(tensor)}
    chosen = {names: math.prod(blocks[name] for name in names) for names in _some(list(blocks))}
    count = programs(step)
    made = {names for names, width in chosen.items() if count > 1 and count * width in whole}
    axes = {
        (str(axis), name)
        for axis, count in enumerate(step.grid)
        for name, width in blocks.items()
        if count > 1 and count * width in parts
    }
    return made | axes


def _some(names: list[str]) -> Iterator[tuple[str, ...]]:
    for count in range(1, _MOST_BLOCKS + 1):
        yield from combinations(names, count)


def _parts(tensor: TensorRef) -> list[int]:
    """Each dimension, and what follows each but the first."""
    shape = tensor.shape
    return [*shape, *(math.prod(shape[first:]) for first in range(1, len(shape) - 1))]
