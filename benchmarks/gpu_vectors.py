"""Golden vectors of the PTX machine: the same PTX on the same operands, here and through a device's driver.

`verify_gpu.py` runs these first. mma, ex2, tanh and cvt come before the rest: they are what a device rounds on its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from kbtools_plugins.ptx.launch import Buffer, launch
from tests.plugins.ptx.exact import near_bits, random_bits
from tests.plugins.ptx.single import THREADS, kernel

COUNT = 64 * THREADS
_FUNCTIONS = ("ex2.approx.ftz.f32", "tanh.approx.f32", "lg2.approx.f32", "rsqrt.approx.f32", "rcp.approx.ftz.f32",
              "sqrt.approx.f32", "sin.approx.f32", "cos.approx.f32")  # fmt: skip
_CASTS = {"cvt.rn.f16.f32": 16, "cvt.rn.bf16.f32": 16, "cvt.rna.tf32.f32": 32, "cvt.rni.s32.f32": 32,
          "cvt.rzi.s64.f32": 64, "cvt.rz.f16.f32": 16}  # fmt: skip
_DOT = """
import triton
import triton.language as tl


@triton.jit
def product(a_ptr, b_ptr, out_ptr, SIZE: tl.constexpr, DTYPE: tl.constexpr):
    rows = tl.arange(0, SIZE)
    at = rows[:, None] * SIZE + rows[None, :]
    total = tl.dot(tl.load(a_ptr + at), tl.load(b_ptr + at), out_dtype=DTYPE)
    tl.store(out_ptr + at, total)
"""
_SIZE = 32


@dataclass(frozen=True)
class Vector:
    """One kernel and its operands."""

    name: str
    text: str
    operands: tuple[np.ndarray, ...]
    result: np.dtype
    count: int
    result_first: bool
    """Whether the pointer to the result comes before those to the operands."""
    grid: int = 1
    num_warps: int = THREADS // 32
    shared_bytes: int = 0

    def buffers(self) -> list[np.ndarray]:
        """Memory of the kernel's pointers, in order, the result's zero."""
        result = np.zeros(self.count * self.result.itemsize, np.uint8)
        operands = [operand.view(np.uint8).ravel().copy() for operand in self.operands]
        return [result, *operands] if self.result_first else [*operands, result]


Run = Callable[[Vector], np.ndarray]
"""What a kernel writes into its result, as unsigned integers."""


def vectors() -> Iterator[Vector]:
    """Products of tensor cores, functions, casts."""
    yield from _products()
    operand = np.concatenate([random_bits("f32", COUNT // 2, 1), near_bits("f32", COUNT // 2, 2)], 1).ravel()
    for opcode in _FUNCTIONS:
        yield _single(opcode, [operand], 32)
    for opcode, width in _CASTS.items():
        yield _single(opcode, [operand], width)
    for kind in ("e4m3", "e5m2"):
        yield _single(f"cvt.rn.satfinite.{kind}x2.f32", [operand, operand[::-1].copy()], 16)


def _single(opcode: str, operands: Sequence[np.ndarray], width: int) -> Vector:
    count = operands[0].size
    text = kernel(opcode, [width, *(8 * operand.itemsize for operand in operands)])
    return Vector(opcode, text, tuple(operands), np.dtype(f"u{width // 8}"), count, True, count // THREADS)


def _products() -> Iterator[Vector]:
    import torch
    import triton.language as tl

    from kbtools_plugins.ptx.compile import compile_kernel
    from kbtools_plugins.verify.worker.replay.job import load_kernels

    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        product = load_kernels(_DOT).product  # a file, where Triton finds its source
    for dtype, into in ((torch.float16, torch.float32), (torch.bfloat16, torch.float32),
                        (torch.float32, torch.float32), (torch.int8, torch.int32)):  # fmt: skip
        torch.manual_seed(0)
        a, b = (torch.randn(_SIZE, _SIZE).mul(20 if dtype == torch.int8 else 1).to(dtype) for _ in range(2))
        out = torch.empty(_SIZE, _SIZE, dtype=into)
        wanted = tl.int32 if into == torch.int32 else tl.float32
        made = compile_kernel(product, {"a_ptr": a, "b_ptr": b, "out_ptr": out, "SIZE": _SIZE, "DTYPE": wanted})
        operands = tuple(operand.view(torch.uint8).numpy() for operand in (a, b))
        yield Vector(f"mma {str(dtype).removeprefix('torch.')}", made.text, operands, np.dtype("u4"), _SIZE * _SIZE,
                     False, 1, made.num_warps, made.shared_bytes)  # fmt: skip


def on_machine(vector: Vector) -> np.ndarray:
    """What the PTX machine gives."""
    buffers = [Buffer(f"p{number}", data) for number, data in enumerate(vector.buffers())]
    launch(vector.text, grid=(vector.grid,), arguments=buffers, num_warps=vector.num_warps,
           shared_bytes=vector.shared_bytes, check_races=False)  # fmt: skip
    return buffers[0 if vector.result_first else -1].data.view(vector.result)


def on_device(vector: Vector) -> np.ndarray:
    """What the device gives that torch uses. OSError without a driver, RuntimeError if a call of it fails."""
    import torch

    driver = ctypes.CDLL("libcuda.so.1")
    memory = [torch.from_numpy(data).cuda() for data in vector.buffers()]
    module, function = ctypes.c_void_p(), ctypes.c_void_p()
    _check(driver.cuModuleLoadData(ctypes.byref(module), vector.text.encode() + b"\0"))
    name = vector.text.split(".entry ", 1)[1].split("(", 1)[0].strip().encode()
    _check(driver.cuModuleGetFunction(ctypes.byref(function), module, name))
    count = vector.text.split(".entry ", 1)[1].split(")", 1)[0].count(".param")
    values = [ctypes.c_uint64(tensor.data_ptr()) for tensor in memory]
    values += [ctypes.c_uint64(0)] * (count - len(values))  # the scratch memory that Triton adds and these do not use
    pointers = (ctypes.c_void_p * count)(*(ctypes.addressof(value) for value in values))
    _check(driver.cuLaunchKernel(function, vector.grid, 1, 1, 32 * vector.num_warps, 1, 1, vector.shared_bytes,
                                 None, pointers, None))  # fmt: skip
    torch.cuda.synchronize()
    return memory[0 if vector.result_first else -1].cpu().numpy().view(vector.result)


def _check(status: int) -> None:
    if status:
        raise RuntimeError(f"the CUDA driver answers {status}")


def compared(run: Run) -> Iterator[dict[str, object]]:
    """For each vector how many results differ from the machine's, and by how many units in the last place at most."""
    for vector in vectors():
        here, there = on_machine(vector), run(vector)
        places = np.nonzero(here != there)[0]
        steps = np.abs(_ordered(here[places]) - _ordered(there[places]))
        yield {"vector": vector.name, "results": int(here.size), "differ": int(places.size),
               "most_steps": int(steps.max(initial=0))}  # fmt: skip


def _ordered(bits: np.ndarray) -> np.ndarray:
    """Patterns as numbers that follow each other as the values do."""
    width = 8 * bits.itemsize
    wide = bits.astype(object)
    return np.where((bits >> (width - 1)).astype(bool), (1 << width - 1) - wide, wide)
