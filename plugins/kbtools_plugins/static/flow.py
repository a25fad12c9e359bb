"""Walks of syntax trees that need no recursion, and the one data-flow question asked of them.

Both are linear in the number of nodes, however deep the tree is.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef
Predicate = Callable[[ast.AST], bool]


def _never(_: ast.AST) -> bool:
    return False


_MARKS = frozenset(
    mark
    for kind in (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)
    for mark in kind.__subclasses__()
)


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below, in source order, without operators and contexts, which say nothing by themselves.

    `ast.iter_child_nodes` gives those too, and so takes twice as long.
    """
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            if type(value) not in _MARKS:
                found.append(value)
        elif isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST) and type(item) not in _MARKS]
    return found


def postorder(root: ast.AST, skip: Predicate = _never) -> list[ast.AST]:
    """`root` and the nodes below it, children before parents, in source order, without subtrees in `skip`."""
    found: list[ast.AST] = []
    stack = [root]
    while stack:
        node = stack.pop()
        found.append(node)
        stack.extend(child for child in children(node) if not skip(child))
    found.reverse()
    return found


def with_loop_depth(root: ast.AST) -> Iterator[tuple[ast.AST, int]]:
    """Every node below `root` with the number of loops around it."""
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        inner = depth + isinstance(node, ast.For | ast.AsyncFor | ast.While)
        stack.extend((child, inner) for child in children(node))


def derived(nodes: list[ast.AST], names: set[str], seed: Predicate, barrier: Predicate) -> set[int]:
    """Ids of the expressions that are computed from a seed or from one of `names`.

    `nodes` are in postorder. Assignments carry the property to their targets and take it away again; a
    barrier (such as `.shape`) ends it.
    """
    marked: set[int] = set()
    known = set(names)
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.NamedExpr):
            _assign(node, known, marked)
        if isinstance(node, ast.expr | ast.keyword) and _is_derived(node, known, marked, seed, barrier):
            marked.add(id(node))
    return marked


def _is_derived(node: ast.AST, known: set[str], marked: set[int], seed: Predicate, barrier: Predicate) -> bool:
    if barrier(node):
        return False
    if isinstance(node, ast.Name):
        return isinstance(node.ctx, ast.Load) and node.id in known
    return seed(node) or any(id(child) in marked for child in children(node))


def _assign(
    node: ast.Assign | ast.AugAssign | ast.AnnAssign | ast.NamedExpr, known: set[str], marked: set[int]
) -> None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    carries = node.value is not None and id(node.value) in marked
    for target in targets:
        for name in ast.walk(target):
            if not (isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)):
                continue
            if carries:
                known.add(name.id)
            elif not isinstance(node, ast.AugAssign):
                known.discard(name.id)
