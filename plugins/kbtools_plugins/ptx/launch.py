"""The door of the package: runs a kernel over a grid, on buffers of the caller.

A `Fault` (faults.py) ends the launch: it is raised, with source line, program and thread, and what the kernel wrote so
far stays in the buffers. `Unsupported` is raised before anything runs, where decoding can tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np

from .bits import Bits
from .decode.decoder import decode
from .decode.origins import UNKNOWN
from .decode.program import Program
from .faults import BadText, LimitExceeded
from .machine import start
from .machine.arguments import Argument, Arguments, encode
from .machine.group import Group
from .machine.limits import LaunchLimits, Meter
from .machine.runner import run
from .memory.buffer import Buffer, Pointer
from .memory.global_memory import GlobalMemory
from .memory.local import LocalMemory
from .memory.order import Order
from .memory.shared import SharedMemory
from .memory.tags import MOST_PROGRAMS
from .text.module import parse

MOST_THREADS = 1024
LARGEST_GRID = (2**31 - 1, 65535, 65535)
HIGHER = 8
"""Buffers that lie below those of a launch in reverse: addresses differ in their highest bits, too."""
SPINNING = 8
"""How many times more threads run at once if programs may wait for each other."""


@dataclass(frozen=True)
class LaunchReport:
    """What a launch did; `approximate` are its instructions that a device may round otherwise."""

    name: str
    version: str
    target: str
    opcodes: tuple[str, ...]
    approximate: tuple[str, ...]
    instructions: int
    """Instructions times threads."""
    seconds: float
    """Processor time."""


@lru_cache(maxsize=64)
def load(text: str, entry: str | None = None, seed: int | None = None) -> Program:
    """A kernel, parsed and decoded once; Unsupported or BadText if it cannot be run."""
    return decode(parse(text), entry, seed)


def launch(
    text: str,
    entry: str | None = None,
    *,
    grid: Sequence[int],
    arguments: Sequence[Argument],
    num_warps: int = 4,
    shared_bytes: int = 0,
    scratch_bytes: int = 0,
    limits: LaunchLimits | None = None,
    check_races: bool = True,
    poison: bool = True,
    seed: int | None = None,
    reverse: bool = False,
    shift: int = 0,
    only: Sequence[int] = (),
) -> LaunchReport:
    """Runs `entry` (the only one of the text, if it has one) for all programs of the grid.

    `arguments` are those of the kernel itself; pointers that Triton adds behind them (scratch memory, `scratch_bytes`
    for each program) are added here. `shared_bytes` is what the launch gives beyond what the kernel declares.
    With a `seed` results of `.approx` are moved within what the manual permits: an output that changes much with it
    hangs on how a device rounds them. Programs that act at the same moment take turns by their numbers, which begin
    `shift` programs later, or in `reverse`; then one program of those that may wait for each other is late.
    With `only` no other programs run, and buffers know where plain stores have been.
    """
    program = load(text, entry, seed)
    sizes = size_of(grid)
    meter = Meter(limits or LaunchLimits())
    memory = GlobalMemory(program.granule, check_races, poison, most=meter.limits.memory)
    if reverse:
        lay_out_backwards(arguments, memory)
    given = encode(program, arguments, memory, scratch_bytes * prod(sizes))
    memory.read_only = read_only(program, given)
    memory.order = Order() if check_races and program.orders else None
    threads = program.threads or (32 * num_warps, 1, 1)
    if not 0 < prod(threads) <= MOST_THREADS:
        raise BadText(f"a program has {prod(threads)} threads")
    shared = program.static_shared + shared_bytes
    with np.errstate(all="ignore"):
        for places in chunks(program, len(only) or prod(sizes), prod(threads), shared, meter.limits):
            numbers = (np.array(only)[places] if only else places + shift) % prod(sizes)
            numbers = prod(sizes) - 1 - numbers if reverse else numbers
            check_numbers(numbers, check_races)
            boxes = [start.Grid(sizes, threads, shared, some) for some in parted(numbers, reverse and program.waits)]
            groups = [group(program, box, given, memory, meter.limits, check_races, poison) for box in boxes]
            run(program, groups, meter)
    if only:
        memory.tell_stored()
    return LaunchReport(
        program.name,
        program.version,
        program.target,
        program.opcodes,
        program.approximate,
        meter.instructions,
        meter.seconds,
    )


def lay_out_backwards(arguments: Sequence[Argument], memory: GlobalMemory) -> None:
    """Buffers in another order and at higher addresses: where memory is, nothing may depend on."""
    for _ in range(HIGHER):
        memory.add(Buffer.empty("no memory", 0))
    for argument in reversed(arguments):
        if isinstance(argument, Buffer | Pointer):
            memory.add(argument if isinstance(argument, Buffer) else argument.buffer)


def parted(numbers: Bits, late: bool) -> list[Bits]:
    """Programs that begin together, and the last one alone if it is to be late."""
    return [numbers[:-1], numbers[-1:]] if late and len(numbers) > 1 else [numbers]


def check_numbers(numbers: Bits, check_races: bool) -> None:
    """LimitExceeded if races between so many programs cannot be told."""
    if check_races and int(numbers.max()) >= MOST_PROGRAMS:
        raise LimitExceeded(f"races are looked for among {MOST_PROGRAMS} programs at most")


def size_of(grid: Sequence[int]) -> tuple[int, int, int]:
    """Three sizes of a grid; those that are not named are 1."""
    x, y, z = (*grid, 1, 1, 1)[:3]
    if len(grid) > 3 or any(not 0 <= size <= most for size, most in zip((x, y, z), LARGEST_GRID, strict=True)):
        raise BadText(f"a grid of {tuple(grid)} programs")
    return int(x), int(y), int(z)


def read_only(program: Program, given: Arguments) -> set[int]:
    """Numbers of buffers that the kernel can only read."""
    if UNKNOWN in program.written:
        return set()
    return set(given.buffers.values()) - {number for name, number in given.buffers.items() if name in program.written}


def chunks(program: Program, total: int, threads: int, shared: int, limits: LaunchLimits) -> Iterator[Bits]:
    """Programs that run at once, as numbers; fewer where registers or shared memory would be too large."""
    lanes = limits.lanes * (SPINNING if program.waits else 1)
    registers = max(1, sum(program.widths) // 8)
    if threads * registers > limits.memory or shared * 5 > limits.memory:
        raise LimitExceeded(f"a program needs more than {limits.memory} bytes")
    lanes = min(lanes, max(threads, limits.memory // (2 * registers)))
    at_once = max(1, min(lanes // threads, limits.memory // (20 * max(1, shared))))
    for first in range(0, total, at_once):
        yield np.arange(first, min(total, first + at_once), dtype=np.int64)[:, None]


def group(
    program: Program,
    box: start.Grid,
    given: Arguments,
    memory: GlobalMemory,
    limits: LaunchLimits,
    check_races: bool,
    poison: bool,
) -> Group:
    """Programs that are about to begin."""
    count, threads = len(box.numbers), prod(box.threads)
    registers, undefined = start.registers(program, box, given.values, given.symbols)
    return Group(
        program=program,
        numbers=box.numbers,
        threads=threads,
        grid=box.programs,
        registers=registers,
        memory=memory,
        shared=SharedMemory(count, box.shared, program.granule, check_races, poison),
        local=LocalMemory(count * threads, program.local, limits.memory),
        poison=undefined if poison else {},
    )


__all__ = ["Buffer", "LaunchReport", "launch", "load"]
