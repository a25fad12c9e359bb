"""Functions of the text that torch is told to compile. That is a trick where one is used, not where it is defined.

Libraries decorate what only a backward pass or another model needs, and nothing is compiled before the first call.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kbtools_plugins.verify.candidate.aliases import Aliases
from kbtools_plugins.verify.candidate.rule import trick
from kbtools_plugins.verify.protocol.reading import Finding

_COMPILE = ("torch.compile", "torch.compiler.compile", "torch.jit.script")


class CompiledFunctions:
    """Those of the module's top level, by what they are named and decorated with there."""

    def __init__(self, tree: ast.Module, aliases: Aliases) -> None:
        self.excused: set[int] = set()
        """Identities of nodes that tell torch to compile, of which these functions are the consequence."""
        self._aliases = aliases
        self._names: dict[str, ast.expr] = {}
        statements = list(_at_the_top(tree.body))
        for statement in statements:
            self._decorator_by_name(statement)
        for statement in statements:
            if isinstance(statement, ast.FunctionDef):
                self._decorated(statement)

    def _decorator_by_name(self, statement: ast.stmt) -> None:
        """`compiled = torch.compile(fullgraph=True)`, which waits for a function."""
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(args=[]) as call) if self._tells(call.func):
                self._add(name, call.func)

    def _decorated(self, function: ast.FunctionDef) -> None:
        for decorator in function.decorator_list:
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            if self._tells(target) or (isinstance(target, ast.Name) and target.id in self._names):
                self._add(function.name, target)

    def _tells(self, target: ast.expr) -> bool:
        return self._aliases.path(target) in _COMPILE

    def _add(self, name: str, by: ast.expr) -> None:
        self.excused.add(id(by))
        self._names[name] = by

    def uses(self, tree: ast.Module) -> Iterator[Finding]:
        """A finding for each place that names one of them."""
        for node in ast.walk(tree):
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            loads = isinstance(getattr(node, "ctx", None), ast.Load)
            if name in self._names and loads and id(node) not in self.excused:
                by = self._names[name]
                path = self._aliases.path(by)
                yield trick(node, "hack:torch_compile", f"{name} is compiled by {path}, line {by.lineno}")


def _at_the_top(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements, and those under conditions."""
    for statement in statements:
        yield statement
        for field in ("body", "orelse", "handlers", "finalbody") if isinstance(statement, ast.If | ast.Try) else ():
            for part in getattr(statement, field, []):
                yield from _at_the_top(part.body if isinstance(part, ast.ExceptHandler) else [part])
