"""What the static rules share: a rule finds tricks in a syntax tree, each with its lines."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import lru_cache

from kbtools_plugins.verify.candidate.aliases import Aliases
from kbtools_plugins.verify.protocol.reading import Finding

Rule = Callable[[ast.Module, Aliases], Iterator[Finding]]


@lru_cache(maxsize=1)
def nodes(tree: ast.Module) -> list[ast.AST]:
    """All nodes of a tree that nothing changes any more: each rule looks at them."""
    return list(ast.walk(tree))


def trick(node: ast.AST, verdict: str, text: str) -> Finding:
    """A trick at a node, which is one if any of the node's lines runs."""
    first = int(getattr(node, "lineno", 0))
    return Finding(verdict=verdict, text=f"line {first}: {text}", first=first, last=getattr(node, "end_lineno", first))


def trick_of_statement(node: ast.stmt, verdict: str, text: str) -> Finding:
    """A trick of a whole statement, which is one if its first line runs, whatever is under it."""
    first = node.lineno
    return Finding(verdict=verdict, text=f"line {first}: {text}", first=first, last=first)


def last_name(function: ast.expr) -> str:
    """`f` for `f(...)` and `x.f(...)`; the class for `Class.apply(...)` does not matter."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
