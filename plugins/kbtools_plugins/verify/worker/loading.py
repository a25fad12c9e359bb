"""Running a model's source in a forked process: load it, construct its entry point, set its parameters."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import torch

from kbtools_plugins.verify.worker import paritybench

SEED = 20_240_607
"""Seeds both constructors, so that parameters outside the state dict agree too."""


def load(
    code: str,
    name: str,
    shown: str = "",
    own_builtins: dict[str, object] | None = None,
    compiled: CodeType | None = None,
) -> ModuleType:
    """Execute `code` as module `name`, written to a file of that name so that Triton can read its source.

    With a `shown` path the code says it is there, and no file is written. What is executed may be `compiled` already.
    """
    paritybench.install(code)
    path = Path(f"{name}.py").resolve()
    if shown in ("", str(path)):
        path.write_text(code)
    module = module_from_spec(ModuleSpec(name, SourceFileLoader(name, str(path)), origin=str(path)))
    module.__file__ = shown or str(path)
    if shown not in ("", str(path)):
        module.__spec__ = module.__loader__ = module.__package__ = None  # as what is executed without an import
    if own_builtins is not None:
        module.__dict__["__builtins__"] = own_builtins
    sys.modules[name] = module
    exec(compiled or compile(code, module.__file__, "exec"), module.__dict__)
    return module


def split_init_inputs(given: Any) -> tuple[list[object], dict[str, object]]:
    """Both conventions of `get_init_inputs()`: `[args, kwargs]` (KernelBook) and a plain list of args (KernelBench)."""
    if isinstance(given, dict):
        return [], given
    items = list(given)
    if len(items) == 2 and isinstance(items[0], list | tuple) and isinstance(items[1], dict):
        return list(items[0]), items[1]
    return items, {}


def seed(number: int) -> None:
    """Seed torch on the host; `torch.manual_seed` would also note for each call where it came from, for a device."""
    torch.default_generator.manual_seed(number)


def construct(entry: Any, args: list[object], kwargs: dict[str, object]) -> Callable[..., object]:
    """Seed, then build the module; a plain function is its own instance."""
    if not isinstance(entry, type):
        return entry  # type: ignore[no-any-return]
    seed(SEED)
    instance: Callable[..., object] = entry(*args, **kwargs)
    return instance


class StateMismatch(Exception):
    """The candidate's parameters cannot take the reference's values."""


def counterparts(target: object, state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """What `target` calls the entries of the reference's state: the same, else by position where all shapes agree.

    StateMismatch if neither way fits; a target without any state of its own has no counterparts.
    """
    own = held(target)
    if set(state) <= set(own) or (own and set(own) <= set(state)):
        pairs = {name: name for name in state if name in own}
    elif len(own) == len(state):
        pairs = dict(zip(state, own, strict=True))
    elif not own:
        return {}
    else:
        raise StateMismatch(f"parameters {sorted(own)} do not correspond to the reference's {sorted(state)}")
    for name, mine in pairs.items():
        if own[mine].shape != state[name].shape:
            raise StateMismatch(
                f"parameter {mine} has shape {list(own[mine].shape)}, the reference's has {list(state[name].shape)}"
            )
    return pairs


def held(target: object) -> dict[str, torch.Tensor]:
    """The tensors of a module's state dict, in their registered order; nothing for other objects."""
    if not isinstance(target, torch.nn.Module):
        return {}
    saved = target.state_dict()
    both = {**dict(target.named_parameters()), **dict(target.named_buffers())}
    return {name: tensor for name, tensor in both.items() if name in saved}


def copy_state(target: object, state: Mapping[str, torch.Tensor], names: Mapping[str, str]) -> None:
    """Write the reference's parameters and buffers into their counterparts, where `target` still has them."""
    own = held(target)
    with torch.no_grad():
        for name, mine in names.items():
            if mine in own and own[mine].shape == state[name].shape:
                own[mine].copy_(state[name])


def set_mode(instance: object, mode: str) -> None:
    """Put a module into train or eval mode. One with a method of its own for that is not told what it is already, as
    nobody tells a new module to be trained."""
    if not isinstance(instance, torch.nn.Module):
        return
    own = type(instance).train is not torch.nn.Module.train
    if not own or instance.training != (mode == "train"):
        instance.train(mode == "train")
