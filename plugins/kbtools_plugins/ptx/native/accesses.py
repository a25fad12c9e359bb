"""Loads and stores in C, where every thread may do what it does; None (or False) says that numpy has to decide.

The structures are those of access.c, shared.c and global.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import Structure, byref, c_int64, c_uint64, c_void_p
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, Bits
from kbtools_plugins.ptx.memory import tags, warp_tags
from kbtools_plugins.ptx.memory.windows import SPAN

from .bytecode import DONE, address
from .library import library
from .matrix import pointers

if TYPE_CHECKING:
    from kbtools_plugins.ptx.machine.group import Group
    from kbtools_plugins.ptx.memory.global_memory import GlobalMemory
    from kbtools_plugins.ptx.memory.owners import Owners
    from kbtools_plugins.ptx.memory.shared import SharedMemory

TORN = 4
FEW = 1 << 14
"""Threads below which a load that nobody has to note is as fast in numpy."""


class RegisterStruct(Structure):
    """An array of a register; steps from one program, and from one thread, to the next."""

    _fields_ = [("data", c_void_p), ("outer", c_int64), ("inner", c_int64), ("width", c_int64)]


class AccessStruct(Structure):
    """Who accesses, where, and how much."""

    _fields_ = [
        ("programs", c_int64),
        ("threads", c_int64),
        ("address", RegisterStruct),
        ("mask", RegisterStruct),
        ("size", c_int64),
        ("count", c_int64),
        ("granule", c_int64),
        ("step", c_int64),
        ("tags", c_void_p),
    ]


class Shared(Structure):
    """Shared memory and its shadows."""

    _fields_ = [
        ("data", c_void_p),
        ("size", c_int64),
        ("bytes", c_int64),
        ("writes", c_void_p),
        ("reads", c_void_p),
        ("pending", c_void_p),
        ("cells", c_int64),
        ("dirty", c_void_p),
        ("committed", c_void_p),
        ("completed", c_void_p),
        ("visible", c_void_p),
        ("races", c_int64),
        ("track", c_int64),
    ]


class StorageStruct(Structure):
    """A buffer and its shadows."""

    _fields_ = [
        ("data", c_void_p),
        ("bytes", c_int64),
        ("base", c_uint64),
        ("writes", c_void_p),
        ("reads", c_void_p),
        ("cells", c_int64),
        ("initialised", c_void_p),
        ("since", c_void_p),
    ]


def register(array: Bits | None) -> RegisterStruct:
    """An array as C walks through it."""
    if array is None:
        return RegisterStruct(None, 0, 0, 1)
    size = array.itemsize
    outer, inner = array.strides
    return RegisterStruct(
        address(array), outer // size if array.shape[0] != 1 else 0, inner // size if array.shape[1] != 1 else 0, size
    )


def access(
    group: Group, where: Bits, mask: Bits | None, size: int, count: int, granule: int, tag: Bits | None
) -> AccessStruct:
    """One instruction's access, without the number of its step."""
    return AccessStruct(
        group.count,
        group.threads,
        register(where),
        register(mask),
        size,
        count,
        granule,
        0,
        place(tag),
    )


def place(array: Bits | None) -> int | None:
    """Where an array begins, if there is one."""
    return None if array is None else address(array)


def shared(memory: SharedMemory) -> Shared:
    """Shared memory for C."""
    return Shared(
        address(memory.data),
        memory.size,
        memory.data.nbytes,
        address(memory.writes) if memory.shadowed else None,
        address(memory.reads) if memory.check_races else None,
        place(memory.pending),
        len(memory.writes),
        place(memory.dirty),
        address(memory.committed),
        address(memory.completed),
        address(memory.visible),
        memory.check_races,
        memory.track,
    )


def shared_access(
    group: Group, memory: SharedMemory, where: Bits, mask: Bits | None, size: int, count: int
) -> tuple[AccessStruct, Bits]:
    """An access to shared memory, and the tags that have to outlive it."""
    tag = (group.epoch + 1) << (warp_tags.STEP_BITS + warp_tags.WARP_BITS)
    asked = access(group, where, mask, size, count, memory.granule, tag)
    asked.step = group.step.number if group.step else 0
    return asked, tag


def made(group: Group, size: int, count: int) -> list[Bits]:
    """Arrays for what is loaded."""
    return [np.empty(group.shape, UNSIGNED[8 * size]) for _ in range(count)]


def given(group: Group, values: Sequence[Bits]) -> list[Bits]:
    """Arrays of what is stored, one element for each thread."""
    return [np.ascontiguousarray(group.full(value)) for value in values]


