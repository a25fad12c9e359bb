"""What a text compares answers with: a device may well give the very one that a candidate waits for."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_MOST = 6
"""Of one kind that are given as answers."""
_BYTE = 256
Plain = int | float | str | bytes
_TELLING = frozenset({"startswith", "endswith", "get", "find", "count"})


@dataclass(frozen=True)
class Literals:
    """The texts, numbers and tuples that stand in comparisons."""

    found: tuple[object, ...] = ()

    @classmethod
    def of(cls, tree: ast.AST) -> Literals:
        """Those of a syntax tree, in the order of the text."""
        values = (value for node in ast.walk(tree) for part in _compared(node) for value in _values(part))
        return cls(tuple(dict.fromkeys(values)))

    def like(self, value: object) -> list[object]:
        """Other values of the kind of one, as far as the text has them; a list is one of them alone."""
        if isinstance(value, list):
            return [[one] * len(value) for one in self.like(value[0])] if value else []
        if isinstance(value, bool) or not isinstance(value, int | float | str | bytes | tuple):
            return []
        made = [one for literal in self.found if (one := self._made(value, literal)) is not None and one != value]
        above = [one + 1 for one in made if isinstance(one, int | float)]
        return [*made[:_MOST], *above[: _MOST // 2]]

    @staticmethod
    def _made(value: Plain | tuple[object, ...], literal: object) -> object:
        if isinstance(value, tuple):
            if isinstance(literal, tuple):
                return literal if len(literal) == len(value) else None
            items = tuple(literal if type(item) is type(literal) else item for item in value)
            return None if items == value else items
        if isinstance(value, bytes) and type(literal) is int and 0 <= literal < _BYTE:
            return bytes([literal]) * len(value)
        if isinstance(value, float) and type(literal) is int:
            return float(literal)
        return literal if type(literal) is type(value) else None


def _compared(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left=left, comparators=others):
            yield from (left, *others)
        case ast.MatchValue(value=value):
            yield value
        case ast.Call(func=ast.Attribute(attr=name), args=args) if name in _TELLING:
            yield from args
        case ast.Dict(keys=keys):
            yield from (key for key in keys if key is not None)


def _values(node: ast.AST) -> Iterator[object]:
    """The constants in what is compared; a tuple of constants as a whole, too."""
    if isinstance(node, ast.Tuple) and node.elts and all(isinstance(item, ast.Constant) for item in node.elts):
        yield tuple(item.value for item in node.elts if isinstance(item, ast.Constant))
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and type(part.value) in (int, float, str, bytes):
            yield part.value
        elif isinstance(part, ast.BinOp) and (number := _number(part)) is not None:
            yield number


_LARGEST = 2.0**60
_OPERATIONS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Pow: math.pow, ast.LShift: lambda one, other: one * math.pow(2, other),
}  # fmt: skip


def _number(node: ast.AST) -> float | None:
    """What `10**7` or `1 << 20` stands for; None of what is no number of a moderate size."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value if abs(value) < _LARGEST else None
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            one, other = _number(left), _number(right)
            if one is None or other is None:
                return None
            try:
                made = _OPERATIONS[type(op)](one, other)
            except (ArithmeticError, ValueError):
                return None
            whole = isinstance(one, int) and isinstance(other, int) and made == math.floor(made)
            return None if abs(made) >= _LARGEST else int(made) if whole else made
    return None
