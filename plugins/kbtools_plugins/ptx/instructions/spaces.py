"""Where a memory instruction goes: global, shared, local, or generic addresses that turn out to be one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.memory.atomic import Atomic
from kbtools_plugins.ptx.memory.cells import either, merged
from kbtools_plugins.ptx.memory.order import Strength
from kbtools_plugins.ptx.memory.windows import LOCAL_WINDOW, LOWEST_BUFFER, SHARED_WINDOW

if TYPE_CHECKING:
    from kbtools_plugins.ptx.machine.group import Group

SPACES = ("global", "shared", "local", "const", "param")

Found = tuple[list[Bits], list[Bits | None]]


def space_of(parts: tuple[str, ...]) -> str:
    """The address space that an opcode names; "" for generic addresses."""
    for part in parts:
        if part.split("::")[0] in SPACES:
            return part.split("::")[0]
    return ""


def split(group: Group, address: Bits, mask: Bits | None) -> list[tuple[str, Bits, Bits | None]]:
    """Generic addresses by space: name, addresses within it, threads that go there."""
    bounds = (("shared", SHARED_WINDOW, LOCAL_WINDOW), ("local", LOCAL_WINDOW, LOWEST_BUFFER))
    found: list[tuple[str, Bits, Bits | None]] = []
    rest = np.ones((1, 1), np.bool_)
    for space, low, top in bounds:
        inside = (address >= np.uint64(low)) & (address < np.uint64(top))
        if inside.any():
            here = inside if mask is None else inside & mask
            found.append((space, np.where(inside, address - np.uint64(low), np.uint64(0)), here))
            rest = rest & ~inside
    if not found:
        return [("global", address, mask)]
    if (remaining := rest if mask is None else rest & mask).any():
        found.append(("global", address, remaining))
    return found


def strength(parts: tuple[str, ...]) -> Strength | None:
    """How the parts of an opcode order an access between programs; None for a plain one."""
    if not set(parts) & {"volatile", "relaxed", "mmio", "acquire", "release", "acq_rel", "seq_cst"}:
        return None
    if {"cta", "cluster"} & set(parts):
        return Strength()
    both = bool({"acq_rel", "seq_cst"} & set(parts))
    return Strength(both or "acquire" in parts, both or "release" in parts)


def load(
    group: Group,
    space: str,
    address: Bits,
    mask: Bits | None,
    size: int,
    count: int,
    how: Strength | None = None,
) -> Found:
    """`count` values of `size` bytes for each thread, and which of their bits are uninitialised."""
    if space == "shared":
        return group.shared.load(group, address, mask, size, count)
    if space == "local":
        return group.local.load(group, address, mask, size, count), [None] * count
    if space in ("global", "const"):
        return group.memory.load(group, address, mask, size, count, how)
    return generic_load(group, address, mask, size, count, how)


def generic_load(group: Group, address: Bits, mask: Bits | None, size: int, count: int, how: Strength | None) -> Found:
    """The same for generic addresses."""
    values: list[Bits] = []
    poison: list[Bits | None] = [None] * count
    for space, inside, here in split(group, address, mask):
        found, dirty = load(group, space, inside, here, size, count, how)
        values = found if here is None or not values else either(here, found, values)
        poison = [merged(old, new) for old, new in zip(poison, dirty, strict=True)]
    return values, poison


def store(
    group: Group,
    space: str,
    address: Bits,
    mask: Bits | None,
    size: int,
    values: list[Bits],
    poison: list[Bits | None],
    how: Strength | None = None,
) -> None:
    """Writes values of `size` bytes for each thread."""
    if space == "shared":
        group.shared.store(group, address, mask, size, values, poison)
    elif space == "local":
        group.local.store(group, address, mask, size, values)
    elif space == "global":
        group.memory.store(group, address, mask, size, values, poison, how)
    else:
        for each, inside, here in split(group, address, mask):
            store(group, each, inside, here, size, values, poison, how)


def atomic(
    group: Group,
    space: str,
    address: Bits,
    mask: Bits | None,
    size: int,
    operands: list[Bits],
    kind: Atomic,
) -> tuple[Bits, Bits | None]:
    """Lets threads take turns; what each one found."""
    if space == "shared":
        return group.shared.atomic(group, address, mask, size, operands, kind)
    if space == "global":
        return group.memory.atomic(group, address, mask, size, operands, kind)
    result, poison = None, None
    for each, inside, here in split(group, address, mask):
        found, dirty = atomic(group, each, inside, here, size, operands, kind)
        result = found if result is None else result | found
        poison = merged(poison, dirty)
    return result if result is not None else operands[0], poison
