"""What the names in kernels stand for: modules, constants and functions of the candidate's text, or what was bound."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from kbtools_plugins.verify.candidate.kernel_language import INDUCTOR_HELPERS, dotted, free_names
from kbtools_plugins.verify.protocol.source import Binding

_MODULE_ROOTS = ("triton.language", "math", INDUCTOR_HELPERS)

_PURE_CALLS = frozenset(
    """
    tl.constexpr triton.language.constexpr constexpr int float bool min max abs round len
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)


@dataclass
class KernelNames:
    """What each name in a candidate's kernels is; `elsewhere` has those that are bound to something else."""

    modules: dict[str, str]
    imports: dict[str, ast.stmt]
    constants: dict[str, ast.stmt]
    functions: dict[str, ast.FunctionDef]
    elsewhere: set[str]


def bind(bindings: Sequence[Binding], names: KernelNames, functions: list[ast.FunctionDef]) -> None:
    """Let names stand for what they stood for in the candidate's own module; one with two meanings has none here."""
    meanings: dict[str, set[str]] = {}
    places = {(node.name, first_line(node)): node for node in functions}
    for found in bindings:
        if found.name in names.modules:
            continue
        meanings.setdefault(found.name, set()).add(f"{found.kind} {found.text()} {found.target_line}")
        names.constants.pop(found.name, None)
        if found.kind == "value":
            names.constants[found.name] = ast.parse(f"{found.name} = {found.text()}").body[0]
        elif found.kind == "missing":
            names.functions.pop(found.name, None)
            names.elsewhere.discard(found.name)
        elif found.name == found.target and (found.target, found.target_line) in places:
            names.functions[found.name] = places[found.target, found.target_line]
    for name in (name for name, found in meanings.items() if len(found) > 1):
        names.constants.pop(name, None)
        names.functions.pop(name, None)
        names.elsewhere.add(name)


def language_imports(tree: ast.Module) -> tuple[dict[str, str], dict[str, ast.stmt]]:
    """Names bound by imports of Triton's language and of math, and the statements that bind them."""
    modules = {"tl": "triton.language", "triton": "triton", "math": "math"}
    statements: dict[str, ast.stmt] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_language(alias.name) or alias.name == "triton":
                    name = alias.asname or alias.name.partition(".")[0]
                    modules[name] = alias.name if alias.asname else alias.name.partition(".")[0]
                    if modules[name] != "triton.language":
                        statements[name] = ast.Import([alias])
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if _is_language(full) or node.module == "triton":
                    modules[alias.asname or alias.name] = full
                if _is_language(full) and full != "triton.language":
                    statements[alias.asname or alias.name] = ast.ImportFrom(node.module, [alias], 0)
    return modules, statements


def _is_language(path: str) -> bool:
    return any(path == root or path.startswith(f"{root}.") for root in _MODULE_ROOTS)


def import_text(statement: ast.stmt) -> str:
    """An import that is left out where this version of Triton has no such module."""
    return f"try:\n    {ast.unparse(statement)}\nexcept ImportError:\n    pass"


def constants(tree: ast.Module) -> dict[str, ast.stmt]:
    """Assignments of plain values that kernels may refer to: a name's last one at the top level, else its first one."""
    found: dict[str, ast.stmt] = {}
    top = set(map(id, tree.body))
    for node in ast.walk(tree):  # breadth first: the top level comes before what is nested in it
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            name, value = node.target.id, node.value
        else:
            continue
        if id(node) in top:
            found.pop(name, None)
        if name not in found and is_pure(value, set(found)):
            found[name] = node
    return found


def bound_anywhere(tree: ast.Module) -> set[str]:
    """Every name that is assigned, defined or imported, at whatever level."""
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    aliases = [
        alias for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    ]
    return bound | {alias.asname or alias.name.partition(".")[0] for alias in aliases}


def is_pure(value: ast.expr, known: set[str]) -> bool:
    """Whether a value is made of constants, `known` names and functions without effects."""
    if isinstance(value, ast.Constant):
        return True
    if isinstance(value, ast.Name):
        return value.id in known
    if isinstance(value, ast.Attribute):
        return (
            dotted(value).startswith(("tl.", "triton.language.", "math."))
            and value.attr[0] != "_"
            and dotted(value).count(".") < 3
        )
    if isinstance(value, ast.Call):
        name = dotted(value.func)
        pure = name in _PURE_CALLS or (name.startswith("math.") and name.count(".") == 1)
        return pure and not value.keywords and all(is_pure(argument, known) for argument in value.args)
    if isinstance(value, ast.UnaryOp | ast.BinOp | ast.Tuple | ast.List):
        return all(is_pure(child, known) for child in ast.iter_child_nodes(value) if isinstance(child, ast.expr))
    return False


def closure(node: ast.FunctionDef, names: KernelNames) -> set[str]:
    """Everything outside itself that a kernel needs, through the kernels and constants it uses."""
    seen: set[str] = set()
    waiting = list(free_names(node))
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in names.functions:
            waiting += free_names(names.functions[name])
        elif name in names.constants:
            waiting += [part.id for part in ast.walk(names.constants[name]) if isinstance(part, ast.Name)]
    return seen


def first_line(node: ast.FunctionDef) -> int:
    """That of its first decorator, by which Python names a function's place."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
