"""Where the lines of a clean module are in the candidate's text: a fault of a kernel names the candidate's line."""

from __future__ import annotations

import ast
from collections.abc import Mapping


def original_lines(text: str, originals: Mapping[str, ast.FunctionDef]) -> tuple[int, ...]:
    """The candidate's line for each line of a clean module, 0 for those that it does not have.

    `originals` are the candidate's functions by their names in the clean module. A line belongs to the statement that
    begins on it or before it.
    """
    found = [0] * len(text.splitlines())
    for function in ast.parse(text).body:
        if isinstance(function, ast.FunctionDef) and function.name in originals:
            for clean, own in zip(_statements(function), _statements(originals[function.name]), strict=True):
                end = clean.end_lineno or clean.lineno
                found[clean.lineno - 1 : end] = [own.lineno] * (end - clean.lineno + 1)
    return tuple(found)


def _statements(function: ast.FunctionDef) -> list[ast.stmt]:
    """All statements, those around others before these."""
    return [node for node in ast.walk(function) if isinstance(node, ast.stmt)]
