"""How uninitialised bits go through instructions: a register's shadow has a 1 for each bit that nothing was written to.

Arithmetic on any such bit gives a result of which no bit counts; what only moves bits moves their shadows; and a use
that decides something (an address, a branch, a size) is a fault.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, Bits, constant
from kbtools_plugins.ptx.faults import UNKNOWN, Uninitialised
from kbtools_plugins.ptx.memory.cells import at_thread

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.program import ProgramStep, Shadow
    from kbtools_plugins.ptx.machine.group import Group


def of(group: Group, slot: int) -> Bits:
    """Shadow of a register."""
    found = group.poison.get(slot)
    return np.zeros_like(group.read(slot)) if found is None else found


def put(group: Group, step: ProgramStep, slot: int, bits: Bits | None) -> None:
    """Sets the shadow of a result, where the step acts."""
    old = group.poison.get(slot)
    mask = group.merge
    if step.guard is not None:
        holds = group.holds(step.guard)
        mask = holds if mask is None else holds & mask
    if mask is not None and (bits is not None or old is not None):
        zero = np.zeros((1, 1), UNSIGNED[group.program.widths[slot]])
        bits = np.where(mask, zero if bits is None else bits, zero if old is None else old)
    if bits is None or not bits.any():
        group.poison.pop(slot, None)
    else:
        group.poison[slot] = bits


def affected(group: Group, slots: tuple[int, ...]) -> Bits | None:
    """Threads for which any of these registers has an uninitialised bit."""
    found = [group.poison[slot] != 0 for slot in slots if slot in group.poison]
    if not found:
        return None
    whole = found[0]
    for more in found[1:]:
        whole = whole | more
    return whole


def everything(group: Group, step: ProgramStep) -> None:
    """One uninitialised bit makes the whole result so."""
    where = affected(group, step.reads)
    for slot in step.writes:
        put(group, step, slot, None if where is None else whole(where, group, slot))


def whole(where: Bits, group: Group, slot: int) -> Bits:
    """All bits of a register in some threads."""
    kind = group.program.widths[slot]
    return where if kind == 1 else np.where(where, constant(-1, kind), constant(0, kind))


def clean(group: Group, step: ProgramStep) -> None:
    """The result depends on nothing."""
    for slot in step.writes:
        put(group, step, slot, None)


def own(group: Group, step: ProgramStep) -> None:
    """The step itself says what is uninitialised of its results, but what it needs has to be there."""
    decides(group, step)


def decides(group: Group, step: ProgramStep) -> None:
    """Uninitialised; an address, a predicate or a size that is so is a fault where the step acts."""
    needed(group, step, step.reads)


def needed(group: Group, step: ProgramStep, slots: tuple[int, ...]) -> None:
    """Raises Uninitialised if any of these registers is so in a thread for which the step acts."""
    where = affected(group, slots)
    if where is None:
        return
    mask = group.guarded(step.guard) if step.guard is None or step.guard[0] not in group.poison else group.mask
    where = where if mask is None else where & mask
    if where.any():
        raise at_thread(Uninitialised(f"{step.opcode} depends on {UNKNOWN}"), group, where)


def some(slots: tuple[int, ...]) -> Shadow:
    """Some of the operands decide; the step itself says what becomes of the others."""

    def shadow(group: Group, step: ProgramStep) -> None:
        guard = () if step.guard is None else (step.guard[0],)
        needed(group, step, (*slots, *guard))

    return shadow


def same(function: Callable[..., Bits]) -> Shadow:
    """What moves bits moves their shadows."""

    def shadow(group: Group, step: ProgramStep) -> None:
        sources = step.reads if step.guard is None else step.reads[:-1]
        if affected(group, sources) is None:
            clean(group, step)
            return
        found = function(*(of(group, slot) for slot in sources))
        results = found if isinstance(found, tuple) else (found,)
        for slot, bits in zip(step.writes, results, strict=True):
            put(group, step, slot, bits)

    return shadow


def union(group: Group, step: ProgramStep) -> None:
    """Each bit of the result depends on the same bit of all sources."""
    sources = step.reads if step.guard is None else step.reads[:-1]
    found = [group.poison[slot] for slot in sources if slot in group.poison]
    bits = None
    for more in found:
        bits = more if bits is None else bits | more
    put(group, step, step.writes[0], bits)


def upward(group: Group, step: ProgramStep) -> None:
    """Sums, differences and low halves of products: a bit depends on those below it."""
    union(group, step)
    found = group.poison.get(step.writes[0])
    if found is not None:
        signed = found.view(np.dtype(f"i{found.itemsize}"))
        put(group, step, step.writes[0], (-(signed & -signed)).view(found.dtype))


def conjunction(group: Group, step: ProgramStep) -> None:
    """`and`: a bit that is known to be 0 settles the result."""
    left, right = step.reads[:2]
    a, b, x, y = group.read(left), group.read(right), of(group, left), of(group, right)
    put(group, step, step.writes[0], (x & (b | y)) | (y & (a | x)))


def disjunction(group: Group, step: ProgramStep) -> None:
    """`or`: a bit that is known to be 1 settles the result."""
    left, right = step.reads[:2]
    a, b, x, y = group.read(left), group.read(right), of(group, left), of(group, right)
    put(group, step, step.writes[0], (x & (~b | y)) | (y & (~a | x)))


def shifted(function: Callable[..., Bits]) -> Shadow:
    """The first operand is moved by the others; if those are uninitialised, so is all."""

    def shadow(group: Group, step: ProgramStep) -> None:
        sources = step.reads if step.guard is None else step.reads[:-1]
        if affected(group, sources[1:]) is not None or sources[0] not in group.poison:
            everything(group, step)
            return
        bits = function(of(group, sources[0]), *(group.read(slot) for slot in sources[1:]))
        put(group, step, step.writes[0], bits)

    return shadow


def permuted(function: Callable[..., Bits]) -> Shadow:
    """`prmt`: bytes take their shadows along, if the selector is known."""

    def shadow(group: Group, step: ProgramStep) -> None:
        left, right, selector = step.reads[:3]
        if selector in group.poison:
            everything(group, step)
            return
        bits = function(of(group, left), of(group, right), group.read(selector))
        put(group, step, step.writes[0], bits)

    return shadow


def selected(group: Group, step: ProgramStep) -> None:
    """`selp`: the operand that was not chosen does not count."""
    yes, no, predicate = step.reads[:3]
    bits = np.where(group.read(predicate), of(group, yes), of(group, no))
    unknown = group.poison.get(predicate)
    if unknown is not None:
        bits = np.where(unknown, ~bits.dtype.type(0), bits)
    put(group, step, step.writes[0], bits)


def paired(group: Group, step: ProgramStep) -> None:
    """Two values made one register: the first is its upper half, the second its lower one."""
    upper, lower = (affected(group, (slot,)) for slot in step.reads[:2])
    by_halves(group, step, upper, lower)


def unpacked(group: Group, step: ProgramStep) -> None:
    """Two values of one register, each made another half."""
    source = step.reads[0]
    found = group.poison.get(source)
    half = group.program.widths[source] // 2
    upper = None if found is None else (found >> found.dtype.type(half)) != 0
    lower = None if found is None else (found & found.dtype.type((1 << half) - 1)) != 0
    by_halves(group, step, upper, lower)


def by_halves(group: Group, step: ProgramStep, upper: Bits | None, lower: Bits | None) -> None:
    """Sets the shadow of a result whose halves depend on different things."""
    slot = step.writes[0]
    half, kind = group.program.widths[slot] // 2, UNSIGNED[group.program.widths[slot]]
    low = kind((1 << half) - 1)
    bits = None
    for where, mask in ((upper, ~low), (lower, low)):
        if where is not None:
            part = np.where(where, mask, kind(0))
            bits = part if bits is None else bits | part
    put(group, step, slot, bits)


def halves(group: Group, step: ProgramStep) -> None:
    """Arithmetic on two values of 16 bits in one register."""
    union_of = [group.poison[slot] for slot in step.reads if slot in group.poison and group.poison[slot].dtype != bool]
    bits = None
    for more in union_of:
        both = np.where(more & np.uint32(0xFFFF), np.uint32(0xFFFF), np.uint32(0)) | np.where(
            more >> np.uint32(16), np.uint32(0xFFFF0000), np.uint32(0)
        )
        bits = both if bits is None else bits | both
    put(group, step, step.writes[0], bits)
