"""Clean kernels as Triton's interpreter takes them: it runs as Python what a compiler reads."""

from __future__ import annotations

import ast
from collections.abc import Iterable


def interpretable(source: str) -> str:
    """The same module for the interpreter.

    Lists become the tuples that a compiler makes of them: one that could be changed would outlive the program. An
    assignment loses a type that says nothing: the interpreter makes a device's number of what is assigned without one.
    """
    return ast.unparse(ast.fix_missing_locations(_Interpretable().visit(ast.parse(source))))


class _Interpretable(ast.NodeTransformer):
    def visit_List(self, node: ast.List) -> ast.List | ast.Tuple:
        self.generic_visit(node)
        return ast.Tuple(node.elts, node.ctx) if isinstance(node.ctx, ast.Load) else node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        self.generic_visit(node)
        if node.value is None or "constexpr" in ast.unparse(node.annotation):
            return node
        return ast.Assign([node.target], node.value)


def uses_logic_as_value(source: str, launched: Iterable[str]) -> bool:
    """Whether one of these kernels, or one that they call, uses `a and b` where it matters that Python gives `b` and a
    compiled kernel a truth value."""
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    reached: set[str] = set()
    waiting = set(launched) & functions.keys()
    while waiting:
        reached.add(name := waiting.pop())
        waiting |= (_names(functions[name]) & functions.keys()) - reached
    return any(_has_logic_as_value(functions[name]) for name in reached)


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _has_logic_as_value(node: ast.AST) -> bool:
    tests = {id(test) for part in ast.walk(node) if (test := getattr(part, "test", None)) is not None}
    tests |= {id(part.operand) for part in ast.walk(node) if isinstance(part, ast.UnaryOp)}
    tests |= {id(value) for part in ast.walk(node) if isinstance(part, ast.BoolOp) for value in part.values}
    constants = frozenset(
        part.arg
        for part in ast.walk(node)
        if isinstance(part, ast.arg) and part.annotation and "constexpr" in ast.unparse(part.annotation)
    )
    return any(
        isinstance(part, ast.BoolOp) and id(part) not in tests and not _is_safe(part.values, constants)
        for part in ast.walk(node)
    )


def _is_safe(values: list[ast.expr], constants: frozenset[str]) -> bool:
    """Truth values alone, or constants alone, which a compiler treats as Python does."""
    constant = [isinstance(value, ast.Constant) or getattr(value, "id", "") in constants for value in values]
    return all(constant) or all(map(_is_truth, values))


def _is_truth(value: ast.expr) -> bool:
    if isinstance(value, ast.BoolOp):
        return all(map(_is_truth, value.values))
    if isinstance(value, ast.UnaryOp):
        return isinstance(value.op, ast.Not)
    return isinstance(value, ast.Compare) or (isinstance(value, ast.Constant) and isinstance(value.value, bool))
