"""Operators on values of which only a launch's numbers are known, and the relations that they are part of."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from kbtools_plugins.verify.candidate.relations.values import NOTHING, KernelValue, Measure, extents_of, joined
from kbtools_plugins.verify.protocol.reading import Relation

_NUMBERS: dict[type[ast.operator], Callable[[int, int], int | float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_ORDER: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_EQUAL = (ast.Eq, ast.NotEq)
_MOST_BITS = 4096


class Relations:
    """Those that have been found in one launch, each under the place in the text where it is."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        """`numbers` are all arguments of the launch that are no constants."""
        self.found: dict[str, Relation] = {}
        self._numbers = numbers

    def note(self, key: str, extent: int, block: int, of: Iterable[str], *, covers: bool = False) -> None:
        """One of them."""
        known = Relation(key=key, extent=extent, block=block, of=sorted(of), covers=covers)
        self.found[key] = known

    def all_pairs(self, key: str, extents: Iterable[Measure], blocks: Iterable[int], *, covers: bool = False) -> None:
        """Each of these sizes with each of these blocks."""
        for extent in extents:
            for block in blocks:
                self.note(f"{key} {extent.key} {block}", extent.value, block, extent.of, covers=covers)

    def of_unknown(self, key: str, blocks: Iterable[int]) -> None:
        """What is held against something in memory may stand for any argument."""
        every = [Measure(name, number, frozenset([name])) for name, number in self._numbers.items()]
        self.all_pairs(f"{key} any", every, blocks)

    def computed(self, kind: type[ast.operator], left: KernelValue, right: KernelValue, key: str) -> KernelValue:
        """The result of an operator."""
        if left.number is not None and right.number is not None:
            return self._of_numbers(kind, left, right, key)
        if kind in (ast.FloorDiv, ast.Mod):
            return self.divided(left, right, key)
        if kind in (ast.Add, ast.Sub):
            both = joined([left, right])
            return replace(both, extents=extents_of(left, f"{key} l") | extents_of(right, f"{key} r"))
        if kind is ast.Mult:
            return _multiplied(left, right)
        return joined([left, right])

    def _of_numbers(self, kind: type[ast.operator], left: KernelValue, right: KernelValue, key: str) -> KernelValue:
        if kind in (ast.FloorDiv, ast.Mod) and left.size is not None and type(right.number) is int and right.number > 1:
            self.note(key, left.size, right.number, left.of | right.of)
        try:
            wide = kind is ast.LShift and (right.number or 0) > _MOST_BITS
            number = None if wide or kind not in _NUMBERS else _NUMBERS[kind](left.number, right.number)  # type: ignore[arg-type]  # what takes no float raises TypeError
        except (TypeError, ValueError, ArithmeticError):
            number = None
        return KernelValue(number=number, of=left.of | right.of)

    def divided(self, left: KernelValue, right: KernelValue, key: str) -> KernelValue:
        """What `//` and `%` give where one of both is not known."""
        both = joined([left, right])
        if right.number is None:
            extents = extents_of(left, f"{key} l") | right.extents
            self.all_pairs(key, extents, both.blocks)
            return both
        if right.size is not None:
            if not left.vector:
                self.all_pairs(key, [Measure("", right.size, right.of)], left.blocks)
            self.note(key, right.size, 1, right.of)
        if left.vector:  # exact for each element, wherever blocks end
            return KernelValue(vector=True, loaded=left.loaded)
        return both

    def compared(self, kind: type[ast.cmpop], left: KernelValue, right: KernelValue, key: str) -> KernelValue:
        """What a comparison gives."""
        if left.absent or right.absent or left.pointer or right.pointer:
            same = left.absent and right.absent
            return KernelValue(number=same if kind in (ast.Is, ast.Eq) else not same)
        if left.number is not None and right.number is not None and kind in _ORDER:
            truth = _ORDER[kind](left.number, right.number)
            if of := left.of | right.of:
                self.note(key, int(truth), 1, of)
            return KernelValue(number=truth, of=of)
        both = joined([left, right])
        extents = extents_of(left, f"{key} l") | extents_of(right, f"{key} r")
        self.all_pairs(key, extents, both.blocks, covers=True)
        for extent in extents:
            self.note(f"{key} {extent.key}", extent.value, 1, extent.of)
        if both.loaded and kind not in _EQUAL:
            self.of_unknown(key, both.blocks)
        return KernelValue(vector=both.vector, loaded=both.loaded)

    def least_or_most(
        self, left: KernelValue, right: KernelValue, key: str, choose: Callable[[float, float], float]
    ) -> KernelValue:
        """The smaller or the larger one."""
        if left.number is not None and right.number is not None:
            if of := left.of | right.of:
                self.note(key, int(left.number < right.number), 1, of)
            return KernelValue(number=choose(left.number, right.number), of=of)
        both = joined([left, right])
        return replace(both, extents=extents_of(left, f"{key} l") | extents_of(right, f"{key} r"))


def _multiplied(left: KernelValue, right: KernelValue) -> KernelValue:
    unknown, known = (left, right) if left.number is None else (right, left)
    both = joined([left, right])
    if (constant := known.constant) is None or constant < 2:
        return both
    blocks = frozenset(block * constant for block in unknown.blocks)
    return replace(both, blocks=blocks if unknown.vector else blocks | {constant})


def negated(value: KernelValue, kind: ast.unaryop) -> KernelValue:
    """What a sign or a `not` makes of it."""
    if value.number is None:
        return replace(joined([value]))
    if isinstance(kind, ast.Not):
        return replace(value, number=not value.number)
    if isinstance(kind, ast.USub):
        return replace(value, number=-value.number)
    return value if isinstance(kind, ast.UAdd) else NOTHING
