"""PTX launched through the driver of a device, on the arguments that the PTX machine takes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from kbtools_plugins.ptx.launch import load, size_of
from kbtools_plugins.ptx.machine.arguments import Argument, sized, value
from kbtools_plugins.ptx.memory.buffer import Buffer, Pointer
from kbtools_plugins.ptx.memory.global_memory import GlobalMemory

_MOST_SHARED = 8
"""CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES."""
_NEVER_MORE_SHARED = 48 * 1024
"""What each kernel may have without asking."""


@dataclass(frozen=True)
class Prepared:
    """One launch: a kernel's text and what it is given, as for `kbtools_plugins.ptx.launch.launch`."""

    text: str
    entry: str | None
    grid: tuple[int, ...]
    arguments: Sequence[Argument]
    num_warps: int
    shared_bytes: int = 0
    scratch_bytes: int = 0


def launch_on_device(prepared: Prepared) -> None:
    """Run it on torch's device; buffers hold afterwards what it wrote.

    OSError without a driver, RuntimeError if a call of it fails: the process can launch nothing after a fault.
    """
    import torch

    driver = ctypes.CDLL("libcuda.so.1")
    torch.zeros(1, device="cuda")
    program, grid = load(prepared.text, prepared.entry), size_of(prepared.grid)
    memory: dict[int, tuple[Buffer, torch.Tensor]] = {}
    scratch = torch.zeros(prepared.scratch_bytes * prod(grid), dtype=torch.uint8, device="cuda")
    hidden = [_address(scratch.data_ptr()), _address(0)]
    given = [*(_encoded(argument, memory) for argument in prepared.arguments), *hidden]
    parameters = [
        sized(parameter, part) if isinstance(part, bytes) else value(parameter, part, GlobalMemory(1, False, False), {})
        for parameter, part in zip(program.parameters, given, strict=False)
    ]
    held = [ctypes.create_string_buffer(data, len(data)) for data in parameters]
    pointers = (ctypes.c_void_p * len(held))(*map(ctypes.addressof, held))
    module, function = ctypes.c_void_p(), ctypes.c_void_p()
    _check(driver.cuModuleLoadData(ctypes.byref(module), prepared.text.encode() + b"\0"), "cuModuleLoadData")
    _check(driver.cuModuleGetFunction(ctypes.byref(function), module, program.name.encode()), "cuModuleGetFunction")
    if prepared.shared_bytes > _NEVER_MORE_SHARED:
        _check(driver.cuFuncSetAttribute(function, _MOST_SHARED, prepared.shared_bytes), "cuFuncSetAttribute")
    threads = program.threads or (32 * prepared.num_warps, 1, 1)
    status = driver.cuLaunchKernel(function, *grid, *threads, prepared.shared_bytes, None, pointers, None)
    _check(status, "cuLaunchKernel")
    torch.cuda.synchronize()
    for buffer, there in memory.values():
        buffer.data[:] = there.cpu().numpy()
    _check(driver.cuModuleUnload(module), "cuModuleUnload")


def _encoded(argument: Argument, memory: dict[int, tuple[Buffer, Any]]) -> Argument:
    """An address on the device in the place of a pointer; its buffer's bytes are copied there once."""
    import torch

    if isinstance(argument, Buffer):
        argument = Pointer(argument)
    if not isinstance(argument, Pointer):
        return argument
    if id(argument.buffer) not in memory:
        memory[id(argument.buffer)] = argument.buffer, torch.from_numpy(np.array(argument.buffer.data)).cuda()
    return _address(memory[id(argument.buffer)][1].data_ptr() + argument.offset)


def _address(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _check(status: int, call: str) -> None:
    if status:
        raise RuntimeError(f"{call}: the CUDA driver answers {status}")
