"""The machine that executes a trace on a CUDA device, every buffer between two guard zones."""

from __future__ import annotations

from typing import Any

import torch

from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.operators import base_name
from kbtools_plugins.verify.protocol.trace import TraceStep
from kbtools_plugins.verify.worker.replay.faults import OutsideBuffers
from kbtools_plugins.verify.worker.replay.machine import Machine
from kbtools_plugins.verify.worker.replay.poison import PATTERNS, poisoned

_MARK = PATTERNS[0]
GUARD_BYTES = 4096
"""Marked bytes on both sides of every buffer; a kernel that changes one has written out of bounds."""


class DeviceMachine(Machine):
    """Executes one trace on the device, every buffer between two guard zones."""

    device = "cuda"

    def forget(self, seed: int, turn: int) -> None:
        """Start with no memory and no guards."""
        super().forget(seed, turn)
        self._guarded: list[tuple[torch.Tensor, int]] = []

    def place(self, inputs: list[torch.Tensor], state: dict[str, Tensor]) -> None:
        """Lay out memory, that which the candidate asks for uninitialised too: asking for it is not work."""
        super().place(inputs, state)  # copied from where they are: moved, an expanded tensor would lose its strides
        for step in self._steps:
            for ref in step.results if _asks_for_memory(step) else ():
                self._bases[ref.storage] = self.memory(self._trace.storages[ref.storage].size, None)

    def memory(self, size: int, content: bytes | None) -> torch.Tensor:
        """Poisoned device memory with the content, if any, in the middle."""
        whole = torch.full((size + 2 * GUARD_BYTES,), _MARK, dtype=torch.uint8, device=self.device)
        middle = whole[GUARD_BYTES : GUARD_BYTES + size]
        middle.copy_(
            torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else poisoned(size, *self.poison)
        )
        self._guarded.append((whole, size))
        return middle

    def adopt(self, memory: torch.Tensor) -> torch.Tensor:
        """The same bytes between guards."""
        guarded = self.memory(memory.numel(), None)
        guarded.copy_(memory)
        return guarded

    def operate(self, step: TraceStep) -> None:
        """Run one operator; memory that it asks for is there already."""
        if not _asks_for_memory(step):
            super().operate(step)

    def check_memory(self) -> None:
        """OutOfBounds if a byte around any buffer has changed."""
        for whole, size in self._guarded:
            for name, zone in (("before", whole[:GUARD_BYTES]), ("after", whole[GUARD_BYTES + size :])):
                if bool((zone != _MARK).any()):
                    raise OutsideBuffers(f"a kernel wrote {name} a buffer of {size} bytes")

    def launch_kernel(self, step: TraceStep, kernel: Any, arguments: dict[str, object]) -> None:
        """Launch with the options that the candidate gave."""
        kernel[tuple(step.grid)](**arguments, **step.options)


def _asks_for_memory(step: TraceStep) -> bool:
    return not step.kernel and step.operator.startswith("aten.") and "empty" in base_name(step.operator)
