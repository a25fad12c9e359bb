"""What a kernel's text says of it without being run: its constants, what it may write to, whether it computes at all.

Works on the syntax tree of one `@triton.jit` function, as far as text can tell; a replay has the last word.
"""

from __future__ import annotations

import ast

from kbtools_plugins.verify.candidate.kernel_language import dotted


def constant_parameters(node: ast.FunctionDef) -> frozenset[str]:
    """Parameters that are compile-time constants."""
    parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return frozenset(item.arg for item in parameters if item.annotation and "constexpr" in ast.unparse(item.annotation))


def words(node: ast.AST) -> set[str]:
    """Names and attributes in a text, to tell which features of the language it needs."""
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return names | {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}


def written_parameters(node: ast.FunctionDef, kernels: set[str]) -> frozenset[str]:
    """Parameters that a stored-to address is made from, or that another kernel is given."""
    sources: dict[str, set[str]] = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Assign | ast.AugAssign | ast.AnnAssign) and part.value is not None:
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            for name in {leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)}:
                sources.setdefault(name, set()).update(_names(part.value))
        elif isinstance(part, ast.comprehension | ast.For):
            for name in _names(part.target):
                sources.setdefault(name, set()).update(_names(part.iter))
    reached: set[str] = set()
    for call in (part for part in ast.walk(node) if isinstance(part, ast.Call)):
        last = call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)
        if "store" in last or "atomic" in last:
            reached |= _names(call.func) | _names(call.args[0] if call.args else call)
            reached |= {name for word in call.keywords if word.arg == "pointer" for name in _names(word.value)}
        elif last in kernels or not isinstance(call.func, ast.Attribute):
            reached |= _names(call)
    while more := {source for name in reached for source in sources.get(name, ())} - reached:
        reached |= more
    parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return frozenset(item.arg for item in parameters if item.arg in reached)


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def only_copies(node: ast.FunctionDef) -> bool:
    """Whether every stored value is a loaded one, cast at most."""
    loaded = {
        target.id
        for part in ast.walk(node)
        if isinstance(part, ast.Assign) and _is_load(part.value, set())
        for target in part.targets
        if isinstance(target, ast.Name)
    }
    stores = [part for part in ast.walk(node) if isinstance(part, ast.Call) and dotted(part.func).endswith(".store")]
    return bool(stores) and all(len(store.args) > 1 and _is_load(store.args[1], loaded) for store in stores)


def _is_load(value: ast.expr, loaded: set[str]) -> bool:
    if isinstance(value, ast.Name):
        return value.id in loaded
    if not isinstance(value, ast.Call):
        return False
    if isinstance(value.func, ast.Attribute) and value.func.attr == "to":
        return _is_load(value.func.value, loaded)
    return dotted(value.func).endswith(".load")
