"""What is known of a value in a kernel where a launch's numbers are known, and no tensor is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Measure:
    """A number that a value was added to, taken from or held against."""

    key: str
    """Where in the text: the same at every size."""
    value: int
    of: frozenset[str]


@dataclass(frozen=True)
class KernelValue:
    """A number that follows from the launch's, or what a value that does not is made of."""

    number: int | float | None = None
    of: frozenset[str] = _NONE
    """Arguments that it is made of; empty for a constant."""
    extents: frozenset[Measure] = frozenset()
    blocks: frozenset[int] = frozenset()
    """Constants that it goes on by from one program, round or element to the next."""
    vector: bool = False
    """Whether it differs from one element of a block to the next."""
    loaded: bool = False
    """Whether it depends on what is in memory."""
    pointer: bool = False
    absent: bool = False
    """Whether it is None."""

    @property
    def size(self) -> int | None:
        """The number if it is a whole one that depends on arguments."""
        return self.number if type(self.number) is int and self.of else None

    @property
    def constant(self) -> int | None:
        """The number if it is a whole one that depends on none."""
        return self.number if type(self.number) is int and not self.of else None


NOTHING = KernelValue()
"""A value of which nothing matters: a type, a name."""
LOADED = KernelValue(loaded=True)
ABSENT = KernelValue(absent=True)

Thing = KernelValue | tuple["Thing", ...]
"""A value or several."""


def parts(thing: Thing) -> list[KernelValue]:
    """All values in it."""
    return [thing] if isinstance(thing, KernelValue) else [part for item in thing for part in parts(item)]


def joined(things: Iterable[Thing]) -> KernelValue:
    """What may be any of these, or is made of all of them; numbers in it are no longer known."""
    values = [value for thing in things for value in parts(thing)]
    return KernelValue(
        of=frozenset().union(*(value.of for value in values)),
        extents=frozenset().union(*(value.extents for value in values)),
        blocks=frozenset().union(*(value.blocks for value in values)),
        vector=any(value.vector for value in values),
        loaded=any(value.loaded for value in values),
    )


def either(one: Thing, other: Thing, key: str) -> Thing:
    """What is one of two, by a condition that is not known."""
    if one == other:
        return one
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return tuple(either(a, b, key) for a, b in zip(one, other, strict=True))
    return joined([forgotten(one, f"{key} a"), forgotten(other, f"{key} b")])


def forgotten(thing: Thing, key: str) -> Thing:
    """The same where its number may be another one in the next round."""
    if isinstance(thing, tuple):
        return tuple(forgotten(part, f"{key}.{number}") for number, part in enumerate(thing))
    if thing.number is None:
        return replace(thing, absent=False)
    return KernelValue(of=thing.of, extents=extents_of(thing, key))


def extents_of(value: KernelValue, key: str) -> frozenset[Measure]:
    """Those of a value, or itself if it is a size."""
    if value.size is None:
        return value.extents
    return frozenset([Measure(key, value.size, value.of)])
