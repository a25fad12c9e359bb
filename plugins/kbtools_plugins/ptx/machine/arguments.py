"""Arguments of a launch as the bytes of its parameters, pointers as made-up addresses."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kbtools_plugins.ptx.decode.program import Program
from kbtools_plugins.ptx.faults import BadText
from kbtools_plugins.ptx.memory.buffer import Buffer, Pointer
from kbtools_plugins.ptx.memory.global_memory import GlobalMemory
from kbtools_plugins.ptx.memory.windows import SPAN
from kbtools_plugins.ptx.text.kernel import Parameter

Argument = Buffer | Pointer | int | float | bool | bytes | None
"""`bytes` are taken as they are: for floats of 16 bits, and whatever else a parameter may hold."""

HIDDEN = 2
"""Pointers that Triton adds: scratch memory in global memory, and that of its profiler."""


@dataclass
class Arguments:
    """What registers are filled with at the start."""

    values: dict[str, bytes] = field(default_factory=dict)
    """Bytes of each parameter."""
    symbols: dict[str, int] = field(default_factory=dict)
    """Addresses of global variables."""
    buffers: dict[str, int] = field(default_factory=dict)
    """Number of the buffer that a parameter points into."""


def encode(program: Program, arguments: Sequence[Argument], memory: GlobalMemory, scratch: int) -> Arguments:
    """Values of all parameters; BadText if there are too many or too few."""
    hidden = len(program.parameters) - len(arguments)
    if not 0 <= hidden <= HIDDEN or any(parameter.size != 8 for parameter in program.parameters[len(arguments) :]):
        raise BadText(f"{program.name} has {len(program.parameters)} parameters, and was given {len(arguments)}")
    added = [Buffer.empty("scratch memory", scratch), Buffer.empty("memory of the profiler", 0)]
    result = Arguments()
    for parameter, argument in zip(program.parameters, [*arguments, *added[:hidden]], strict=True):
        result.values[parameter.name] = value(parameter, argument, memory, result.buffers)
    for name, data in program.data.items():
        result.symbols[name] = memory.add(Buffer(name, np.frombuffer(bytearray(data), np.uint8)))
    return result


def value(parameter: Parameter, argument: Argument, memory: GlobalMemory, buffers: dict[str, int]) -> bytes:
    """One argument."""
    if isinstance(argument, Buffer):
        argument = Pointer(argument)
    if isinstance(argument, Pointer):
        address = memory.add(argument.buffer)
        buffers[parameter.name] = address >> SPAN
        return (address + argument.offset).to_bytes(8, "little")
    if argument is None:
        return bytes(parameter.size)
    if isinstance(argument, bytes):
        return sized(parameter, argument)
    if isinstance(argument, float):
        return sized(parameter, struct.pack("<d" if parameter.size == 8 else "<f", argument))
    return (int(argument) & ((1 << 8 * parameter.size) - 1)).to_bytes(parameter.size, "little")


def sized(parameter: Parameter, data: bytes) -> bytes:
    """Bytes that have to be as many as the parameter's."""
    if len(data) != parameter.size:
        raise BadText(f"parameter {parameter.name} has {parameter.size} bytes, and was given {len(data)}")
    return data
