"""The candidate's module with the reference's parameters and buffers."""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from kbtools_plugins.verify.protocol.recording import RecordJob
from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.worker import loading
from kbtools_plugins.verify.worker.cuda_shim import CUDA
from kbtools_plugins.verify.worker.record.answers.literals import Literals
from kbtools_plugins.verify.worker.record.own_state import reached
from kbtools_plugins.verify.worker.record.placement import Placement
from kbtools_plugins.verify.worker.tensors import decode, decode_tensor, memory_of, tensors_in

_MOVING = ("to", "_apply")


class Instance:
    """One instance, of a module that was loaded for it."""

    def __init__(self, job: RecordJob, placement: Placement, load: Callable[[], ModuleType]) -> None:
        self._placement = placement
        args, kwargs = self.decoded(job.init)
        self.module = load()
        self.instance = loading.construct(getattr(self.module, job.entry), args, kwargs)
        self._move_to_device()
        with placement.paused():
            self._state = {name: decode_tensor(tensor) for name, tensor in job.state.items()}
            self._weights = {name: decode_tensor(tensor) for name, tensor in job.weights.items()}
        self._names = loading.counterparts(self.instance, self._state)
        self._code = job.code
        self.lacking = [name for name in self._state if name not in self._names]

    def _move_to_device(self) -> None:
        """By its own method, where it has one for that."""
        made = self.instance
        parts = list(made.modules()) if isinstance(made, torch.nn.Module) else []
        own = (getattr(type(part), name) is not getattr(torch.nn.Module, name) for part in parts for name in _MOVING)
        if isinstance(made, torch.nn.Module) and any(own):
            made.to(CUDA)
        self._placement.move_to_device(self.tensors())

    def decoded(self, values: Tree) -> Any:
        """Values that were sent; their tensors are on the device."""
        with self._placement.paused():
            return decode(values)

    def numbers(self) -> list[int]:
        """Whole numbers that its text compares something with."""
        found = Literals.of(ast.parse(self._code)).like(0)
        return [number for number in found if isinstance(number, int)]

    def reset(self) -> None:
        """Back to the state before any forward: kernels do not run here, so what one leaves behind is not a state."""
        loading.copy_state(self.instance, self._state, self._names)

    def train(self) -> None:
        """Other weights, as an optimizer would leave them; buffers stay."""
        there = {name: self._names[name] for name in self._weights if name in self._names}
        loading.copy_state(self.instance, self._weights, there)

    def tensors(self) -> list[torch.Tensor]:
        """Parameters and buffers as they are now, those outside the state dict too."""
        if not isinstance(self.instance, torch.nn.Module):
            return []
        return [*self.instance.parameters(), *self.instance.buffers()]

    def kept_memory(self) -> set[int]:
        """Numbers of the memory that its Python holds beside its parameters and buffers."""
        held = {memory_of(value) for value in reached(self.module, self.instance) if type(value) is torch.Tensor}
        return held - {memory_of(tensor) for tensor in self.tensors()}

    def on_host(self, outputs: object) -> list[int]:
        """Which of the tensors in what it returned are in the host's memory."""
        return [number for number, tensor in enumerate(tensors_in(outputs)) if self._placement.on_host(tensor)]

    def counterparts(self, names: list[str]) -> dict[str, torch.Tensor]:
        """Its parameters and buffers that correspond to the reference's of these names."""
        own = loading.held(self.instance)
        return {name: own[self._names[name]] for name in names if self._names.get(name) in own}
