"""What the interpreter in C is given: steps, operands, and where their arrays are."""

from __future__ import annotations

import ctypes

import numpy as np

from kbtools_plugins.ptx.bits import Bits

from .library import library

STEP = np.dtype(np.int32)
"""A row for each step: operation, result, and four sources."""
OPERAND = np.dtype(np.int64)
"""A row for each operand: where its array is, its bytes, its steps between programs and threads, width and role."""
DATA, BYTES, OUTER, INNER, WIDTH, ROLE = range(6)
GIVEN, WANTED, BETWEEN = range(3)
"""Roles of operands: arrays to read, arrays to fill, and what lives within a run only."""
DONE, UNSURE, NO_MEMORY = range(3)


def address(array: Bits) -> int:
    """Where the elements of an array begin; the short way wants one that may be written to, and has some."""
    if array.flags.writeable and array.size:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))
    place: int = array.__array_interface__["data"][0]
    return place


def interpret(steps: Bits, operands: Bits, outer: int, inner: int) -> bool:
    """Whether the steps were done; False where numpy has to decide. MemoryError where scratch memory is lacking."""
    machine = library()
    if machine is None:
        return False
    result = machine.kb_run(
        ctypes.c_void_p(address(steps)),
        ctypes.c_int64(len(steps)),
        ctypes.c_void_p(address(operands)),
        ctypes.c_int64(len(operands)),
        ctypes.c_int64(outer),
        ctypes.c_int64(inner),
    )
    if result == NO_MEMORY:
        raise MemoryError("no memory is left for a run")
    if result not in (DONE, UNSURE):
        raise AssertionError("bytecode that does not fit its operands")
    return bool(result == DONE)
