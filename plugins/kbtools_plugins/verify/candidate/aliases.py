"""What the names in a candidate's text stand for: imports, assignments, `getattr` with a constant name."""

from __future__ import annotations

import ast

from kbtools_plugins.verify.candidate.kernel_language import dotted


class Aliases:
    """Full dotted names for what a text's own names stand for."""

    def __init__(self, tree: ast.Module) -> None:
        self._names: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    root = alias.name.partition(".")[0]
                    self._names[alias.asname or root] = alias.name if alias.asname else root
            elif isinstance(node, ast.ImportFrom) and node.module:
                self._names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                path = self.path(node.value)
                if path and path.partition(".")[0] != node.targets[0].id and "." in path:
                    self._names.setdefault(node.targets[0].id, path)

    def path(self, node: ast.expr) -> str:
        """The full dotted name of an expression, through imports, assignments, `getattr`, `__dict__`; or empty."""
        if isinstance(node, ast.Name):
            return self._names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self.path(node.value)
            return f"{base}.{node.attr}" if base else ""
        if isinstance(node, ast.Call):
            return self._called(node)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "__dict__":
            base, key = self.path(node.value.value), constant_text(node.slice)
            return f"{base}.{key}" if base and key else ""
        return ""

    def _called(self, node: ast.Call) -> str:
        name = dotted(node.func)
        if name == "getattr" and len(node.args) >= 2 and (key := constant_text(node.args[1])):
            base = self.path(node.args[0])
            return f"{base}.{key}" if base else ""
        if name in ("__import__", "importlib.import_module") and node.args:
            return constant_text(node.args[0])
        return ""


def constant_text(node: ast.expr) -> str:
    """The string an expression of literals stands for, empty if it is none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = constant_text(node.left), constant_text(node.right)
        return left + right if left and right else ""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "join" and node.args:
        parts = node.args[0].elts if isinstance(node.args[0], ast.List | ast.Tuple) else []
        return constant_text(node.func.value).join(constant_text(part) for part in parts)
    if isinstance(node, ast.JoinedStr):
        return "".join(constant_text(part) for part in node.values)
    return ""
