"""mma in C, for tiles of 16 by 8 into f32."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.numerics.formats import widen

from .bytecode import DONE, address
from .library import library

if TYPE_CHECKING:
    from kbtools_plugins.ptx.machine.group import Group

KINDS = {"bf16": 0, "f16": 1, "tf32": 2, "e4m3": 3, "e5m2": 3}
WARP = 32


@cache
def values(kind: str) -> Bits:
    """What each pattern of 8 bits stands for."""
    return widen(np.arange(256, dtype=np.uint8), kind)


def product(
    group: Group, kinds: tuple[str, str], depth: int, registers: Sequence[Sequence[Bits]], rows: int
) -> list[Bits] | None:
    """The four registers of D from those of A, B and C, for `rows` programs; None where numpy has to do it."""
    machine = library()
    if machine is None or group.threads % WARP or any(kind not in KINDS for kind in kinds):
        return None
    shape = (rows, group.threads)
    given = [[np.ascontiguousarray(np.broadcast_to(each, shape)) for each in part] for part in registers]
    made = [np.empty(shape, np.uint32) for _ in range(4)]
    tables = [values(kind) if KINDS[kind] == KINDS["e4m3"] else np.zeros(0) for kind in kinds]
    result = machine.kb_mma(
        *(pointers(part) for part in (*given, made)),
        ctypes.c_int64(rows * group.threads // WARP),
        ctypes.c_int(depth),
        ctypes.c_int(KINDS[kinds[0]]),
        *(ctypes.c_void_p(address(table)) for table in tables),
    )
    return made if result == DONE else None


def pointers(arrays: Sequence[Bits]) -> ctypes.Array[ctypes.c_void_p]:
    """Where arrays begin, for C."""
    return (ctypes.c_void_p * len(arrays))(*(address(array) for array in arrays))
