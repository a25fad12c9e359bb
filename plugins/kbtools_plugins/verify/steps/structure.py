"""Whether a candidate does the same with smaller sizes as with those that were asked for, and how far these may go.

Both recordings are of tensors without values. A cut is sound if each launch has the same constants, and whatever has
two or more steps has two or more still: programs of a grid, blocks of a number that a kernel goes through, and rounds
that all programs make together. Which number is gone through in which blocks follows from the kernel's text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kbtools_plugins.verify.host.pair_processes import PairProcesses
from kbtools_plugins.verify.protocol.reading import (
    RELATIONS,
    SHRINK,
    KernelSource,
    NumberedLaunch,
    Relation,
    RelationsJob,
    ShrinkJob,
    ShrinkReply,
    Sized,
)
from kbtools_plugins.verify.protocol.recording import RECORD, Plan, RecordJob, RecordReply
from kbtools_plugins.verify.protocol.trace import Trace, TraceStep
from kbtools_plugins.verify.steps import read
from kbtools_plugins.verify.steps.coverage import covers_otherwise, programs

_ROUNDS, _MORE = 8, 4
"""Attempts with one number of elements, and by how much the next number is larger."""
_PLAN = "sizes"
_CERTAIN = 32
"""A number so large in a launch is hardly by chance the same as a size."""


@dataclass(frozen=True)
class LostStructure:
    """What a cut has changed: a number that had this value at full size may not go below `floor`; 0 if unknown."""

    value: int
    floor: int
    among: tuple[int, ...] = ()
    """Numbers of which one has to be larger."""


@dataclass(frozen=True)
class Sighted:
    """A recording, and how numbers and blocks are related in each of its launches."""

    trace: Trace
    source: KernelSource
    relations: list[dict[str, Relation]]


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
    known: dict[tuple[int, ...], Sighted | None] = {}
    for _ in range(_ROUNDS):
        outcome = processes.run(SHRINK, job.model_copy(update={"floors": floors}))
        if (sizes := outcome.reply) is None:
            return None
        if sizes.cut.values == sizes.large.values:
            return sizes if whole else None
        for pair in (sizes.large, sizes.cut):
            if _size(pair) not in known:
                known[_size(pair)] = _sighted(processes, name, pair)
        full, small = known[_size(sizes.large)], known[_size(sizes.cut)]
        if full is None or small is None or len(full.trace.launches) != len(small.trace.launches):
            return None
        found = list(faults(full, small, sizes))
        if not found:
            return sizes
        floors = raised(floors, found, sizes)
    return None


def _size(pair: Sized) -> tuple[int, ...]:
    return tuple(pair.values.values())


def _sighted(processes: PairProcesses, name: str, pair: Sized) -> Sighted | None:
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
    if reply is None or found is None or not found.traces:
        return None
    source = read.kernels(processes, pair.candidate, reply.bindings)
    return _with_relations(processes, found.traces[0], source)


def _with_relations(processes: PairProcesses, trace: Trace, source: KernelSource) -> Sighted | None:
    launches = []
    for step in trace.launches:
        kernel = source.find(step.kernel, step.kernel_line)
        if kernel is None:
            return None
        launch = NumberedLaunch(kernel=kernel.clean_name, grid=step.grid, bound=step.bound, constants=kernel.constants)
        launches.append(launch)
    reply = processes.run(RELATIONS, RelationsJob(text=source.text, launches=launches)).reply
    if reply is None:
        return None
    return Sighted(trace, source, [{found.key: found for found in each} for each in reply.launches])


def faults(full: Sighted, cut: Sighted, sizes: ShrinkReply) -> Iterator[LostStructure]:
    """Where the two recordings differ in more than numbers of blocks."""
    known = sizes.large.values
    cut_names = {name for name, value in sizes.cut.values.items() if value != known[name]}
    shrunk = {sizes.asked[name] for name in cut_names}  # only these can be written down in the candidate
    shrunk -= {value for name, value in known.items() if name not in cut_names}
    pairs = zip(full.trace.launches, cut.trace.launches, full.relations, cut.relations, strict=True)
    for large, small, relations, others in pairs:
        if large.kernel != small.kernel:
            yield LostStructure(0, 0)
            return
        yield from (LostStructure(0, 0) for one, other in zip(large.grid, small.grid, strict=True) if one > 1 >= other)
        kernel = full.source.find(large.kernel, large.kernel_line)
        if kernel is None:
            yield LostStructure(0, 0)
            return
        blocks = {relation.block for relation in relations.values()}
        yield from _of_numbers(large, small, set(kernel.constants), shrunk - blocks)
        yield from _of_relations(large, small, relations, others)
        masked = {relation.block for relation in relations.values() if relation.covers}
        if covers_otherwise(large, small, kernel, masked):
            yield LostStructure(0, 0)


def _of_numbers(large: TraceStep, small: TraceStep, constants: set[str], shrunk: set[int]) -> Iterator[LostStructure]:
    numbers = {name: (value, small.bound.get(name)) for name, value in large.bound.items() if type(value) is int}
    for name, (value, now) in numbers.items():
        if value == now:
            if value in shrunk and value >= _CERTAIN:
                yield LostStructure(value, value)  # a size that is written down in the candidate
        elif name in constants or type(now) is not int:
            yield LostStructure(value, value)


def _of_relations(
    large: TraceStep, small: TraceStep, relations: dict[str, Relation], others: dict[str, Relation]
) -> Iterator[LostStructure]:
    if relations.keys() != others.keys():
        yield LostStructure(0, 0)  # another branch is taken
    for key in relations.keys() & others.keys():
        full, cut = relations[key], others[key]
        rounds = full.covers and _goes_round(full, large) and not _goes_round(cut, small)
        if not alike(full, cut) or rounds:
            yield _lost(full, cut, large)


def _lost(full: Relation, cut: Relation, launch: TraceStep) -> LostStructure:
    """What is to be larger: the number itself, or one of those that it is made of."""
    made_of = tuple(value for name in full.of if type(value := launch.bound.get(name)) is int)
    if made_of == (full.extent,) and full.block == cut.block:
        return LostStructure(full.extent, _floor(full), made_of)
    return LostStructure(0, 0, made_of)


def _goes_round(relation: Relation, step: TraceStep) -> bool:
    """Whether all programs together do not reach the end with one block each."""
    return relation.extent > relation.block * max(1, programs(step))


def alike(full: Relation, cut: Relation) -> bool:
    """Whether both have none, one, or two or more blocks, and both end with a whole one or both do not."""
    return all(
        (one.extent > bound) == (other.extent > bound_there)
        for one, other, bound, bound_there in ((full, cut, 0, 0), (full, cut, full.block, cut.block))
    ) and (full.extent % full.block == 0) == (cut.extent % cut.block == 0)


def _floor(full: Relation) -> int:
    """The smallest of a number's halves that is like it."""
    halves = [full.extent >> times for times in range(full.extent.bit_length())]
    return min(half for half in halves if half and alike(full, full.model_copy(update={"extent": half})))


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
        made_of = [] if names else _made_of(sizes, fault)
        if made_of:
            _lift(result, sizes, made_of)
        unexplained |= not names and not made_of
    if unexplained:
        _lift(result, sizes, list(sizes.cut.values))
    return result


def _lift(floors: dict[str, int], sizes: ShrinkReply, names: list[str]) -> None:
    """Let the one that was cut by most be twice as large."""
    now, known = sizes.cut.values, sizes.large.values
    most = max(names, key=lambda name: (known[name] / max(1, now[name]), name))
    floors[most] = max(floors.get(most, 0), now[most] * 2)


def _made_of(sizes: ShrinkReply, fault: LostStructure) -> list[str]:
    """Sizes that were cut and that are, or nearly are, what the number at fault is made of."""
    known, now = sizes.large.values, sizes.cut.values
    cut = [name for name in known if now[name] < known[name]]
    return [name for name in cut if any(_nearly(known[name], value) for value in fault.among)]


def _nearly(size: int, value: int) -> bool:
    """Whether a number is a size but for what a window takes off or a margin adds."""
    return abs(size - value) <= max(1, min(size, value) // 16)


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
