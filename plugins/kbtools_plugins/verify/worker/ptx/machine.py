"""The machine that executes a trace's kernels as PTX: tensors become buffers of a launch, and keep what it wrote."""

from __future__ import annotations

import math
import re
import resource
import struct
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from kbtools_plugins.ptx.faults import Fault, GlobalRace, LimitExceeded, SharedRace, Uninitialised
from kbtools_plugins.ptx.faults import Unsupported as UnknownInstruction
from kbtools_plugins.ptx.launch import Buffer, launch, load
from kbtools_plugins.ptx.machine.limits import LaunchLimits
from kbtools_plugins.ptx.memory.buffer import Pointer
from kbtools_plugins.verify.protocol.compiling import LaunchProgram
from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.operators import ALLOWED, base_name, is_allocation, moves
from kbtools_plugins.verify.protocol.replaying import ReplayRun, RunResult
from kbtools_plugins.verify.protocol.trace import TensorRef, TraceStep, refs
from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.worker.ptx.marks import WrittenBytes, moved
from kbtools_plugins.verify.worker.replay.faults import OutOfTime, OutsideBuffers, Race, UnsupportedKind
from kbtools_plugins.verify.worker.replay.machine import Machine, torch_operator
from kbtools_plugins.verify.worker.replay.poison import Unwritten

_LAUNCH_SHARE = 0.9
"""Of what is left of the process's time."""


