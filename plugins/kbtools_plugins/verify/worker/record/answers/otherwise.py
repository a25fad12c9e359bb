"""Other answers than those that were given: the opposite of a truth value, a small and a large number, another text,
something where there was nothing, nothing where there was a module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from types import GeneratorType, ModuleType
from typing import Any

import numpy as np

VARIANTS = 2
_MORE, _MORE_OF_MUCH = 2**20, 2**46
"""Added to numbers: loops over small ones end, and an address stays as aligned as it was."""
_MUCH = 2**20
_MANY = 1_000
_PLAIN = (bool, int, float, str, bytes, np.generic)
_ITERATORS = (GeneratorType, chain, map, filter, zip)
_COLLECTIONS = (dict, list, Mapping, *_ITERATORS)
_A_DEVICE = " cuda:0 CUDA GPU NVIDIA True"


def has_other(value: object) -> bool:
    """Whether a value of this kind can be another one."""
    if isinstance(value, tuple):
        return any(isinstance(item, (*_PLAIN, list)) for item in value)
    return value is None or isinstance(value, (*_PLAIN, *_COLLECTIONS, ModuleType))


def variants(value: object) -> int:
    """How many others there are."""
    several = isinstance(value, (*_PLAIN, tuple, *_COLLECTIONS)) and not isinstance(value, bool | np.bool_)
    return VARIANTS if several else 1


def other(value: object, variant: int, named: Iterable[object] = ()) -> object:
    """One of them; a long collection holds what is `named`, too."""
    match value:
        case bool() | np.bool_():
            return not value
        case np.generic():
            return type(value)(other(value.item(), variant))
        case bytes():
            return b"" if not variant else value[::-1] + b"\x00"
        case int() | float():
            much = _MORE_OF_MUCH if isinstance(value, float) or abs(value) > _MUCH else _MORE
            return type(value)(value + much if variant else not value)
        case str():
            return value + _A_DEVICE if variant else ""
        case tuple():
            items = [other(item, variant) if isinstance(item, (*_PLAIN, list)) else item for item in value]
            made: Any = type(value)
            return made(*items) if hasattr(value, "_fields") else tuple(items)
        case None:
            return Permissive()
        case ModuleType():
            return None
    if isinstance(value, _ITERATORS):
        return chain(value, (Permissive() for _ in range(_MANY))) if variant else iter(())
    return Plentiful(value, named) if variant else Contrary(value)


class Contrary:
    """A collection that holds what the real one does not hold, and the other way round."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __contains__(self, item: object) -> bool:
        return item not in self._real

    def __len__(self) -> int:
        return 0 if len(self._real) else 1

    def __bool__(self) -> bool:
        return not self._real

    def __eq__(self, value: object) -> bool:
        return bool(self._real != value)

    __hash__ = None  # type: ignore[assignment]  # as collections have none

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._real)[::-1])

    def __getitem__(self, key: Any) -> Any:
        absent = isinstance(self._real, Mapping) and key not in self._real
        return Permissive() if absent else self._real[key]

    def get(self, key: Any, default: object = None) -> Any:
        """As of a mapping: what is there is not, and the other way round."""
        return default if key in self._real else Permissive()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Plentiful(Contrary):
    """One that holds all and is long."""

    def __init__(self, real: Any, named: Iterable[object]) -> None:
        super().__init__(real)
        self._named = list(named)

    def __iter__(self) -> Iterator[Any]:
        return chain(self._real, self._named)

    def __contains__(self, item: object) -> bool:
        return True

    def __len__(self) -> int:
        return len(self._real) + _MANY

    def __bool__(self) -> bool:
        return True


class Permissive:
    """What a call gives that would have raised: something that takes everything."""

    def __call__(self, *_: object, **__: object) -> Permissive:
        return self

    def __getattr__(self, name: str) -> Permissive:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: object) -> Permissive:
        return self

    def __len__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        return True


def ordered(kind: type[set[Any]] | type[frozenset[Any]], iterated: Callable[[], bool]) -> Any:
    """A kind of sets that tell when they are iterated, and go through their elements backwards if that says so."""

    class Ordered(kind):  # type: ignore[valid-type, misc]
        def __iter__(self) -> Iterator[Any]:
            items = list(super().__iter__())
            return iter(items[::-1] if iterated() else items)

        def pop(self) -> Any:
            if not self:
                raise KeyError("pop from an empty set")
            item = next(iter(self))
            self.remove(item)
            return item

        def copy(self) -> Any:
            return type(self)(self)

    Ordered.__name__ = Ordered.__qualname__ = kind.__name__
    Ordered.__module__ = "builtins"
    return Ordered


class TookTooLong(BaseException):
    """A forward with another answer took longer than one may."""


def end_it(*_: object) -> None:
    """What a timer calls."""
    raise TookTooLong
