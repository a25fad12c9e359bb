"""What all kinds of memory share: places as indices of cells, reports of bad ones, and threads that take turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, Bits
from kbtools_plugins.ptx.faults import Fault

if TYPE_CHECKING:
    from kbtools_plugins.ptx.machine.group import Group

F = TypeVar("F", bound=Fault)


def view(data: Bits, size: int) -> Bits:
    """Flat bytes as cells of some size, without those at the end that fill none."""
    return data[: len(data) // size * size].view(UNSIGNED[8 * size])


def shift(size: int) -> int:
    """Bits by which an offset is shifted to be an index of cells."""
    return size.bit_length() - 1


def first(group: Group, bad: Bits) -> tuple[int, int]:
    """Row and thread of the first that is bad."""
    at = int(np.argmax(group.full(bad)))
    return at // group.threads, at % group.threads


def at_thread(fault: F, group: Group, bad: Bits) -> F:
    """A fault with the program and the thread of the first that is bad."""
    row, thread = first(group, bad)
    fault.program, fault.thread = group.place(row), thread
    return fault


def chosen(group: Group, mask: Bits | None, value: Bits) -> Bits:
    """Values of the threads that act, flat, program by program."""
    full = group.full(value)
    return full.reshape(-1) if mask is None else full[group.full(mask)]


def scattered(group: Group, mask: Bits | None, values: Bits) -> Bits:
    """The opposite of `chosen`: zeros for threads that do not act."""
    if mask is None:
        return values.reshape(group.shape)
    result = np.zeros(group.shape, values.dtype)
    result[group.full(mask)] = values
    return result


def rows_of(group: Group, mask: Bits | None) -> Bits:
    """Rows of the threads that act, flat."""
    return chosen(group, mask, np.arange(group.count)[:, None])


def threads_of(group: Group, mask: Bits | None) -> Bits:
    """Numbers of the threads that act, flat."""
    return chosen(group, mask, np.arange(group.threads)[None])


def acted(group: Group, mask: Bits | None) -> Bits:
    """Programs of which a thread acts."""
    return np.ones((group.count, 1), np.bool_) if mask is None else np.asarray(group.full(mask).any(axis=1))[:, None]


def clean(poison: Bits) -> Bits:
    """Marks of bytes without any uninitialised bit: 1 for each."""
    flat = np.ascontiguousarray(poison).view(np.uint8)
    return (flat == 0).astype(np.uint8).view(poison.dtype)


def gather(cells: Bits, at: Bits, count: int) -> list[Bits]:
    """Neighbouring cells."""
    return [cells.take(at + element if element else at) for element in range(count)]


def either(mask: Bits, yes: list[Bits], no: list[Bits]) -> list[Bits]:
    """Elements of one list where the mask holds, of the other elsewhere."""
    return [np.where(mask, new, old) for new, old in zip(yes, no, strict=True)]


def merged(old: Bits | None, new: Bits | None) -> Bits | None:
    """Bits of either."""
    return new if old is None else old if new is None else old | new