class PtxMachine(Machine):
    """Executes one trace, each launch's program run by kbtools_plugins.ptx."""

    watches = True
    """Whether races are looked for, and what depends on memory that nobody wrote."""

    def __init__(self, *trace_and_rules: Any, programs: Mapping[int, LaunchProgram], lines: tuple[int, ...]) -> None:
        """`programs` are by the identity of each launch; `lines` the candidate's for each of the clean module."""
        super().__init__(*trace_and_rules)
        self._programs = programs
        self._lines = lines
        self._fused, self._turn = False, 0
        self._only: list[int] = []

    def run(self, inputs: list[torch.Tensor], wanted: ReplayRun) -> RunResult:
        """Outputs and the inputs' values afterwards."""
        self._fused, self._only, self._turn = wanted.fused, wanted.programs, wanted.turn
        return super().run(inputs, wanted)

    def forget(self, seed: int, turn: int) -> None:
        """Start with no memory and no marks."""
        super().forget(seed, turn)
        self._marks, self._stored = WrittenBytes(), WrittenBytes()
        self._race: Race | None = None
        self._skips = False
        self._ran: set[str] = set()
        self._instructions = 0

    def place(self, inputs: list[torch.Tensor], state: dict[str, Tensor]) -> None:
        """Lay out memory, all of it written but for what lies between the elements of an input."""
        super().place(inputs, state)
        views = iter(self._inputs)
        for number, storage in enumerate(self._trace.storages):
            if storage.origin == "fresh":
                continue
            is_input = storage.origin == "input"
            if not self._marks.knows(number):
                self._marks.begin(number, _size(self._bases[number]), written=not is_input)
            if is_input:
                self._marks.write(_ref_of(next(views), number))

    def execute(self, order: str = "forward", shift: int = 0) -> None:
        """Run the steps that matter to the outputs."""
        self._skips, self._reverse, self._shift = order == "skip", order == "reverse", shift
        with torch.no_grad(), torch.device(self.device):
            for step in self._steps:
                if not step.kernel:
                    self.operate(step)
                elif not self._skips and 0 not in step.grid:
                    self._launch(step)

    def results(self) -> RunResult:
        """What the last execution has left; Unwritten if that depends on what nothing was written to, else a race."""
        if not self._skips and not self._only:
            for number, ref in enumerate(refs(self._trace.outputs)):
                self._marks.require(ref, f"output {number}")
            for name, tree in self._trace.buffers.items():
                for ref in refs(tree):
                    if self._marks.knows(ref.storage):
                        self._marks.require(ref, f"the buffer {name}")
        if self._race:
            raise self._race
        stored = [self._stored.elements(ref) for ref in refs(self._trace.outputs)] if self._only else []
        known = {"ran": sorted(self._ran), "stored": stored, "instructions": self._instructions}
        return super().results().model_copy(update=known)

    def operate(self, step: TraceStep) -> None:
        """Run one operator, and mark what it has written."""
        known = {ref.storage for ref in step.results if self._marks.knows(ref.storage)}
        doubt = self._doubt(step)
        super().operate(step)
        for ref in step.results:
            if "empty" in base_name(step.operator):
                self._marks.begin(ref.storage, _size(self._bases[ref.storage]), written=False)
            elif ref.storage not in known:
                self._marks.begin(ref.storage, _size(self._bases[ref.storage]), written=True)
                self._marks.write(ref, doubt)
            elif _writes(step):
                self._marks.write(ref, doubt)

    def _doubt(self, step: TraceStep) -> torch.Tensor | None:
        """Where the result of an operator depends on what was never written; None for nowhere."""
        given = {str(ref): self._marks.unwritten(ref) for ref in refs([step.args, step.kwargs])}
        if is_allocation(step.operator) or _only_views(step) or all(found is None for found in given.values()):
            return None
        if not moves(step.operator):
            return torch.ones(step.results[0].shape, dtype=torch.bool)

        def arguments(mark: bool) -> tuple[Any, Any]:
            def filled(ref: TensorRef) -> torch.Tensor:
                missing = given[str(ref)]
                ones = torch.zeros(ref.shape) if missing is None else (missing & mark).float()
                return ones.to(getattr(torch, ref.dtype))

            return self._value(step.args, filled), self._value(step.kwargs, filled)

        return moved(torch_operator(step), arguments)

    def _launch(self, step: TraceStep) -> None:
        """Run one launch; a fault of it is raised as those of the other machines are."""
        program = self._programs.get(id(step))
        if program is None:
            raise UnsupportedKind(f"{step.kernel} for newer devices")
        given = {name: value for name, value in step.bound.items() if program.parameters.get(name) != "constexpr"}
        arguments = {name: self._launch_value(value) for name, value in given.items()}
        try:
            self._run(program, step, arguments, check_races=self.watches and self._race is None)
        except UnknownInstruction as error:
            raise UnsupportedKind(error.reason) from None
        except LimitExceeded as error:
            raise OutOfTime(self._told(error, step)) from None
        except (GlobalRace, SharedRace) as error:
            self._race = Race(self._told(error, step))
            if load(program.text, program.name).orders:  # its counters and locks are no longer what they were
                raise self._race from None
            self._launch(step)  # whether it reads what nobody wrote is still to be seen
        except Uninitialised as error:
            raise Unwritten(self._told(error, step)) from None
        except Fault as error:
            raise OutsideBuffers(self._told(error, step)) from None

    def _launch_value(self, tree: Tree) -> Any:
        """The value of an argument; functions are in the program already."""
        return None if isinstance(tree, dict) and "function" in tree else super()._launch_value(tree)

    def _run(self, program: LaunchProgram, step: TraceStep, arguments: dict[str, Any], *, check_races: bool) -> None:
        buffers = self._buffers(step)
        places = {_address(self._bases[storage]): buffer for storage, buffer in buffers.items()}
        report = launch(
            program.fused if self._fused and program.fused else program.text,
            program.name,
            grid=step.grid,
            arguments=[
                value
                for name, kind in program.parameters.items()
                for value in _values(arguments.get(name), kind, places)
            ],
            num_warps=program.num_warps,
            shared_bytes=program.shared_bytes,
            scratch_bytes=program.scratch_bytes,
            check_races=check_races,
            poison=self.watches,
            limits=LaunchLimits(seconds=_seconds_left()),
            reverse=self._reverse,
            shift=self._shift,
            only=self._only,
            seed=self._turn if self._fused and _is_movable(program.text) else None,
        )
        self._instructions += report.instructions
        self._ran.add(f"PTX {report.version} for {report.target}")
        for storage, buffer in buffers.items():
            if buffer.initialised is not None:
                self._marks.put(storage, buffer.initialised)
            if buffer.stored is not None:
                self._stored.put(storage, buffer.stored)

    def _buffers(self, step: TraceStep) -> dict[int, Buffer]:
        """The memory that a launch is given, by storage, named as the first parameter that points there."""
        found: dict[int, Buffer] = {}
        for name, value in step.bound.items():
            for ref in refs(value):
                if ref.storage not in found:
                    data = np.asarray(_bytes(self._bases[ref.storage]))
                    found[ref.storage] = Buffer(name, data, self._written(ref.storage))
        return found

    def _written(self, storage: int) -> npt.NDArray[np.uint8] | None:
        """The marks of a storage; None if all of it was written."""
        marks = self._marks.of(storage)
        return None if marks.all() else marks

    def _told(self, fault: Fault, step: TraceStep) -> str:
        """The fault with the candidate's own lines."""

        def original(found: re.Match[str]) -> str:
            number = int(found[1])
            return f"line {self._lines[number - 1]}" if 0 < number <= len(self._lines) else found[0]

        return f"kernel {step.kernel}: " + re.sub(r"\bline (\d+)", original, str(fault))


