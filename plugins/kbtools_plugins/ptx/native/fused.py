"""Runs of lane by lane instructions as one call of the interpreter: what lives within a run never leaves the cache.

Registers that are the same for all threads, or for all programs, are smaller arrays. What is computed of those alone is
done first, once for each size, so that a run is up to four stretches of bytecode: for one value, for the threads, for
the programs, and for all of both. Which registers are small is seen when a run begins, and its bytecode is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, Bits

from .bytecode import BETWEEN, BYTES, DATA, GIVEN, OPERAND, ROLE, STEP, WANTED, address, interpret
from .rule import COPY
from .table import TABLE, code

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.program import ProgramStep
    from kbtools_plugins.ptx.machine.group import Group

THREADS, PROGRAMS, ALL = 1, 2, 3
"""Along which a register differs; 0 for none."""
CALL, WORTH = 1500, 30_000
"""A call of numpy takes as long as work on so many threads, and one of the interpreter as long as on so many."""


@dataclass
class Value:
    """What a register holds from one write to the next."""

    number: int
    width: int
    along: int
    needed: bool = False
    """Whether something outside its stretch reads it."""


@dataclass(frozen=True)
class Operation:
    """One instruction of the bytecode."""

    rule: str
    result: Value
    sources: tuple[Value, ...]


@dataclass
class Stretch:
    """The operations of one size: bytecode, and the values whose arrays it is given."""

    along: int
    steps: Bits
    operands: Bits
    outside: Bits
    """Rows of operands that have arrays."""
    arrays: list[Value]


@dataclass
class FusedPlan:
    """A run for registers of some sizes."""

    values: list[Value]
    """Those of `inputs` first."""
    results: list[tuple[int, Value]]
    stretches: list[Stretch]


@dataclass
class FusedSteps:
    """Steps that the interpreter can do at once, and what they read, leave and end."""

    steps: list[ProgramStep]
    inputs: list[int] = field(init=False)
    lasting: list[int] = field(init=False)
    gone: set[int] = field(init=False)
    plans: dict[tuple[tuple[int, ...], tuple[int, ...]], FusedPlan] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known: set[int] = set()
        reads: dict[int, None] = {}
        live: dict[int, bool] = {}
        for step in self.steps:
            for _, sources, result in step.micros:
                reads.update(dict.fromkeys(slot for slot in sources if slot not in known))
                known.add(result)
            live.update(dict.fromkeys(step.writes, True))
            live.update(dict.fromkeys(step.kills, False))
        self.inputs = list(reads)
        self.lasting = [slot for slot, lives in live.items() if lives]
        self.gone = {slot for slot, lives in live.items() if not lives}

    def suits(self, group: Group) -> bool:
        """Whether it is worth a call, and nothing uninitialised has to be followed."""
        if len(self.steps) * (CALL + group.count * group.threads) < WORTH:
            return False
        watched = self.inputs if group.merge is None else (*self.inputs, *self.lasting)
        return not group.poison or not any(slot in group.poison for slot in watched)

    def run(self, group: Group, *, alone: bool) -> bool:
        """Whether all is done; if not, nothing has changed. Registers end only where no other path needs them."""
        if not self.suits(group):
            return False
        kept = self.kept(group)
        given = [group.read(slot) for slot in (*self.inputs, *kept)]
        if group.merge is not None:
            given.append(group.merge)
        sizes = tuple(differs(array) for array in given)
        if ALL not in sizes and not {THREADS, PROGRAMS} <= set(sizes):
            return False
        plan = self.plan((group.threads, len(self.inputs), *kept), sizes, group)
        arrays = {value.number: np.ascontiguousarray(array) for value, array in zip(plan.values, given, strict=False)}
        if not all(do(stretch, arrays, group) for stretch in plan.stretches):
            return False
        for slot, value in plan.results:
            group.registers[slot] = arrays[value.number]
        ended = self.gone if alone else ()
        for slot in ended:
            group.registers[slot] = None
        if group.poison:
            for slot in (*self.lasting, *ended):
                group.poison.pop(slot, None)
        return True

    def kept(self, group: Group) -> tuple[int, ...]:
        """Results that keep what they were in threads that are elsewhere."""
        if group.merge is None:
            return ()
        return tuple(slot for slot in self.lasting if group.registers[slot] is not None)

    def plan(self, key: tuple[int, ...], sizes: tuple[int, ...], group: Group) -> FusedPlan:
        """The bytecode for registers of these sizes, of which those from the third of the key on are merged."""
        if (key, sizes) not in self.plans:
            self.plans[key, sizes] = planned(self, sizes, key[0], key[2:], group.program.widths)
        return self.plans[key, sizes]


def differs(array: Bits) -> int:
    """Along which a register differs."""
    return (array.shape[1] != 1) * THREADS | (array.shape[0] != 1) * PROGRAMS


def fuse(steps: Sequence[ProgramStep]) -> list[ProgramStep | FusedSteps]:
    """Steps of a block, those that the interpreter can do at once together."""
    pieces: list[ProgramStep | FusedSteps] = []
    waiting: list[ProgramStep] = []
    for step in [*steps, None]:
        if step is not None and step.micros and step.guard is None:
            waiting.append(step)
            continue
        if any(micro[0] != COPY for each in waiting for micro in each.micros):
            pieces.append(FusedSteps(waiting))
        else:
            pieces += waiting
        waiting = []
        if step is not None:
            pieces.append(step)
    return pieces


def planned(
    run: FusedSteps, sizes: Sequence[int], threads: int, kept: tuple[int, ...], widths: Sequence[int]
) -> FusedPlan:
    """Names each value once, and cuts the operations into stretches; the merged registers and the mask come last."""
    slots = (*run.inputs, *kept)
    given = [*(widths[slot] for slot in slots), 1][: len(sizes)]
    values = [Value(at, width, size) for at, (width, size) in enumerate(zip(given, sizes, strict=True))]
    now = dict(zip(run.inputs, values, strict=False))
    operations: list[Operation] = []

    def add(rule: str, sources: tuple[Value, ...]) -> Value:
        along = 0
        for value in sources:
            along |= value.along
        made = Value(len(values), TABLE[rule].result, along)
        values.append(made)
        operations.append(Operation(rule, made, sources))
        return made

    mask = values[-1]
    before = dict(zip(kept, values[len(run.inputs) :], strict=False))
    for step in run.steps:
        for rule, sources, result in step.micros:
            read = tuple(now[slot] for slot in sources)
            now[result] = read[0] if rule == COPY else add(rule, read)
    for slot, old in before.items():
        now[slot] = add("selp.bool" if old.width == 1 else f"selp.uint{old.width}", (now[slot], old, mask))
    for operation in operations:
        for value in operation.sources:
            value.needed |= value.along != operation.result.along
    results = [(slot, now[slot]) for slot in run.lasting]
    for _, value in results:
        value.needed = True
    inputs = set(range(len(given)))
    stretches = [
        stretch(along, [each for each in operations if each.result.along == along], threads, inputs)
        for along in range(ALL + 1)
    ]
    return FusedPlan(values, results, [each for each in stretches if len(each.steps)])


def stretch(along: int, operations: list[Operation], threads: int, inputs: set[int]) -> Stretch:
    """The bytecode of one size. Values that nobody outside needs share operands, as registers do."""
    made = {operation.result.number for operation in operations}
    last = {value.number: at for at, each in enumerate(operations) for value in (*each.sources, each.result)}
    places: dict[int, int] = {}
    rows: list[tuple[int, int, int, int, int, int]] = []
    arrays: list[Value] = []
    free: dict[int, list[int]] = {}
    steps = np.zeros((len(operations), 6), STEP)
    for at, operation in enumerate(operations):
        for value in operation.sources:
            if value.number not in places and (value.number in inputs or value.number not in made):
                places[value.number] = len(rows)
                rows.append(row(value, along, GIVEN, threads))
                arrays.append(value)
        result = operation.result
        if result.needed:
            places[result.number] = len(rows)
            rows.append(row(result, along, WANTED, threads))
            arrays.append(result)
        elif free.get(result.width):
            places[result.number] = free[result.width].pop()
        else:
            places[result.number] = len(rows)
            rows.append((0, 0, 0, 0, size(result.width), BETWEEN))
        sources = [places[value.number] for value in operation.sources]
        steps[at] = (code(operation.rule), places[result.number], *sources, *[sources[0]] * (4 - len(sources)))
        for value in {value.number: value for value in (*operation.sources, result)}.values():
            if value.number in made and not value.needed and last[value.number] == at:
                free.setdefault(value.width, []).append(places[value.number])
    operands = np.array(rows, OPERAND).reshape(-1, 6)
    return Stretch(along, steps, operands, np.flatnonzero(operands[:, ROLE] != BETWEEN), arrays)


def row(value: Value, along: int, role: int, threads: int) -> tuple[int, int, int, int, int, int]:
    """How a stretch walks through the array of a value."""
    if value.along == along:
        return 0, 0, threads if along == ALL else 0, 1, size(value.width), role
    outer, inner = (value.along >> 1 & 1, value.along & 1) if along == ALL else (0, 0)
    return 0, 0, outer, inner, size(value.width), role


def size(width: int) -> int:
    """Bytes of a register."""
    return max(1, width // 8)


def do(stretch: Stretch, arrays: dict[int, Bits], group: Group) -> bool:
    """Lets the interpreter do a stretch; what it makes is added to the arrays."""
    shape = (group.count if stretch.along & PROGRAMS else 1, group.threads if stretch.along & THREADS else 1)
    operands = stretch.operands.copy()
    used = []
    for value in stretch.arrays:
        if value.number not in arrays:
            arrays[value.number] = np.empty(shape, UNSIGNED[value.width])
        used.append(arrays[value.number])
    operands[stretch.outside, DATA] = [address(array) for array in used]
    operands[stretch.outside, BYTES] = [array.nbytes for array in used]
    outer, inner = (shape[0], shape[1]) if stretch.along == ALL else (1, max(shape))
    return interpret(stretch.steps, operands, outer, inner)
