"""Sizes among a module's constants, and the module with other ones: both sides of a pair see the same.

Inputs and constructor arguments come from the reference, and constants of the same name and value are changed in the
candidate too.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping

_OPERATIONS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
}
_MOST_OPERAND, _MOST_BITS = 2**48, 48


def constants(code: str) -> dict[str, int]:
    """Whole numbers that are assigned at the top level: by name, or as `name[2]` where they stand in a tuple."""
    return {name: value for name, value, _ in _places(code)}


def with_constants(code: str, wanted: Mapping[str, int], known: Mapping[str, int]) -> str:
    """The code with other values for constants that have their `known` ones; line numbers stay."""
    lines = code.split("\n")
    for name, value, at in sorted(_places(code), key=lambda place: -place[2].col_offset):
        if wanted.get(name, value) != value == known.get(name) and at.lineno == at.end_lineno:
            line = lines[at.lineno - 1].encode()
            text = str(wanted[name]).encode()
            lines[at.lineno - 1] = (line[: at.col_offset] + text + line[at.end_col_offset :]).decode()
    return "\n".join(lines)


def _places(code: str) -> Iterator[tuple[str, int, ast.expr]]:
    for node in ast.parse(code).body:
        if isinstance(node, ast.Assign):  # of `height = width = 64` the first name stands for the number
            yield from _assigned(node.targets[0], node.value)


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, int, ast.expr]]:
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else None
    if isinstance(target, ast.Name) and parts is not None:
        for number, part in enumerate(parts):
            if (whole := _whole(part)) is not None:
                yield f"{target.id}[{number}]", whole, part
    elif isinstance(target, ast.Name) and (whole := _whole(value)) is not None:
        yield target.id, whole, value
    elif isinstance(target, ast.Tuple) and parts is not None and len(parts) == len(target.elts):
        for one, part in zip(target.elts, parts, strict=True):
            yield from _assigned(one, part)


def _whole(node: ast.expr) -> int | None:
    """The whole number that an expression of literals stands for, as 32 * 1024 or 1 << 20 does."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATIONS:
        return None
    left, right = _whole(node.left), _whole(node.right)
    if left is None or right is None or max(abs(left), abs(right)) > _MOST_OPERAND:
        return None
    if isinstance(node.op, ast.Pow | ast.LShift) and not 0 <= right < _MOST_BITS:
        return None
    if isinstance(node.op, ast.FloorDiv) and right == 0:
        return None
    return int(_OPERATIONS[type(node.op)](left, right))
