"""What a candidate's Python keeps from one call to the next: if that changes with each, a later call may do otherwise.

Numbers, texts, containers, iterators, generators, arrays and small tensors that its module, its classes, its functions
and its instance hold, and variables of the environment; of larger parameters and buffers the shape.
"""

from __future__ import annotations

import array
import operator
import os
import random
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from types import FunctionType, GeneratorType, ModuleType
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import _disable_current_modes

from kbtools_plugins.verify.worker.tensors import encode_tensor

_MOST = 2_000
"""Values that are looked at."""
_OF_ONE = 64
"""Items of one container."""
_FEW_BYTES = 2**14
_HOLDERS = ("types", "argparse", "threading", "collections")
"""Modules of classes whose objects hold whatever they are given."""


def fingerprint(module: ModuleType, instance: object) -> tuple[str, ...]:
    """Equal for two moments between which nothing has changed that was looked at."""
    held = [*instance.parameters(), *instance.buffers()] if isinstance(instance, torch.nn.Module) else []
    return tuple(_Look(module, held=held).at([vars(module), instance, dict(os.environ)]))


def reached(module: ModuleType, instance: object) -> list[object]:
    """All that is looked at but for plain values: containers, functions, classes, iterators, tensors."""
    looked = _Look(module, of_one=_MOST)
    deque(looked.at([vars(module), instance]), maxlen=0)
    return looked.kept


class _Look:
    def __init__(self, module: ModuleType, of_one: int = _OF_ONE, held: Iterable[torch.Tensor] = ()) -> None:
        self._module = module
        self._held = set(map(id, held))
        self._of_one = of_one
        self._seen: set[int] = set()
        self.kept: list[object] = []  # so that no number of an object comes back as another's

    def at(self, first: list[object]) -> Iterator[str]:
        """What is found, in the order of the walk."""
        waiting: deque[object] = deque(first)
        for _ in range(_MOST):
            if not waiting:
                return
            value = waiting.popleft()
            if value is None or isinstance(value, bool | int | float | str | bytes):
                yield repr(value)
            elif id(value) not in self._seen:
                self._seen.add(id(value))
                self.kept.append(value)
                text, inner = self._parts(value)
                yield text
                waiting.extend(inner)

    def _parts(self, value: Any) -> tuple[str, list[object]]:
        """What tells a value from what it was, and what it holds."""
        match value:
            case torch.Tensor() | np.ndarray():
                counts = id(value) not in self._held or value.nbytes <= value.itemsize
                return content(value) if counts else str(value.shape), []
            case ModuleType():
                return "", []
            case dict():
                return str(len(value)), [
                    item for name, item in list(value.items())[-self._of_one :] if name != "__builtins__"
                ]
            case list() | tuple() | set() | frozenset() | deque():
                return str(len(value)), list(value)[-self._of_one :]
            case FunctionType():
                return "", self._of_function(value)
            case GeneratorType():
                return of_iterator(value), [dict(value.gi_frame.f_locals)] if value.gi_frame else []
            case random.Random():
                return str(hash(value.getstate())), []
            case bytearray() | array.array():
                return f"{len(value)} {value[-self._of_one :]!r}", []
        return self._of_object(value)

    def _of_object(self, value: Any) -> tuple[str, list[object]]:
        if is_iterator(value):
            return of_iterator(value), []
        if hasattr(value, "cache_info"):
            return str(value.cache_info()), []
        ours = isinstance(value, torch.nn.Module) or type(value).__module__ in (self._module.__name__, *_HOLDERS)
        if ours or (isinstance(value, type) and value.__module__ == self._module.__name__):
            return "", [_names(value)] if hasattr(value, "__dict__") else []
        return _text_of(value), []

    def _of_function(self, function: FunctionType) -> list[object]:
        if function.__module__ != self._module.__name__:
            return []
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        return [*cells, function.__defaults__, function.__kwdefaults__, vars(function)]


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _text_of(value: object) -> str:
    """What an object of Python's own library says of itself, as a date or a fraction does."""
    known = type(value).__module__.partition(".")[0] in sys.stdlib_module_names
    return repr(value) if known and not isinstance(value, type) else ""


def _names(value: object) -> dict[str, object]:
    """What an object or a class holds; the dictionary itself where there is one."""
    names = vars(value)
    return names if isinstance(names, dict) else dict(names)


def content(value: Any) -> str:
    """The shape of a tensor or an array, and where it is small a digest of its elements."""
    if getattr(value, "is_meta", False) or value.nbytes > _FEW_BYTES:
        return str(value.shape)
    if isinstance(value, np.ndarray):
        return f"{value.shape} {hash(value.tobytes())}"
    with torch._C.DisableTorchFunction(), _disable_current_modes():
        return f"{value.shape} {hash(encode_tensor(value).tensor)}"


def is_iterator(value: object) -> bool:
    """Whether it is one of Python's own."""
    return type(value).__module__ in ("itertools", "builtins") and hasattr(value, "__next__")


def of_iterator(value: Any) -> str:
    """Where it stands, as far as it tells."""
    if isinstance(value, GeneratorType):
        frame = value.gi_frame
        return f"{frame.f_lasti} {dict(frame.f_locals)!r}" if frame else ""
    try:
        return f"{value!r} {operator.length_hint(value, -1)} {value.__reduce__()[1:]!r}"
    except Exception:  # noqa: BLE001 - one that tells nothing of itself is not followed
        return ""
