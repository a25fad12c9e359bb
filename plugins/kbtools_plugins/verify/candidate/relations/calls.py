"""What functions of the kernel language give where only a launch's numbers are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from kbtools_plugins.verify.candidate.relations.arithmetic import Relations
from kbtools_plugins.verify.candidate.relations.values import (
    LOADED,
    NOTHING,
    KernelValue,
    Measure,
    Thing,
    extents_of,
    joined,
    parts,
)

_SAME = frozenset(["to", "cast", "multiple_of", "max_contiguous", "max_constancy", "constexpr", "int", "assume"])
"""What gives its first argument."""
_CHOOSE = frozenset(["where"])
_GRID = frozenset(["<grid>"])
_DESCRIBED = frozenset(["make_block_ptr", "make_tensor_descriptor"])


@dataclass(frozen=True)
class LanguageCall:
    """A call of something that is no kernel of the candidate's."""

    name: str
    arguments: list[Thing]
    words: dict[str, Thing]
    function: bool
    """Whether it is a function; else a method, whose first argument is the object."""

    def argument(self, place: int, word: str) -> Thing:
        """One of its arguments."""
        return self.arguments[place] if place < len(self.arguments) else self.words.get(word, NOTHING)


def called(call: LanguageCall, grid: Sequence[int], relations: Relations, key: str) -> Thing:
    """What a call gives."""
    values = [joined([thing]) if isinstance(thing, tuple) else thing for thing in call.arguments]
    if call.name in _SAME and values:
        return values[0]
    if call.name == "num_programs":
        return KernelValue(number=_axis(call, grid), of=_GRID)
    if call.name == "arange" and len(values) > 1:
        return _counted(values[0], values[1])
    if call.name == "cdiv" and len(values) > 1:
        return _rounded_up(values[0], values[1], relations, key)
    if call.name in ("minimum", "maximum") or (call.function and call.name in ("min", "max") and _are_plain(values)):
        choose = min if call.name.startswith("min") else max
        return relations.least_or_most(values[0], values[1], key, choose)
    if call.name == "next_power_of_2" and values and type(values[0].number) is int:
        return KernelValue(number=1 << max(0, values[0].number - 1).bit_length(), of=values[0].of)
    if call.name in ("load", "atomic_cas", "atomic_add", "atomic_xchg", "gather"):
        return LOADED
    if call.name in _DESCRIBED:
        _described(call, relations, key)
        return NOTHING
    return _of_all(call, values, key)


def _of_all(call: LanguageCall, values: list[KernelValue], key: str) -> KernelValue:
    """What is made of all arguments."""
    both = joined([*values, *call.words.values()])
    if call.name in _CHOOSE:
        extents = [extents_of(value, f"{key} {number}") for number, value in enumerate(values)]
        return replace(both, extents=both.extents.union(*extents))
    return both


def _axis(call: LanguageCall, grid: Sequence[int]) -> int:
    found = call.argument(0, "axis")
    axis = found.constant if isinstance(found, KernelValue) else None
    return grid[axis] if axis is not None and axis < len(grid) else 1


def _counted(start: KernelValue, stop: KernelValue) -> KernelValue:
    if start.number is None or stop.number is None:
        return KernelValue(vector=True)
    width = int(stop.number - start.number)
    return KernelValue(vector=True, blocks=frozenset([width] if width > 1 else []))


def _rounded_up(whole: KernelValue, part: KernelValue, relations: Relations, key: str) -> KernelValue:
    if type(whole.number) is int and type(part.number) is int and part.number > 0:
        if whole.of and part.number > 1:
            relations.note(key, whole.number, part.number, whole.of | part.of)
        return KernelValue(number=-(-whole.number // part.number), of=whole.of | part.of)
    return relations.divided(whole, part, key)


def _are_plain(values: list[KernelValue]) -> bool:
    """Whether these are two numbers rather than a block and an axis."""
    return len(values) == 2 and not any(value.vector or value.loaded for value in values)


def _described(call: LanguageCall, relations: Relations, key: str) -> None:
    """A tensor of which a block is taken at a time."""
    shape, block = parts(call.argument(1, "shape")), parts(_block_shape(call))
    for number, (whole, part) in enumerate(zip(shape, block, strict=False)):
        extents: Iterable[Measure] = extents_of(whole, f"{key} {number}")
        if type(part.number) is int and part.number > 0:
            relations.all_pairs(f"{key} {number}", extents, [part.number], covers=True)


def _block_shape(call: LanguageCall) -> Thing:
    return call.argument(4 if call.name == "make_block_ptr" else 3, "block_shape")