def load_shared(
    memory: SharedMemory, group: Group, where: Bits, mask: Bits | None, size: int, count: int
) -> list[Bits] | None:
    """What the threads read."""
    machine = library()
    if machine is None or (where.shape[1] == 1 and mask is None):
        return None
    asked, _tag = shared_access(group, memory, where, mask, size, count)
    values = made(group, size, count)
    done = machine.kb_shared_load(byref(asked), byref(shared(memory)), pointers(values))
    return values if checked(done) == DONE else None


def store_shared(
    memory: SharedMemory,
    group: Group,
    where: Bits,
    mask: Bits | None,
    size: int,
    values: list[Bits],
    poison: Sequence[Bits | None],
    copying: bool,
) -> bool:
    """Whether all is stored."""
    machine = library()
    if machine is None or memory.dirty is not None or any(bits is not None for bits in poison):
        return False
    if copying and memory.check_races and memory.pending is None:
        memory.pending = np.zeros(len(memory.writes), np.int64)
    asked, _tag = shared_access(group, memory, where, mask, size, len(values))
    kept = given(group, values)
    return checked(machine.kb_shared_store(byref(asked), byref(shared(memory)), pointers(kept), copying)) == DONE


def buffer_number(group: Group, where: Bits, mask: Bits | None) -> int:
    """The number of the buffer where the first thread that acts goes."""
    if mask is None:
        return int(where.item(0)) >> SPAN
    asked, found, machine = access(group, where, mask, 1, 1, 1, None), c_uint64(0), library()
    if machine is not None:
        checked(machine.kb_first(byref(asked), byref(found)))
    return found.value >> SPAN


def global_tags(group: Group, owners: Owners | None) -> Bits | None:
    """What the tags of a program's threads have in common; nobody asks where races are not looked for."""
    if owners is None:
        return None
    clock = np.minimum(group.clock, tags.LAST_CLOCK)
    return (group.numbers.astype(np.int64) + 1) << tags.PROGRAM_SHIFT | clock << tags.STEP_BITS


def step_of(group: Group) -> int:
    """The number of the step that runs, as far as a tag has room for it."""
    return min(group.step.number if group.step else 0, (1 << tags.STEP_BITS) - 1)


def storage(group: Group, memory: GlobalMemory, number: int, owners: Owners | None, marked: bool) -> StorageStruct:
    """A buffer for C."""
    buffer = memory.buffers[number - 1]
    return StorageStruct(
        address(buffer.data) if buffer.data.size else None,
        buffer.data.size,
        number << SPAN,
        None if owners is None else address(owners.writes),
        None if owners is None else place(owners.reads),
        0 if owners is None else len(owners.writes),
        place(buffer.initialised) if marked else None,
        None if owners is None else address(group.since),
    )


def load_global(
    memory: GlobalMemory, group: Group, where: Bits, mask: Bits | None, size: int, count: int
) -> list[Bits] | None:
    """What the threads read from one buffer."""
    machine = library()
    if machine is None or where.shape != group.shape:
        return None
    number = buffer_number(group, where, mask)
    if not 0 < number <= len(memory.buffers):
        return None
    owners = None if number in memory.read_only else memory.shadow(number)
    if owners is not None and (memory.order is not None or owners.atoms is not None):
        return None
    if owners is None and group.count * group.threads < FEW:
        return None
    if owners is not None and owners.reads is None:
        owners.reads = np.zeros_like(owners.writes)
    values, tag = made(group, size, count), global_tags(group, owners)
    asked = access(group, where, mask, size, count, memory.granule, tag)
    asked.step = step_of(group)
    buffer = storage(group, memory, number, owners, memory.track)
    return values if checked(machine.kb_global_load(byref(asked), byref(buffer), pointers(values))) == DONE else None


def store_global(
    memory: GlobalMemory,
    group: Group,
    where: Bits,
    mask: Bits | None,
    size: int,
    values: list[Bits],
    poison: Sequence[Bits | None],
) -> bool:
    """Whether all is stored in one buffer, and nobody has stored something else there at once."""
    machine = library()
    if machine is None or any(bits is not None for bits in poison):
        return False
    number = buffer_number(group, where, mask)
    if not 0 < number <= len(memory.buffers):
        return False
    memory.read_only.discard(number)
    owners = memory.shadow(number)
    if owners is not None and (memory.order is not None or owners.atoms is not None):
        return False
    kept, tag = given(group, values), global_tags(group, owners)
    asked = access(group, where, mask, size, len(values), memory.granule, tag)
    asked.step = step_of(group)
    buffer = storage(group, memory, number, owners, memory.track)
    done = checked(machine.kb_global_store(byref(asked), byref(buffer), pointers(kept)))
    if done == TORN:
        memory.refuse_torn(group, where, mask, size, values)
    return done == DONE


def checked(result: int) -> int:
    """What C has answered; it refuses what cannot be an access."""
    if result not in (0, 1, TORN):
        raise AssertionError("an access that does not fit its memory")
    return result
