"""Namespaces of modules and classes as they were, without a look at what is in them.

A fork that looks at 5,700 functions copies 2,000 pages of memory, since their reference counts change: 6 ms. So the
warm process has looked before, and CPython counts the changes of each dictionary (`ma_version_tag`, up to 3.13).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from types import MappingProxyType

Names = dict[str, object]

_COUNT = 24
"""Where a dictionary has its number: behind its reference count, its type and how many entries it has."""
_DICTIONARY = 16
"""Where the proxy of a class's names has the address of their dictionary."""


@dataclass(frozen=True)
class Namespace:
    """What was in a namespace at some time."""

    owner: object
    names: Names
    place: int
    """Where the number of its changes is; 0 where this Python does not count them."""
    number: int

    @classmethod
    def of(cls, owner: object) -> Namespace:
        """What is there now."""
        place = _place(vars(owner)) if _COUNTS else 0
        return cls(owner, dict(vars(owner)), place, _at(place) if place else 0)

    def is_as_it_was(self) -> bool:
        """Whether nothing was changed since; not where that is not counted."""
        return bool(self.place) and _at(self.place) == self.number

    def now(self) -> Namespace:
        """The same namespace as it is now."""
        return self if self.is_as_it_was() else Namespace.of(self.owner)


def _place(namespace: dict[str, object] | MappingProxyType[str, object]) -> int:
    address = id(namespace)
    if isinstance(namespace, MappingProxyType):
        address = ctypes.c_size_t.from_address(address + _DICTIONARY).value
    return address + _COUNT


def _at(place: int) -> int:
    return ctypes.c_uint64.from_address(place).value


def _counts() -> bool:
    """Whether it is so in this Python, tried on a dictionary and a class of its own."""
    own = type("Own", (), {"first": 1})
    plain: dict[str, object] = {"first": 1}
    places = _place(vars(own)), _place(plain)
    seen = [_at(place) for place in places]
    if seen != [_at(place) for place in places]:
        return False
    for value in (2, 3):
        setattr(own, "first", value)  # noqa: B010 - the class has no such attribute for a checker
        plain["first"] = value
        seen += [_at(place) for place in places]
    delattr(own, "first")
    del plain["first"]
    seen += [_at(place) for place in places]
    return len(set(seen)) == len(seen)


_COUNTS = _counts()
