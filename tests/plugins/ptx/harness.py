"""Triton kernels launched on the machine: torch tensors become buffers, and keep what the kernel wrote."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from kbtools_plugins.ptx.compile import CompiledKernel, assemble, compile_kernel
from kbtools_plugins.ptx.launch import Buffer, LaunchReport, launch
from kbtools_plugins.ptx.memory.buffer import Pointer

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One launch and what it has to give.

    `truth` gets the arguments as they were before the launch, and gives what some of them are afterwards. `tolerance`
    is relative to the largest value of the truth; 0 asks for equal numbers.
    """

    name: str
    kernel: Any
    grid: tuple[int, ...]
    arguments: Callable[[], Arguments]
    truth: Callable[[Arguments], Mapping[str, torch.Tensor]]
    tolerance: float = 0.0
    target: int = 80
    options: Mapping[str, Any] = field(default_factory=dict)
    races: bool = True


def run(case: Case, seed: int | None = None, *, assembles: bool = False) -> tuple[LaunchReport, dict[str, float]]:
    """Launch a case; its error per output, relative to the largest value of the truth.

    A case that `assembles` has to be one that NVIDIA's assembler takes: no device runs any other.
    """
    torch.manual_seed(0)
    arguments = case.arguments()
    before = {name: value.clone() if isinstance(value, torch.Tensor) else value for name, value in arguments.items()}
    compiled = compile_kernel(case.kernel, arguments, case.options, case.target)
    if assembles:
        assemble(compiled.text, case.options, case.target)
    report = execute(compiled, case.grid, arguments, check_races=case.races, seed=seed)
    return report, {name: error(arguments[name], truth) for name, truth in case.truth(before).items()}


def error(got: torch.Tensor, truth: torch.Tensor) -> float:
    """Largest difference over the largest value; infinite where one is NaN and the other is not."""
    got, truth = got.double(), truth.double()
    assert got.shape == truth.shape, (got.shape, truth.shape)
    if not torch.equal(torch.isnan(got), torch.isnan(truth)):
        return float("inf")
    same = (got == truth) | torch.isnan(truth)
    difference = torch.where(same, 0.0, (got - truth).abs()).max().item()
    finite = truth[torch.isfinite(truth)].abs()
    return difference / max(finite.max().item() if finite.numel() else 0.0, 1e-30)


def execute(
    compiled: CompiledKernel,
    grid: Sequence[int],
    arguments: Arguments,
    check_races: bool = True,
    seed: int | None = None,
    reverse: bool = False,
    shift: int = 0,
) -> LaunchReport:
    """Run a compiled kernel on the machine."""
    return launch(
        compiled.text,
        compiled.name,
        grid=grid,
        arguments=launch_arguments(compiled, arguments),
        num_warps=compiled.num_warps,
        shared_bytes=compiled.shared_bytes,
        scratch_bytes=compiled.scratch_bytes,
        check_races=check_races,
        seed=seed,
        reverse=reverse,
        shift=shift,
    )


def launch_arguments(compiled: CompiledKernel, arguments: Arguments) -> list[Any]:
    """What a launch is given for a kernel's parameters; tensors' memory is not copied."""
    buffers: dict[int, Buffer] = {}
    values: list[Any] = []
    for name, kind in compiled.parameters.items():
        values += _values(arguments[name], kind, buffers, name)
    return values


def _values(value: Any, kind: Any, buffers: dict[int, Buffer], name: str) -> list[Any]:
    if kind == "constexpr":
        return []
    if isinstance(kind, tuple):
        return [item for part, each in zip(value, kind, strict=True) for item in _values(part, each, buffers, name)]
    if isinstance(value, torch.Tensor):
        return [_pointer(value, buffers, name)]
    if kind in ("fp16", "bf16"):
        dtype = torch.float16 if kind == "fp16" else torch.bfloat16
        return [torch.tensor([value], dtype=dtype).view(torch.int16).numpy().tobytes()]
    if kind in ("fp32", "fp64"):
        return [struct.pack("<f" if kind == "fp32" else "<d", value)]
    return [value]


def _pointer(tensor: torch.Tensor, buffers: dict[int, Buffer], name: str) -> Pointer:
    storage = tensor.untyped_storage()
    if storage.data_ptr() not in buffers:
        data = torch.empty(0, dtype=torch.uint8).set_(storage).numpy()  # type: ignore[call-overload]
        buffers[storage.data_ptr()] = Buffer(name, np.asarray(data))
    return Pointer(buffers[storage.data_ptr()], tensor.storage_offset() * tensor.element_size())
