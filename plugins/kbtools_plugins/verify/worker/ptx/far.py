"""The machine for traces larger than any memory: some programs of each launch run, and only where they go counts.

Memory reads as zeros but for whole numbers among the inputs, and takes room where a program stores. No operator of
torch runs. What leads a program out of a buffer is a fault here as anywhere; of values nothing is said.
"""

from __future__ import annotations

import math
import mmap

import numpy as np
import numpy.typing as npt
import torch

from kbtools_plugins.verify.protocol.replaying import ReplayRun, RunResult, some_programs
from kbtools_plugins.verify.protocol.trace import Storage
from kbtools_plugins.verify.worker.nowhere import mapped, view_of
from kbtools_plugins.verify.worker.ptx.machine import PtxMachine
from kbtools_plugins.verify.worker.tensors import copy_values


class FarMachine(PtxMachine):
    """Executes launches of one trace in part."""

    watches = False

    def run(self, inputs: list[torch.Tensor], wanted: ReplayRun) -> RunResult:
        """How much has run; a fault is raised."""
        self.forget(wanted.shift, wanted.turn)
        self._reverse, self._shift = False, 0
        self._bases = {number: _memory(storage) for number, storage in enumerate(self._trace.storages)}
        for number, storage in enumerate(self._trace.storages):
            if storage.origin == "input" and (given := inputs[storage.index]).numel():
                copy_values(given, view_of(self._bases[number], given))
        with torch.no_grad():
            for step in self._steps:
                if step.kernel and 0 not in step.grid:
                    self._only = [*some_programs(math.prod(step.grid), wanted.shift)]
                    self._launch(step)
        return RunResult(instructions=self._instructions)

    def _written(self, storage: int) -> npt.NDArray[np.uint8] | None:
        return None


def _memory(storage: Storage) -> torch.Tensor:
    memory = mapped(storage.size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED)
    if storage.content:
        memory[: len(storage.content)] = torch.frombuffer(bytearray(storage.content), dtype=torch.uint8)
    return memory
