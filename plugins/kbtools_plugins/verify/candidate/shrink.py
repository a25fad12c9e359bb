"""Smaller versions of references whose shapes are too large for the interpreter, by their module constants.

Both sides see the same sizes: inputs and constructor arguments come from the reference, and constants of the same name
are changed in the candidate too.
"""

from __future__ import annotations

import ast

LIMITS = (1024, 512, 256, 128, 64, 32)
"""Sizes that constants are cut down to, in the order in which they are tried."""


def constants(code: str) -> dict[str, int]:
    """Whole numbers that are assigned to names at the top level."""
    found: dict[str, int] = {}
    for node in ast.parse(code).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and type(node.value.value) is int:
            found |= {target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)}
    return found


def shrunk(code: str, names: set[str], limit: int) -> str:
    """The code with its top-level constants of these names cut down to `limit`; line numbers stay."""
    lines = code.split("\n")
    for node in ast.parse(code).body:
        if (
            not isinstance(node, ast.Assign)
            or not isinstance(node.value, ast.Constant)
            or type(node.value.value) is not int
        ):
            continue
        if node.value.value > limit and any(
            isinstance(target, ast.Name) and target.id in names for target in node.targets
        ):
            at = node.value
            line = lines[at.lineno - 1].encode()
            lines[at.lineno - 1] = (line[: at.col_offset] + str(limit).encode() + line[at.end_col_offset :]).decode()
    return "\n".join(lines)
