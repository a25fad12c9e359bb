"""Smaller versions of references whose shapes are too large for the interpreter, by their module constants.

Both sides see the same sizes: inputs and constructor arguments come from the reference, and constants of the same name
are changed in the candidate too.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator

from kbtools_plugins.verify.protocol.reading import Smaller

_OPERATIONS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
}
_MOST_OPERAND, _MOST_BITS = 2**48, 48
LIMITS = (1024, 512, 256, 128, 64, 32)
"""Sizes that constants are cut down to, in the order in which they are tried."""


def smaller(reference: str, candidate: str) -> Iterator[Smaller]:
    """Versions of a pair with the reference's constants cut down to one limit after the other."""
    names, before = set(constants(reference)), reference
    for limit in LIMITS if names else ():
        cut = shrunk(reference, names, limit)
        if cut != before:
            yield Smaller(limit=limit, reference=cut, candidate=shrunk(candidate, names, limit))
        before = cut


def constants(code: str) -> dict[str, int]:
    """Whole numbers that are assigned to names at the top level."""
    found: dict[str, int] = {}
    for node in ast.parse(code).body:
        if isinstance(node, ast.Assign) and (value := _whole(node.value)) is not None:
            found |= {target.id: value for target in node.targets if isinstance(target, ast.Name)}
    return found


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


def shrunk(code: str, names: set[str], limit: int) -> str:
    """The code with its top-level constants of these names cut down to `limit`; line numbers stay."""
    lines = code.split("\n")
    for node in ast.parse(code).body:
        value = _whole(node.value) if isinstance(node, ast.Assign) else None
        if not isinstance(node, ast.Assign) or value is None or node.value.lineno != node.value.end_lineno:
            continue
        if value > limit and any(isinstance(target, ast.Name) and target.id in names for target in node.targets):
            at = node.value
            line = lines[at.lineno - 1].encode()
            lines[at.lineno - 1] = (line[: at.col_offset] + str(limit).encode() + line[at.end_col_offset :]).decode()
    return "\n".join(lines)
