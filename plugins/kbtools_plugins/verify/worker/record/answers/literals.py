"""What a text compares answers with: a device may well give the very one that a candidate waits for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_MOST = 6
"""Of one kind that are given as answers."""
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
        """Other values of the kind of one, as far as the text has them."""
        if isinstance(value, bool) or not isinstance(value, int | float | str | bytes | tuple):
            return []
        made = [self._made(value, literal) for literal in self.found]
        return [one for one in made if one is not None and one != value][:_MOST]

    @staticmethod
    def _made(value: Plain | tuple[object, ...], literal: object) -> object:
        if isinstance(value, tuple):
            if isinstance(literal, tuple):
                return literal if len(literal) == len(value) else None
            items = tuple(literal if type(item) is type(literal) else item for item in value)
            return None if items == value else items
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
