"""Walks of syntax trees that need no recursion, and the one data-flow question asked of them.

Both are linear in the number of nodes, however deep the tree is.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = frozenset({ast.FunctionDef, ast.AsyncFunctionDef})
SCOPES = FUNCTIONS | {ast.ClassDef}
"""Types of nodes; asked for by `type(node) in`, which takes a third of the time of `isinstance` with several."""
Predicate = Callable[[ast.AST], bool]

_NO_NODES = frozenset(
    ["ctx", "op", "ops", "id", "attr", "arg", "asname", "module", "level", "kind", "simple", "is_async", "conversion"]
)
"""Fields that hold no nodes but marks."""
_MIXED = frozenset(["keys", "kw_defaults", "names", "kwd_attrs"])
"""Fields of several values that are not always nodes."""


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below, in source order, without operators and contexts, which say nothing by themselves.

    They are kept on the node: a tree is walked several times, and finding them is most of a walk.
    """
    known: list[ast.AST] | None = node.__dict__.get(_KEPT)
    if known is None:
        known = node.__dict__[_KEPT] = _found(node)
    return known


_KEPT = "_kbtools_children"


def _found(node: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    kind, values = type(node), node.__dict__
    for name in _FIELDS[kind] if kind in _FIELDS else _fields(kind):
        value = values.get(name)
        if not value:  # what is not there, and lists of nothing
            continue
        if value.__class__ is list:
            found += [item for item in value if isinstance(item, ast.AST)] if name in _MIXED else value
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


_LEAVES = frozenset({ast.Name, ast.Constant})
"""Half of all nodes, with nothing below them."""
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """Fields that may hold nodes, found once for each type of node."""
    found = tuple(name for name in kind._fields if name not in _NO_NODES) if kind is not ast.Constant else ()
    return _FIELDS.setdefault(kind, found)


def has_docstring(node: ast.AST) -> bool:
    """Whether it is a function or class that begins with a text."""
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and bool(
        node.body
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Constant)
        and isinstance(node.body[0].value.value, str)
    )


def postorder(root: ast.AST, skip: Predicate | None = None) -> list[ast.AST]:
    """`root` and the nodes below it, children before parents, in source order, without subtrees in `skip`."""
    found: list[ast.AST] = []
    stack = [root]
    while stack:
        node = stack.pop()
        found.append(node)
        if type(node) in _LEAVES:
            continue
        below = node.__dict__.get(_KEPT)  # a call for every node would take as long as all else here
        if below is None:
            below = children(node)
        stack += below if skip is None else [child for child in below if not skip(child)]
    found.reverse()
    return found


_LOOPS = frozenset({ast.For, ast.AsyncFor, ast.While})


def loop_depths(nodes: list[ast.AST]) -> Counter[int]:
    """How many of the loops among these nodes are around a node, by the node's id."""
    depths: Counter[int] = Counter()
    for loop in nodes:
        if type(loop) in _LOOPS:
            depths.update(map(id, postorder(loop)[:-1]))  # the last one is the loop itself
    return depths


def derived(nodes: list[ast.AST], names: set[str], seed: Predicate, barrier: Predicate) -> set[int]:
    """Ids of the expressions that are computed from a seed or from one of `names`.

    `nodes` are in postorder. Assignments carry the property to their targets and take it away again; a
    barrier (such as `.shape`) ends it. Both are calls or attributes.
    """
    marked: set[int] = set()
    known = set(names)
    for node in nodes:
        kind = type(node)
        if kind in _ASSIGNMENTS:
            _assign(node, known, marked)  # type: ignore[arg-type]  # one of the four
        if kind is ast.Name:
            if node.id in known and type(node.ctx) is ast.Load:  # type: ignore[attr-defined]  # it is a name
                marked.add(id(node))
        elif kind in _VALUES and _is_derived(node, marked, seed, barrier):
            marked.add(id(node))
    return marked


_ASSIGNMENTS = frozenset({ast.Assign, ast.AugAssign, ast.AnnAssign, ast.NamedExpr})
_VALUES = frozenset({*ast.expr.__subclasses__(), ast.keyword}) - {ast.Name, ast.Constant}
_ASKED = frozenset({ast.Call, ast.Attribute})


def _is_derived(node: ast.AST, marked: set[int], seed: Predicate, barrier: Predicate) -> bool:
    if type(node) in _ASKED:
        if barrier(node):
            return False
        if seed(node):
            return True
    return bool(marked) and not marked.isdisjoint(map(id, children(node)))


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
