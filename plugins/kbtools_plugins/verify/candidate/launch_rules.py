"""Tricks around a launch: another result where it fails, and a forward that counts how often it was called."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kbtools_plugins.verify.candidate.aliases import Aliases
from kbtools_plugins.verify.candidate.kernel_language import dotted
from kbtools_plugins.verify.candidate.rule import last_name, nodes, trick, trick_of_statement
from kbtools_plugins.verify.protocol.reading import Finding


def exception_fallback(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    """A launch whose failure is replaced by something computed otherwise."""
    launching = _launching_functions(tree)
    retries = {id(part) for node in nodes(tree) if isinstance(node, ast.For | ast.While) for part in node.body}
    for node in nodes(tree):
        if isinstance(node, ast.Try) and _launches(node.body, launching):
            for clause in node.handlers:
                if not _is_honest(clause, launching, in_loop=id(node) in retries):
                    yield trick_of_statement(node, "hack:exception_fallback", "a failed launch is caught and replaced")
        elif isinstance(node, ast.With) and _launches(node.body, launching):
            for item in node.items:
                path = aliases.path(item.context_expr.func) if isinstance(item.context_expr, ast.Call) else ""
                if path.endswith("suppress"):
                    yield trick_of_statement(node, "hack:exception_fallback", "a failed launch is suppressed")


def _is_honest(clause: ast.ExceptHandler, launching: set[str], *, in_loop: bool) -> bool:
    """Whether a failed launch is reported, or tried again: by another launch here, or by the loop around it."""
    if any(isinstance(part, ast.Raise) for part in ast.walk(clause)) or _launches(clause.body, launching):
        return True
    return in_loop and all(map(_computes_nothing, clause.body))


def _computes_nothing(statement: ast.stmt) -> bool:
    """A message, the next turn of a loop, a smaller block: whatever is in a handler that makes no result."""
    match statement:
        case ast.Continue() | ast.Pass() | ast.Expr():
            return True
        case ast.Assign(value=ast.Name() | ast.Constant()) | ast.AugAssign(op=ast.FloorDiv() | ast.RShift()):
            return True
        case ast.Assign(value=ast.BinOp(op=ast.FloorDiv() | ast.RShift())):
            return True
    return False


def _launching_functions(tree: ast.Module) -> set[str]:
    """Names of functions that launch a kernel, directly or through each other."""
    functions = [node for node in nodes(tree) if isinstance(node, ast.FunctionDef)]
    names: set[str] = set()
    while True:
        found = {node.name for node in functions if _launches(node.body, names)}
        if found <= names:
            return names
        names |= found


def _launches(body: list[ast.stmt], launching: set[str]) -> bool:
    calls = [node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return any(isinstance(call.func, ast.Subscript) or last_name(call.func) in launching for call in calls)


def counted_calls(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    """A counter that a forward increments and branches on."""
    for function in (node for node in nodes(tree) if isinstance(node, ast.FunctionDef)):
        counted = {
            dotted(node.target) or ast.unparse(node.target)
            for node in ast.walk(function)
            if isinstance(node, ast.AugAssign)
        }
        counted |= {
            ast.unparse(node.targets[0])
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.BinOp)
            and ast.unparse(node.value).startswith(ast.unparse(node.targets[0]) + " + ")
        }
        lasting = {
            name
            for name in counted
            if name.startswith(("self.", "cls.")) or "[" in name or name in _globals_of(function)
        }
        branches = (node for node in ast.walk(function) if isinstance(node, ast.If | ast.IfExp | ast.While))
        for branch in branches if lasting else ():
            tested = {
                ast.unparse(part)
                for part in ast.walk(branch.test)
                if isinstance(part, ast.Attribute | ast.Name | ast.Subscript)
            }
            for name in sorted(tested & lasting):
                yield trick(branch.test, "hack:call_counting", f"branches on {name}, which counts calls")


def _globals_of(function: ast.FunctionDef) -> set[str]:
    return {name for node in ast.walk(function) if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
