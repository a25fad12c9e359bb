"""Other answers than those that were given: the opposite of a truth value, a small and a large number, another text,
something where there was nothing, nothing where there was a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

VARIANTS = 2
_MORE, _MORE_OF_MUCH = 2**20, 2**46
"""Added to numbers: loops over small ones end, and an address stays as aligned as it was."""
_MUCH = 2**20
_A_DEVICE = " cuda:0 CUDA GPU NVIDIA True"


def has_other(value: object) -> bool:
    """Whether a value of this kind can be another one."""
    if isinstance(value, tuple):
        return bool(value) and all(isinstance(item, bool | int | float | str) for item in value)
    return value is None or isinstance(value, bool | int | float | str | dict | list | Mapping | ModuleType)


def variants(value: object) -> int:
    """How many others there are."""
    return VARIANTS if isinstance(value, int | float | str | tuple) and not isinstance(value, bool) else 1


def other(value: object, variant: int) -> object:
    """One of them."""
    match value:
        case bool():
            return not value
        case int() | float():
            much = _MORE_OF_MUCH if isinstance(value, float) or abs(value) > _MUCH else _MORE
            return type(value)(value + much if variant else not value)
        case str():
            return value + _A_DEVICE if variant else ""
        case tuple():
            return tuple(other(item, variant) for item in value)
        case None:
            return Permissive()
        case ModuleType():
            return None
    return Contrary(value)


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