def _is_movable(text: str) -> bool:
    """Whether a kernel has approximations that a device may round otherwise, all of them within every tolerance."""
    return ".approx" in text and "tanh.approx" not in text


def _seconds_left() -> float:
    """Processor time that a launch may take, so that it can be said where it was when that is used up."""
    most, _ = resource.getrlimit(resource.RLIMIT_CPU)
    return max(0.1, _LAUNCH_SHARE * (most - time.process_time())) if most > 0 else math.inf


def _ref_of(view: torch.Tensor, storage: int) -> TensorRef:
    dtype = str(view.dtype).removeprefix("torch.")
    return TensorRef(
        storage=storage,
        dtype=dtype,
        offset=int(view.storage_offset()),
        shape=list(view.shape),
        stride=list(view.stride()),
    )


def _writes(step: TraceStep) -> bool:
    """Whether an operator changes memory that was there before."""
    name = step.operator.split(".")
    return ((len(name) > 1 and name[1].endswith("_")) or name[-1].endswith("out")) and not _only_views(step)


def _only_views(step: TraceStep) -> bool:
    return base_name(step.operator) in ALLOWED["view"][1]


def _values(value: Any, kind: Any, buffers: dict[int, Buffer]) -> list[Any]:
    """What a parameter of this kind passes on: nothing for a constexpr, several values for a tuple."""
    if kind == "constexpr":
        return []
    if isinstance(kind, list | tuple):
        return [item for part, each in zip(value, kind, strict=True) for item in _values(part, each, buffers)]
    if hasattr(value, "block_shape"):
        base, *numbers = _taken_apart(value)
        return [_pointer(base, buffers), *numbers]
    if hasattr(value, "data_ptr"):
        return [_pointer(getattr(value, "base", value), buffers)]
    if kind in ("fp16", "bf16"):
        dtype = torch.float16 if kind == "fp16" else torch.bfloat16
        return [torch.tensor([value], dtype=dtype).view(torch.int16).numpy().tobytes()]
    if kind in ("fp32", "fp64"):
        return [struct.pack("<f" if kind == "fp32" else "<d", value)]
    return [value]


def _taken_apart(descriptor: Any) -> list[Any]:
    """What Triton passes on for a descriptor that the host has made, where a device has none."""
    from triton.backends import driver, nvidia

    if hasattr(driver, "decompose_descriptor"):
        return list(driver.decompose_descriptor(descriptor))
    return list(nvidia.driver.make_tensordesc_arg(descriptor, None))  # before Triton 3.9


def _pointer(tensor: torch.Tensor, buffers: dict[int, Buffer]) -> Pointer:
    return Pointer(buffers[_address(tensor)], int(tensor.storage_offset()) * tensor.element_size())


def _bytes(tensor: torch.Tensor) -> Any:
    """The memory of a tensor's whole storage, shared with it."""
    return torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage()).numpy()


def _address(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage().data_ptr())


def _size(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage().nbytes())
