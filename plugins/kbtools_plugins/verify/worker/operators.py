"""The job that writes down what a module does, without doing it: operators on meta tensors, which have no data.

Layers and functions, methods and operators of the language are the same here: all that counts is what reaches the
dispatcher. Fused operators are taken apart where the same is often written in two.
"""

from __future__ import annotations

import traceback
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

from kbtools_plugins.verify.protocol.computation import OperatorsJob, OperatorsReply
from kbtools_plugins.verify.protocol.operators import base_name, is_allowed
from kbtools_plugins.verify.protocol.roles import RoleFailure
from kbtools_plugins.verify.protocol.wire import Talk
from kbtools_plugins.verify.worker import cuda_shim, loading

_PARTS = {"addmm": ("mm", "add"), "baddbmm": ("mm", "add"), "addmv": ("mm", "add"), "bmm": ("mm",), "mv": ("mm",),
          "dot": ("mm",), "rsub": ("sub",), "true_divide": ("div",)}  # fmt: skip


def warm_up() -> None:
    """Everything is imported with this module."""


def run(job: OperatorsJob, talk: Talk) -> OperatorsReply | RoleFailure:
    """The operators of one forward, or why there is none."""
    try:
        with cuda_shim.installed(), torch.no_grad(), torch.device("meta"):
            return _traced(job)
    except Exception as error:  # noqa: BLE001 - any fault of the module is reported as one
        return RoleFailure(failed="module_error", error="".join(traceback.format_exception(error))[-2000:])


def _traced(job: OperatorsJob) -> OperatorsReply:
    module = loading.load(job.code, "reference")
    given = module.get_init_inputs() if hasattr(module, "get_init_inputs") else []
    args, kwargs = loading.split_init_inputs(given)
    instance = loading.construct(getattr(module, job.entry), args, kwargs)
    loading.set_mode(instance, "eval")
    inputs = module.get_inputs()
    inputs = inputs if isinstance(inputs, list | tuple) else [inputs]
    with _Recorder() as found:
        instance(*tree_map_only(torch.Tensor, lambda tensor: tensor.to("meta"), tuple(inputs)))
    return OperatorsReply(names=found.names, described=found.described)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []
        self.described: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if names := names_of(func):
            self.names += names
            given = [_described(leaf) for leaf in tree_flatten((args, kwargs or {}))[0]]
            self.described.append(f"{_name(func)}({', '.join(given)})")
        return func(*args, **(kwargs or {}))


def names_of(func: object) -> tuple[str, ...]:
    """What an operator counts as; nothing for one that only moves or makes data."""
    if is_allowed(str(func), (), False):
        return ()
    name = _name(func)
    return _PARTS.get(name, (name,))


def _name(func: object) -> str:
    return base_name(str(func)).rstrip("_").lstrip("_")


def _described(value: object) -> str:
    return f"rank {value.dim()}" if isinstance(value, torch.Tensor) else repr(value)
