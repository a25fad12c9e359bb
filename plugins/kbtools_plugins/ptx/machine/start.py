"""What registers hold when programs begin: constants, parameters, and the special registers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, Bits, constant
from kbtools_plugins.ptx.decode.program import Program
from kbtools_plugins.ptx.faults import Unsupported

WARP = 32


@dataclass(frozen=True)
class Grid:
    """Sizes of a launch, and which of its programs a group has."""

    programs: tuple[int, int, int]
    threads: tuple[int, int, int]
    shared: int
    numbers: Bits


def thread(grid: Grid) -> Bits:
    """Numbers of the threads."""
    return np.arange(grid.threads[0] * grid.threads[1] * grid.threads[2], dtype=np.uint32)[None]


def lane(grid: Grid) -> Bits:
    """Numbers of the threads within their warps."""
    return thread(grid) % np.uint32(WARP)


def along(sizes: tuple[int, int, int], numbers: Bits, axis: int) -> Bits:
    """Coordinate of numbered things in a box."""
    below = int(np.prod(sizes[:axis], dtype=np.int64))
    return (numbers // below % sizes[axis]).astype(np.uint32)


def uniform(value: int) -> Bits:
    """The same for all."""
    return constant(value, 32)


SPECIALS: dict[str, Callable[[Grid], Bits]] = {
    "%laneid": lane,
    "%warpid": lambda grid: thread(grid) // np.uint32(WARP),
    "%nwarpid": lambda grid: uniform(-(-thread(grid).size // WARP)),
    "%smid": lambda grid: uniform(0),
    "%nsmid": lambda grid: uniform(1),
    "%gridid": lambda grid: uniform(0),
    "%dynamic_smem_size": lambda grid: uniform(grid.shared),
    "%total_smem_size": lambda grid: uniform(grid.shared),
    "%lanemask_eq": lambda grid: np.uint32(1) << lane(grid),
    "%lanemask_lt": lambda grid: (np.uint32(1) << lane(grid)) - np.uint32(1),
    "%lanemask_le": lambda grid: (np.uint32(2) << lane(grid)) - np.uint32(1),
    "%lanemask_gt": lambda grid: ~((np.uint32(2) << lane(grid)) - np.uint32(1)),
    "%lanemask_ge": lambda grid: ~((np.uint32(1) << lane(grid)) - np.uint32(1)),
}
"""32 bits each. Clocks are not here: reading them is a step."""
OPEN = ("%smid", "%nsmid", "%gridid", "%warpid", "%nwarpid", "%dynamic_smem_size", "%total_smem_size")
"""Of these, those that a device gives as it likes: nothing may depend on them."""

AXES: dict[str, Callable[[Grid, int], Bits]] = {
    "%tid": lambda grid, axis: along(grid.threads, thread(grid), axis),
    "%ctaid": lambda grid, axis: along(grid.programs, grid.numbers, axis),
    "%ntid": lambda grid, axis: uniform(grid.threads[axis]),
    "%nctaid": lambda grid, axis: uniform(grid.programs[axis]),
}
"""The same for those with three directions."""


def registers(
    program: Program, grid: Grid, arguments: dict[str, bytes], addresses: dict[str, int]
) -> tuple[list[Bits | None], dict[int, Bits]]:
    """Slots at the start, and which of their bits are uninitialised."""
    slots: list[Bits | None] = [None] * len(program.widths)
    for slot, value in program.constants.items():
        slots[slot] = value
    for slot, name in program.specials.items():
        slots[slot] = special(name, grid)
    for load in program.loads:
        slots[load.slot] = parameter(arguments[load.name], load.offset, load.width)
    for slot, (name, offset) in program.symbols.items():
        slots[slot] = constant(addresses[name] + offset, 64)
    for slot, width in program.undefined.items():
        slots[slot] = constant(0, width)
    unknown = {slot: program.widths[slot] for slot, name in program.specials.items() if name in OPEN}
    return slots, {slot: constant(-1, width) for slot, width in (program.undefined | unknown).items()}


def special(name: str, grid: Grid) -> Bits:
    """A special register."""
    base, _, axis = name.partition(".")
    if base in AXES and axis in tuple("xyz"):
        return AXES[base](grid, "xyz".index(axis))
    if name not in SPECIALS:
        raise Unsupported(f"ptx:{name}")
    return SPECIALS[name](grid)


def parameter(data: bytes, offset: int, width: int) -> Bits:
    """Part of a parameter as a uniform register."""
    part = data[offset : offset + width // 8].ljust(width // 8, b"\0")
    return np.frombuffer(part, UNSIGNED[width]).reshape(1, 1)
