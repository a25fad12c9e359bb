"""Names of one module of Python: which the code binds itself, and which mean something outside of it.

Bound names get numbers in the order in which they first occur, so that streams of renamed code are equal; names of
imports are resolved to the dotted path that they stand for. Nothing is known here of tokens.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from kbtools_plugins.static.names import CUSTOMARY

MODULE = 0
"""The scope of the module itself."""
ATTRIBUTES, KEYWORDS = -2, -3
"""Instead of a scope: attributes of `self`, and keywords of calls, which are looked up by themselves."""


@dataclass(slots=True)
class Scopes:
    """Scopes as one walk comes to them; names are resolved when all of them are known."""

    parents: list[int] = field(default_factory=lambda: [-1])
    bound: list[set[str]] = field(default_factory=lambda: [set()])
    classes: set[int] = field(default_factory=set)
    """Scopes of classes: what they bind are attributes."""
    imports: dict[str, str] = field(default_factory=lambda: dict(CUSTOMARY))
    attributes: set[str] = field(default_factory=set)
    """Attributes that the code gives to `self`, and its methods."""
    keywords: set[str] = field(default_factory=set)
    """Parameters of the code's own functions."""
    _numbers: dict[tuple[int, str], int] = field(default_factory=dict)

    def open(self, parent: int, *, of_class: bool = False) -> int:
        """A new scope inside another."""
        self.parents.append(parent)
        self.bound.append(set())
        inner = len(self.parents) - 1
        if of_class:
            self.classes.add(inner)
        return inner

    def bind(self, scope: int, name: str) -> int:
        """Note that a scope binds a name; gives the scope under which to look it up."""
        if scope not in self.classes:
            self.bound[scope].add(name)
            return scope
        if not _is_protocol(name):
            self.attributes.add(name)
        return ATTRIBUTES

    def bind_import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Note what the names of an import stand for."""
        for alias in node.names:
            root = alias.name.partition(".")[0]
            if isinstance(node, ast.ImportFrom):
                self.imports[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"
            else:
                self.imports[alias.asname or root] = alias.name if alias.asname else root

    def owner(self, scope: int, name: str) -> int | None:
        """The innermost scope that binds the name; None for a name from outside."""
        while scope >= 0:
            if name in self.bound[scope]:
                return scope
            scope = self.parents[scope]
        return None

    def number(self, owner: int, name: str) -> int:
        """The number of a bound name: a new one at its first occurrence."""
        return self._numbers.setdefault((owner, name), len(self._numbers))


def _is_protocol(name: str) -> bool:
    """Whether others call a method by this name, so that it cannot be renamed."""
    return name == "forward" or (name.startswith("__") and name.endswith("__"))
