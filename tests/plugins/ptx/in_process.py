"""`kernel[grid](...)` on CPU tensors runs on the machine, unprotected in this process: for modules of our own suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from triton.runtime.autotuner import Autotuner
from triton.runtime.jit import JITFunction

from kbtools_plugins.ptx.compile import compile_kernel
from kbtools_plugins.ptx.launch import LaunchReport
from tests.plugins.ptx.harness import execute

Report = Callable[[LaunchReport], None]


@contextmanager
def on_the_machine(report: Report) -> Iterator[None]:
    """Launches go to the machine, and what says "cuda" means this process's memory."""

    def launch(self: Any, *given: Any, grid: Any, warmup: bool = False, **named: Any) -> None:
        names = [parameter.name for parameter in self.params]
        options = {name: value for name, value in named.items() if name not in names}
        bound = {**defaults(self), **dict(zip(names, given, strict=False))}
        bound |= {name: value for name, value in named.items() if name in names}
        sizes = grid(bound) if callable(grid) else grid
        report(execute(compile_kernel(self, bound, options), tuple(sizes), bound))

    with ExitStack() as stack:
        stack.enter_context(patch.object(JITFunction, "run", launch))
        stack.enter_context(patch.object(Autotuner, "run", first_configuration))
        for owner in (torch.Tensor, torch.nn.Module):
            stack.enter_context(patch.object(owner, "cuda", lambda self, *_: self))
        stack.enter_context(patch.object(torch.cuda, "is_available", lambda: True))
        stack.enter_context(OnCpu())
        yield


def defaults(function: Any) -> dict[str, Any]:
    """Values of parameters that a launch may leave out."""
    return {parameter.name: parameter.default for parameter in function.params if parameter.has_default}


def first_configuration(self: Any, *given: Any, **named: Any) -> Any:
    """The first configuration of a tuned kernel; all of them are for verify."""
    return self.fn.run(*given, **named, **self.configs[0].all_kwargs())


class OnCpu(TorchFunctionMode):
    """What is asked for on "cuda" is made in this process's memory."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*map(here, args), **{name: here(value) for name, value in (kwargs or {}).items()})


def here(value: Any) -> Any:
    """A device of CUDA as the CPU."""
    cuda = isinstance(value, str | torch.device) and str(value).startswith("cuda")
    return torch.device("cpu") if cuda else value


def entry(module: ModuleType) -> Any:
    """The model of a module: `ModelNew`, `Model`, or its last one."""
    own = [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__]
    models = [value for value in own if issubclass(value, torch.nn.Module)]
    return getattr(module, "ModelNew", None) or getattr(module, "Model", None) or models[-1]


def built(model: Any, arguments: list[Any]) -> torch.nn.Module:
    """A model from the same seed as any other; arguments may be a list and a dict of names."""
    torch.manual_seed(0)
    given, named = arguments if len(arguments) == 2 and isinstance(arguments[1], dict) else (arguments, {})
    return model(*given, **named)


def outputs(model: torch.nn.Module, inputs: list[Any], training: bool) -> list[torch.Tensor]:
    """What a model gives."""
    with torch.no_grad():
        result = model.train(training)(*inputs)
    return [result] if isinstance(result, torch.Tensor) else [*result]
