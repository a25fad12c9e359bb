"""Whether a candidate does the same with smaller sizes as with those that were asked for, and how far these may go.

Both recordings are of tensors without values. A cut is sound if each launch has the same constants, and whatever has
two or more steps has two or more still: programs of a grid, blocks of a number that a kernel may go through, and rounds
that all programs make together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kbtools_plugins.verify.host.pair_processes import PairProcesses
from kbtools_plugins.verify.protocol.reading import SHRINK, KernelSource, ShrinkJob, ShrinkReply, Sized
from kbtools_plugins.verify.protocol.recording import RECORD, Plan, RecordJob, RecordReply
from kbtools_plugins.verify.protocol.trace import Trace, TraceStep
from kbtools_plugins.verify.steps import read

_ROUNDS, _MORE = 5, 4
"""Attempts with one number of elements, and by how much the next number is larger."""
_PLAN = "sizes"
_CERTAIN = 32
"""A number so large in a launch is hardly by chance the same as a size."""


@dataclass(frozen=True)
class LostStructure:
    """What a cut has changed: a number that had this value at full size may not go below `floor`; 0 if unknown."""

    value: int
    floor: int


def sound_cut(
    processes: PairProcesses, job: ShrinkJob, name: str, most_elements: int, *, whole: bool = False
) -> ShrinkReply | None:
    """The smallest sizes of a pair with which it has the structure that it has at full size, if there are any.

    There may be as many elements as the job says, or if that cannot be, more up to `most_elements`. With `whole`
    they may be those that were asked for.
    """
    while (found := _sound_cut(processes, job, name, whole)) is None and job.most_elements < most_elements:
        job = job.model_copy(update={"most_elements": min(most_elements, job.most_elements * _MORE)})
    return found


def _sound_cut(processes: PairProcesses, job: ShrinkJob, name: str, whole: bool) -> ShrinkReply | None:
    floors: dict[str, int] = {}
    for _ in range(_ROUNDS):
        outcome = processes.run(SHRINK, job.model_copy(update={"floors": floors}))
        if (sizes := outcome.reply) is None:
            return None
        if sizes.cut.values == sizes.large.values:
            return sizes if whole else None
        full, small = _recorded(processes, name, sizes.large), _recorded(processes, name, sizes.cut)
        if full is None or small is None or len(full.launches) != len(small.launches):
            return None
        found = list(faults(full, small, read.kernels(processes, job.candidate, []), sizes))
        if not found:
            return sizes
        floors = raised(floors, found, sizes)
    return None


def _recorded(processes: PairProcesses, name: str, pair: Sized) -> Trace | None:
    plan = Plan(name=_PLAN, mode="eval", inputs=[pair.shapes.inputs], kept=[], required=True)
    job = RecordJob(
        code=pair.candidate,
        entry=name,
        init=pair.shapes.init,
        state={},
        weights={},
        allow=[],
        card=0,
        plans=[plan],
        watch=False,
    )
    reply: RecordReply | None = processes.run(RECORD, job).reply
    found = reply.plans.get(_PLAN) if reply else None
    return found.traces[0] if found and found.traces else None


def faults(full: Trace, cut: Trace, source: KernelSource, sizes: ShrinkReply) -> Iterator[LostStructure]:
    """Where the two recordings differ in more than numbers of blocks."""
    known = sizes.large.values
    cut_names = {name for name, value in sizes.cut.values.items() if value != known[name]}
    shrunk = {sizes.asked[name] for name in cut_names}  # only these can be written down in the candidate
    shrunk -= {value for name, value in known.items() if name not in cut_names}
    for large, small in zip(full.launches, cut.launches, strict=True):
        if large.kernel != small.kernel:
            yield LostStructure(0, 0)
            return
        yield from (LostStructure(0, 0) for one, other in zip(large.grid, small.grid, strict=True) if one > 1 >= other)
        kernel = source.find(large.kernel, large.kernel_line)
        yield from _of_numbers(large, small, set(kernel.constants) if kernel else set(), shrunk)


def _of_numbers(large: TraceStep, small: TraceStep, constants: set[str], shrunk: set[int]) -> Iterator[LostStructure]:
    numbers = {name: (value, small.bound.get(name)) for name, value in large.bound.items() if type(value) is int}
    same = {value for name, (value, now) in numbers.items() if name in constants and value == now}
    blocks = {value for value in same if value > 1 and value & (value - 1) == 0}  # as `tl.arange` takes them
    for name, (value, now) in numbers.items():
        if value == now:
            if value in shrunk and value >= _CERTAIN:
                yield LostStructure(value, value)  # a size that is written down in the candidate
        elif name in constants or type(now) is not int:
            yield LostStructure(value, value)
        else:
            yield from (LostStructure(value, _floor(value, block)) for block in blocks if not _alike(value, now, block))
            yield from (
                LostStructure(0, 0)
                for block in blocks
                if _rounds(large, value, block) > 1 >= _rounds(small, now, block)
            )


def _rounds(step: TraceStep, number: int, block: int) -> int:
    """How often all programs together go through blocks until this number is done: more than once if they loop."""
    return math.ceil(number / (block * max(1, math.prod(step.grid))))


def _alike(full: int, cut: int, block: int) -> bool:
    """Whether both go through two or more blocks or both do not, and both end with a whole one or both do not."""
    return (full > block) == (cut > block) and (full % block == 0) == (cut % block == 0)


def _floor(full: int, block: int) -> int:
    """The smallest of a number's halves that is like it."""
    halves = [full >> times for times in range(full.bit_length())]
    return min(half for half in halves if half and _alike(full, half, block))


def raised(floors: Mapping[str, int], found: list[LostStructure], sizes: ShrinkReply) -> dict[str, int]:
    """Floors by which these faults are gone; one that no constant explains lifts what was cut by most."""
    known, result = sizes.large.values, dict(floors)
    unexplained = False
    for fault in found:
        names = [name for name, value in known.items() if fault.value and _explains(value, fault.value)]
        names = names or _shared_out(sizes, fault.value)
        for name in names:
            floor = fault.floor if known[name] == fault.value else known[name]
            result[name] = max(result.get(name, 0), floor)
        unexplained |= not names
    if unexplained:
        cut = {name: known[name] / value for name, value in sizes.cut.values.items() if value}
        most = max(cut, key=lambda name: (cut[name], name))
        result[most] = max(result.get(most, 0), sizes.cut.values[most] * 2)
    return result


def _explains(size: int, value: int) -> bool:
    """Whether a number in a launch is this size, or the power of two that holds it."""
    return size == value or (size > 1 and 1 << (size - 1).bit_length() == value)


def _shared_out(sizes: ShrinkReply, value: int) -> list[str]:
    """The last size that was cut of which another one makes this number, as groups make channels of a group."""
    known, now = sizes.large.values, sizes.cut.values
    parts = [part for part in known.values() if part > 1]
    names = [name for name, size in known.items() if value > 1 and now[name] < size and any(
        size % part == 0 and _explains(size // part, value) for part in parts)]  # fmt: skip
    return names[-1:]


def what_was_cut(sizes: ShrinkReply) -> str:
    """The sizes that are others now."""
    changed = [f"{name} from {sizes.asked[name]} to {now}" for name, now in sizes.cut.values.items()
               if now != sizes.asked[name]]  # fmt: skip
    return f"sizes were cut, the structure kept: {', '.join(changed)}"
