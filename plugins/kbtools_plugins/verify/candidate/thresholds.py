"""Numbers that a candidate's kernels compare values with: what is right on one side of such a number may be wrong on
the other, however far it lies from all numbers that a reference is given."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeGuard

from kbtools_plugins.verify.candidate.kernel_facts import words
from kbtools_plugins.verify.candidate.kernel_language import dotted
from kbtools_plugins.verify.candidate.kernel_names import constants

_LARGEST, _SMALLEST = 1e7, 1e-20
"""What is larger stands for infinity, and what is smaller for zero."""
_LARGE = 1000.0
"""A larger number with a fraction may be given to a kernel as one, wherever the text has it."""
_HALF = 65504.0
"""Beyond this 16 bits have no number; a kernel may take others through them."""
_MOST = 16
_BOUNDS = frozenset({"minimum", "clamp"})
_IN_KERNELS = frozenset({"load", "store", "program_id"})
"""Words of which every kernel has one; those that it calls are decorated."""
_SCALING = (ast.Mult, ast.Div, ast.Pow)


def thresholds(tree: ast.Module) -> list[float]:
    """The numbers, without their signs, the largest last. Where a value is scaled before it is compared, also those
    that this makes of them: reciprocals and roots."""
    named = {name: list(_literals(node, {})) for name, node in constants(tree).items()}
    compared = [part for kernel in _kernels(tree) for part in ast.walk(kernel) if _compares(part)]
    found = {value for part in compared for value in _literals(part, named)}
    for part in compared:
        if any(isinstance(inner, ast.BinOp) and isinstance(inner.op, _SCALING) for inner in ast.walk(part)):
            found |= {made for value in _literals(part, named) for made in (1 / value, value**0.5, value ** (1 / 3))}
    found |= {_HALF} if any("float16" in words(kernel) for kernel in _kernels(tree)) else set()
    found |= {one for part in ast.walk(tree) if _is_large(one := getattr(part, "value", None))}
    return sorted(value for value in found if _SMALLEST <= value <= _LARGEST)[-_MOST:]


def _kernels(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            decorated = any("jit" in dotted(getattr(item, "func", item)) for item in node.decorator_list)
            if decorated or not _IN_KERNELS.isdisjoint(words(node)):
                yield node


def _compares(node: ast.AST) -> bool:
    bounds = isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in _BOUNDS
    return bounds or isinstance(node, ast.Compare)


def _is_large(value: object) -> TypeGuard[float]:
    return type(value) is float and value > _LARGE


def _literals(node: ast.AST, named: dict[str, list[float]]) -> Iterator[float]:
    """The numbers in an expression that are not zero."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield from named.get(part.id, ())
        elif isinstance(part, ast.Constant) and isinstance(part.value, int | float) and part.value:
            yield float(min(abs(part.value), 1e60))
