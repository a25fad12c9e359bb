"""What of a module is only there to run or to test it: makers of inputs, tests, the main block, their constants."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

_NAMES = re.compile(r"get_(init_)?inputs|main|_?(run_)?(tests?|bench(mark)?)(_.*)?")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_Assignment = ast.Assign | ast.AnnAssign | ast.AugAssign


def without_harness(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Definitions and the assignments that they use, in order; code without definitions keeps all that it does."""
    kept: list[ast.stmt] = [node for node in body if isinstance(node, _Definition) and not is_harness(node)]
    if not kept:
        return [node for node in body if not is_harness(node)]
    kept += _assigned_for(kept, body)
    return sorted(kept, key=lambda node: (node.lineno, node.col_offset))


def _assigned_for(kept: Sequence[ast.stmt], body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Assignments of names that these definitions use, and of names that such assignments use, and so on."""
    by_target: dict[str, list[_Assignment]] = defaultdict(list)
    for node in body:
        if isinstance(node, _Assignment):
            for name in _targets(node):
                by_target[name].append(node)
    found: dict[int, ast.stmt] = {}
    names = list(_names_in(kept)) if by_target else []
    while names:
        for node in by_target.pop(names.pop(), ()):
            if id(node) not in found:
                found[id(node)] = node
                names += _names_in([node])
    return list(found.values())


def is_harness(node: ast.stmt) -> bool:
    """Whether a statement makes inputs, tests, or runs only as a script."""
    if isinstance(node, ast.FunctionDef):
        return _NAMES.fullmatch(node.name) is not None
    if isinstance(node, ast.If) and isinstance(node.test, ast.Compare):
        return isinstance(node.test.left, ast.Name) and node.test.left.id == "__name__"
    return False


def _names_in(nodes: Iterable[ast.stmt]) -> set[str]:
    return {inner.id for node in nodes for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _targets(node: _Assignment) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)}
