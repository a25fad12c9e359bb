"""Torch without its compiler, which takes as long to import as all the rest and is hardly ever used.

Modes and meta functions of torch hide themselves from the compiler: with the first call each imports it for that.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, TracebackType
from typing import Any

import torch
from torch._compile import _disable_dynamo
from torch._ops import _len_torch_dispatch_stack_pre_dispatch, _pop_mode_from_pre_dispatch
from torch.utils._python_dispatch import _pop_mode, _push_mode

_COMPILER = "torch._dynamo"
_COUNT = torch._C._len_torch_dispatch_stack
"""As it is before a candidate is shown another answer."""
_KNOWN = "__dynamo_disable"
"""Where torch notes for a function what hides it."""


def leave_out() -> None:
    """What hides itself from the compiler imports it no more; where somebody else has imported it, it stays hidden."""
    for plain, recursive in _hiding():
        if not hasattr(plain, _KNOWN):
            setattr(plain, _KNOWN, _hidden_if_needed(plain, recursive))
    _keep_replaced()


def _hiding() -> Iterator[tuple[Callable[..., Any], bool]]:
    """Functions that hide themselves, and whether what they call is hidden, too."""
    code = _disable_dynamo(lambda: None).__code__
    for found in gc.get_objects():
        if isinstance(found, FunctionType) and found.__code__ is code and found.__closure__:
            values = (cell.cell_contents for cell in found.__closure__)
            names = dict(zip(code.co_freevars, values, strict=True))
            yield names["fn"], names["recursive"]


def _hidden_if_needed(plain: Callable[..., Any], recursive: bool) -> Callable[..., Any]:
    hidden: list[Callable[..., Any]] = []

    def called(*args: Any, **kwargs: Any) -> Any:
        if not hidden:
            disable = getattr(sys.modules.get(_COMPILER), "disable", None)
            if disable is None:
                return plain(*args, **kwargs)
            hidden.append(disable(plain, recursive, wrapping=False))
        return hidden[0](*args, **kwargs)

    return called


def _keep_replaced() -> None:
    """The compiler replaces this function where it is still torch's: whoever imports it then has replaced nothing."""
    own = torch.random.manual_seed

    def manual_seed(seed: int) -> torch.Generator:
        return own(seed)

    manual_seed.__doc__ = own.__doc__
    torch.manual_seed = manual_seed


def named(answer: FunctionType, name: str) -> FunctionType:
    """The same as a function of torch.cuda with this name: the compiler takes no two names for one function."""
    own = FunctionType(answer.__code__, answer.__globals__, name, answer.__defaults__, answer.__closure__)
    own.__module__ = "torch.cuda"
    return own


class Aside:
    """Inside, no mode is on and no tensor is asked what a function does with it: to look at tensors changes nothing.

    As torch has it, but for the imports.
    """

    def __enter__(self) -> None:
        self._functions = torch._C.DisableTorchFunction()
        self._functions.__enter__()
        early = range(_len_torch_dispatch_stack_pre_dispatch())  # type: ignore[no-untyped-call]
        self._modes = [_pop_mode_from_pre_dispatch() for _ in early]  # type: ignore[no-untyped-call]
        self._modes += [_pop_mode() for _ in range(_COUNT())]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for mode in reversed(self._modes):
            _push_mode(mode)
        self._functions.__exit__(kind, error, trace)
