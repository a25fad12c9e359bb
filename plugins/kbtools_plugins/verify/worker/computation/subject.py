"""A module under comparison: constructed, run on copies of inputs, and the parameters that its forward uses.

Buffers and frozen parameters are part of what a module computes and stay its own; trainable parameters are what it is
given, so they are exchanged.
"""

from __future__ import annotations

import copy
import random
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from kbtools_plugins.verify.protocol.roles import RoleFailure
from kbtools_plugins.verify.worker import cuda_shim, loading
from kbtools_plugins.verify.worker.operators import names_of
from kbtools_plugins.verify.worker.reference.state import equal
from kbtools_plugins.verify.worker.tensors import Inputs, clone_tree, tensors_in

MODES = ("train", "eval")
R = TypeVar("R")


class Unfit(Exception):
    """The module cannot be compared with any other, for a reason of its own."""


def guarded(run: Callable[[], R]) -> R | RoleFailure:
    """What a job gives, or why the module cannot be run."""
    try:
        with cuda_shim.installed(), torch.no_grad():
            return run()
    except Unfit as error:
        return RoleFailure(failed="unfit", error=str(error))
    except Exception as error:  # noqa: BLE001 - any fault of the module is reported as one
        return RoleFailure(failed="module_error", error="".join(traceback.format_exception(error))[-2000:])


class Subject:
    """One module."""

    def __init__(self, code: str, entry: str, init: tuple[list[Any], dict[str, Any]] | None = None) -> None:
        self._module = loading.load(code, "reference")
        self._entry = getattr(self._module, entry)
        self.init = self._own_init() if init is None else init
        args, kwargs = copy.deepcopy(self.init)
        self.instance = loading.construct(self._entry, args, kwargs)

    def _own_init(self) -> tuple[list[Any], dict[str, Any]]:
        given = self._module.get_init_inputs() if hasattr(self._module, "get_init_inputs") else []
        return loading.split_init_inputs(given)

    def inputs(self, seed: int) -> Inputs:
        """What the module's own function gives."""
        with seeded(seed):
            given = self._module.get_inputs()
        return tuple(given) if isinstance(given, list | tuple) else (given,)

    def __call__(self, inputs: Inputs, mode: str, seed: int = 0) -> Any:
        """One forward of a copy in some mode, on copies of the inputs."""
        return self.runner(mode)(inputs, seed)

    def runner(self, mode: str, *, double: bool = False) -> Callable[[Inputs, int], Any]:
        """One forward in some mode, of a copy for each call."""

        def run(inputs: Inputs, seed: int = 0) -> Any:
            used = copy.deepcopy(self.instance) if isinstance(self.instance, torch.nn.Module) else self.instance
            if double and isinstance(used, torch.nn.Module):
                used = used.double()
            loading.set_mode(used, mode)
            with seeded(seed):
                return used(*clone_tree(inputs))

        return run

    def settled_modes(self, inputs: Inputs) -> list[str]:
        """The modes in which chance has no part; Unfit without any."""
        found = [mode for mode in MODES if equal(self(inputs, mode, 1), self(inputs, mode, 2))]
        if not found:
            raise Unfit("two runs on equal inputs gave different outputs")
        return found

    def watched(self, inputs: Inputs, mode: str) -> Watch:
        """The operators of one forward, and the trainable parameters that it uses."""
        used = copy.deepcopy(self.instance)
        loading.set_mode(used, mode)
        found = Watch(used)
        with seeded(0), found:
            used(*clone_tree(inputs))
        return found

    def parameters(self, names: list[str]) -> list[torch.Tensor]:
        """The parameters of these names."""
        held = dict(self.instance.named_parameters()) if isinstance(self.instance, torch.nn.Module) else {}
        return [held[name] for name in names]


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes operators and trainable parameters in the order in which they are used."""

    def __init__(self, module: object) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operators: list[str] = []
        self._used: dict[str, None] = {}
        held = module.named_parameters() if isinstance(module, torch.nn.Module) else ()
        self._names = {_memory(tensor): name for name, tensor in held if tensor.requires_grad}

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters, each once."""
        return list(self._used)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operators += names_of(func)
        if self._names:
            for leaf in tree_flatten((args, kwargs or {}))[0]:
                if isinstance(leaf, torch.Tensor) and (name := self._names.get(_memory(leaf))):
                    self._used.setdefault(name)
        return func(*args, **(kwargs or {}))


def _memory(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Chance starts here."""
    torch.manual_seed(seed)
    random.seed(seed)
    yield


def tensors(values: object) -> list[torch.Tensor]:
    """The tensors of a nested value, in order."""
    return tensors_in(values)


def require_small(subject: Subject, inputs: Inputs, most: int) -> None:
    """Unfit, with `too large` in its text, where inputs and parameters are more than so many elements."""
    held = list(subject.instance.parameters()) if isinstance(subject.instance, torch.nn.Module) else []
    if (count := sum(tensor.numel() for tensor in [*tensors(inputs), *held])) > most:
        raise Unfit(f"too large: inputs and parameters have {count:,} elements")
