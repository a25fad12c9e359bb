"""The machine that executes a trace's kernels as PTX: tensors become buffers of a launch, and keep what it wrote."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import torch

from kbtools_plugins.ptx.compile import compile_kernel
from kbtools_plugins.ptx.faults import Fault, GlobalRace, LimitExceeded, SharedRace, Unsupported
from kbtools_plugins.ptx.launch import Buffer, launch
from kbtools_plugins.ptx.memory.buffer import Pointer
from kbtools_plugins.verify.protocol.trace import Step, refs
from kbtools_plugins.verify.worker.replay.interpreter import OutOfBounds, Race
from kbtools_plugins.verify.worker.replay.job import Machine, OutOfTime

TARGET, TARGET_FOR_FP8 = 80, 89
"""What kernels are compiled for; fp8 needs instructions that came with sm_89."""


class PtxMachine(Machine):
    """Executes one trace, each launch compiled to PTX and run by kbtools_plugins.ptx."""

    def execute(self, order: str = "forward", shift: int = 0) -> None:
        """Run the steps that matter to the outputs; races are seen in any order, so the grid's is left as it is."""
        with torch.no_grad(), torch.device(self.device):
            for step in self._steps:
                if not step.kernel:
                    self.operate(step)
                elif order != "skip" and 0 not in step.grid:
                    self._launch(step)

    def launch_kernel(self, step: Step, kernel: Any, arguments: dict[str, Any]) -> None:
        """Compile and run one kernel; a fault of it is raised as those of the other machines are."""
        buffers: dict[int, Buffer] = {}
        for ref in refs([*step.bound.values()]):
            base = self._bases[ref.storage]
            buffers[base.untyped_storage().data_ptr()] = Buffer(f"S{ref.storage}", np.asarray(_bytes(base)))
        compiled = compile_kernel(kernel, arguments, step.options, _target(arguments))
        values = [
            value for name, kind in compiled.parameters.items() for value in _values(arguments.get(name), kind, buffers)
        ]
        try:
            launch(
                compiled.text,
                compiled.name,
                grid=step.grid,
                arguments=values,
                num_warps=compiled.num_warps,
                shared_bytes=compiled.shared_bytes,
                scratch_bytes=compiled.scratch_bytes,
            )
        except Unsupported as error:
            raise NotImplementedError(error.reason) from None
        except LimitExceeded as error:
            raise OutOfTime(_told(error, step)) from None
        except (GlobalRace, SharedRace) as error:
            raise Race(_told(error, step)) from None
        except Fault as error:
            raise OutOfBounds(_told(error, step)) from None


def _told(fault: Fault, step: Step) -> str:
    return f"kernel {step.kernel}: {fault}"


def _target(arguments: dict[str, Any]) -> int:
    """The lowest target that has instructions for all types."""
    fp8 = any("float8" in str(getattr(value, "dtype", "")) for value in arguments.values())
    return TARGET_FOR_FP8 if fp8 else TARGET


def _values(value: Any, kind: Any, buffers: dict[int, Buffer]) -> list[Any]:
    """What a parameter of this kind passes on: nothing for a constexpr, several values for a tuple."""
    if kind == "constexpr":
        return []
    if isinstance(kind, tuple):
        return [item for part, each in zip(value, kind, strict=True) for item in _values(part, each, buffers)]
    if hasattr(value, "data_ptr"):
        return [_pointer(getattr(value, "base", value), buffers)]
    if kind in ("fp16", "bf16"):
        dtype = torch.float16 if kind == "fp16" else torch.bfloat16
        return [torch.tensor([value], dtype=dtype).view(torch.int16).numpy().tobytes()]
    if kind in ("fp32", "fp64"):
        return [struct.pack("<f" if kind == "fp32" else "<d", value)]
    return [value]


def _pointer(tensor: torch.Tensor, buffers: dict[int, Buffer]) -> Pointer:
    storage = tensor.untyped_storage()
    offset = int(tensor.storage_offset()) * tensor.element_size()
    return Pointer(buffers[storage.data_ptr()], offset)


def _bytes(tensor: torch.Tensor) -> Any:
    """The memory of a tensor's whole storage, shared with it."""
    return torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage()).numpy()
