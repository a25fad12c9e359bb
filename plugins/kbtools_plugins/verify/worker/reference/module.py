"""A reference as it is loaded: its instance with a state that counts, its forwards in each mode, its own inputs."""

from __future__ import annotations

import copy
import random
from contextlib import nullcontext
from functools import cached_property
from typing import Any

import torch
from torch.utils._pytree import tree_map_only

from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.reference import (
    ReferenceJob,
    UpdatedBuffer,
)
from kbtools_plugins.verify.worker import loading
from kbtools_plugins.verify.worker.reference import state as module_state
from kbtools_plugins.verify.worker.reference.inputs import varied
from kbtools_plugins.verify.worker.reference.layout import Operators
from kbtools_plugins.verify.worker.reference.shapes import SingleDraws, forms
from kbtools_plugins.verify.worker.tensors import (
    Inputs,
    clone_tree,
    encode,
    encode_tensor,
)

_READING = "aten._local_scalar_dense.default"
"""Whoever asks for a number of a tensor's may choose what to do by it."""
_ATTEMPTS = 20
"""Seeds that are tried for other shapes."""


class ReferenceModule:
    """The class or function of a reference, constructed once; each forward is one of a copy."""

    def __init__(self, job: ReferenceJob) -> None:
        self._seeds = job.seeds
        self._decoys = job.decoy_seeds
        self._module = loading.load(job.code, "reference")
        self._entry = getattr(self._module, job.entry)
        given = self._module.get_init_inputs() if hasattr(self._module, "get_init_inputs") else []
        self._args, self._kwargs = loading.split_init_inputs(given)
        self.init = encode((self._args, self._kwargs))
        self.instance = self._construct()
        self.decoy_state: dict[str, Tensor] = {}
        """Other values of the parameters that a recording can be made with."""
        self.other_values: dict[str, torch.Tensor] = {}
        """The same as tensors."""
        self.counters: set[str] = set()
        """Buffers that a forward updates and that nothing depends on."""
        self._updated: set[str] = set()

    def _construct(self) -> Any:
        return loading.construct(self._entry, copy.deepcopy(self._args), copy.deepcopy(self._kwargs))

    def modes(self) -> list[str]:
        """The modes that it has; a function has one."""
        return ["train", "eval"] if isinstance(self.instance, torch.nn.Module) else ["train"]

    def given(self, seed: int) -> Inputs:
        """What the reference's own function gives; always of the same shapes."""
        return self._drawn(seed, self._seeds[0] if self._shapes_change else None)

    def _drawn(self, seed: int, shapes: int | None) -> Inputs:
        """What it gives for a seed, with the shapes of another one if that is given."""
        loading.seed(seed)
        random.seed(seed if shapes is None else shapes)
        with nullcontext() if shapes is None else SingleDraws(shapes):
            given = self._module.get_inputs()
        return tuple(given) if isinstance(given, list | tuple) else (given,)

    @cached_property
    def _shapes_change(self) -> bool:
        """Whether its function gives other shapes for other seeds."""
        seeds = [*self._seeds, *self._decoys]
        return len({str(forms(self._drawn(seed, None))) for seed in seeds}) > 1

    def of_other_shapes(self) -> tuple[Inputs, Inputs] | None:
        """Inputs of other shapes than the first ones, and decoys of the same; None if all have one."""
        if not self._shapes_change:
            return None
        first = forms(self.given(self._seeds[0]))
        drawn = random.Random(self._seeds[0])
        for shapes in (drawn.getrandbits(31) for _ in range(_ATTEMPTS)):
            if forms(inputs := self._drawn(self._seeds[-1], shapes)) != first:
                return inputs, self._drawn(self._decoys[0], shapes)
        return None

    def inputs(self, seed: int) -> Inputs:
        """The same, varied where that function gives the same for each seed."""
        inputs = self.given(seed)
        if seed != self._seeds[0] and module_state.equal(inputs, self.inputs(self._seeds[0])):
            return tuple(tree_map_only(torch.Tensor, varied, inputs))
        return inputs

    def forward(self, mode: str, inputs: Inputs) -> object:
        """Outputs of one forward; what it does to its state is forgotten."""
        return self.copy(mode)(*inputs)

    def control(self, mode: str, inputs: Inputs) -> object:
        """Outputs of a second instance that is given the state of the first."""
        second = self._construct()
        if isinstance(self.instance, torch.nn.Module) and isinstance(second, torch.nn.Module):
            second.load_state_dict(copy.deepcopy(self.instance.state_dict()))
        loading.set_mode(second, mode)
        return second(*inputs)

    def copy(self, mode: str) -> Any:
        """An instance of its own for one forward, in this mode; plain functions need none."""
        used = module_state.copied(self.instance) if isinstance(self.instance, torch.nn.Module) else self.instance
        loading.set_mode(used, mode)
        return used

    def with_weights(self, weights: dict[str, torch.Tensor]) -> ReferenceModule:
        """The same with other values of these parameters; itself without any."""
        if not weights:
            return self
        other = copy.copy(self)
        other.instance = module_state.copied(self.instance)
        loading.copy_state(other.instance, weights, {name: name for name in weights})
        return other

    def settle(self, inputs: Inputs) -> None:
        """Move the state off its initial values where the reference takes that, and find the buffers that count."""
        if not isinstance(self.instance, torch.nn.Module):
            return
        forwards = [self._in_mode(mode, inputs) for mode in self.modes()]
        updated: set[str] = set()
        settings = False
        for forward in forwards:
            used = module_state.copied(self.instance)
            with (seen := Operators()):
                forward(used)
            updated |= set(module_state.changes(self.instance, used))
            settings |= _READING in seen.names
        self.instance = module_state.moved(self.instance, updated, self._seeds[0], forwards, settings=settings)
        other = module_state.moved(self.instance, updated, self._decoys[0], forwards)
        changed = module_state.changes(self.instance, other)
        self.other_values = changed
        self.decoy_state = {name: encode_tensor(tensor) for name, tensor in changed.items() if tensor.numel() > 1}
        self._updated = {name for name in updated if module_state.matters(self.instance, name, updated, forwards)}
        self.counters = updated - self._updated

    def _in_mode(self, mode: str, inputs: Inputs) -> module_state.Forward:
        def forward(used: torch.nn.Module) -> object:
            loading.set_mode(used, mode)
            return used(*clone_tree(inputs))

        return forward

    def keeps_other_state(self, mode: str, inputs: Inputs) -> bool:
        """Whether a forward changes more than its state dict."""
        if not isinstance(self.instance, torch.nn.Module):
            return False
        return module_state.keeps_other_state(self.instance, self._in_mode(mode, inputs))

    def weights(self) -> list[str]:
        """Parameters that training changes: buffers keep what the calls before have left there."""
        trained = dict(self.instance.named_parameters()) if isinstance(self.instance, torch.nn.Module) else {}
        return [name for name in self.other_values if name in trained]

    def state_after(self, plain: Any, exact: Any) -> dict[str, UpdatedBuffer]:
        """Buffers that a forward has updated, by its float32 and by its float64 run."""
        if not self._updated:
            return {}
        wide = exact.state_dict()
        return {
            name: UpdatedBuffer(plain=encode_tensor(tensor), exact=encode_tensor(wide[name]))
            for name, tensor in module_state.changes(self.instance, plain).items()
            if name in self._updated
        }
