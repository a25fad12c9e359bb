"""What of a module is only there to run or to test it: makers of inputs, tests, the main block, their constants."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

_NAMES = re.compile(r"get_(init_)?inputs|main|_?(run_)?(tests?|bench(mark)?)(_.*)?")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_Assignment = ast.Assign | ast.AnnAssign | ast.AugAssign


def without_harness(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Definitions and the assignments that they use, in order; code without definitions keeps all that it does."""
    kept: list[ast.stmt] = [node for node in body if isinstance(node, _Definition) and not is_harness(node)]
    if not kept:
        return [node for node in body if not is_harness(node)]
    waiting = [node for node in body if isinstance(node, _Assignment)]
    used = _names_in(kept) if waiting else set()
    while found := [node for node in waiting if _targets(node) & used]:
        kept += found
        waiting = [node for node in waiting if not _targets(node) & used]
        used |= _names_in(found)
    return sorted(kept, key=lambda node: (node.lineno, node.col_offset))


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
