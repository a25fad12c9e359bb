"""Operators that a candidate registers with torch.library, as the plain functions that they wrap.

Inside an operator of its own nothing could be seen of what a candidate does: neither its launches' memory nor whether
torch does the work. So `custom_op`, `triton_op` and `wrap_triton` give back what they are given; what only compilers
and autograd ask for (fakes, gradients) is taken and not used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

Function = Callable[..., Any]


class PlainOperator:
    """A function under the interface of `torch.library.CustomOpDef`."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self.default = self

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self._function(*args, **kwargs)

    def _taken(self, *_: object, **__: object) -> Function:
        return lambda function: function

    register_kernel = register_vmap = register_torch_dispatch = _taken

    def register_fake(self, function: Function, /) -> Function:
        """Not needed: the operator is never traced."""
        return function

    def register_autograd(self, *_: object, **__: object) -> None:
        """Not needed: no gradient is taken."""


def install() -> None:
    """From now on operators that are registered in this process are plain functions, but for torch's own."""
    torch.library.custom_op = partial(_register, torch.library.custom_op)
    torch.library.triton_op = partial(_register, torch.library.triton_op)
    torch.library.wrap_triton = lambda kernel: kernel


def _register(torchs: Function, name: str, function: Function | None = None, /, **given: object) -> Any:
    if str(sys._getframe(1).f_globals.get("__name__")).startswith("torch."):  # a module that is imported only now
        return torchs(name, function, **given)
    if function is None:
        return lambda found: _plain(name, found)
    return _plain(name, function)


def _plain(name: str, function: Function) -> PlainOperator:
    operator = PlainOperator(function)
    namespace, _colons, own = name.partition("::")
    setattr(getattr(torch.ops, namespace), own, operator)
    return operator
