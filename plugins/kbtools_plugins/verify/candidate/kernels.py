"""Takes the kernels out of a candidate's text: a module of nothing but `@triton.jit` functions and what they use.

Launch wrappers, classes and decorators for tuning stay behind: a trace has their results. The clean module is what is
compiled and replayed, so it is kept free of anything that is not in the kernel language (kernel_language.py).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence
from dataclasses import dataclass

from kbtools_plugins.verify.candidate import kernel_facts as facts
from kbtools_plugins.verify.candidate.kernel_language import dotted, free_names, violations
from kbtools_plugins.verify.candidate.lines import original_lines
from kbtools_plugins.verify.protocol.reading import Kernel, KernelSource
from kbtools_plugins.verify.protocol.source import Binding

_HEADER = """import math
import triton
import triton.language as tl
"""
_MODULE_ROOTS = ("triton.language", "math")
_SUBMODULE_ENDS = (".math", ".extra", ".core", ".standard", ".random", ".cuda", ".semantic", ".target_info")
_PURE_CALLS = frozenset(
    """
    tl.constexpr triton.language.constexpr constexpr int float bool min max abs round len
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)


@dataclass
class _Names:
    modules: dict[str, str]
    imports: dict[str, ast.stmt]
    constants: dict[str, ast.stmt]
    functions: dict[str, ast.FunctionDef]
    elsewhere: set[str]


def extract(tree: ast.Module, bindings: Sequence[Binding] = ()) -> KernelSource:
    """The clean module for a candidate's syntax tree.

    `bindings` say what the kernels' names stood for when they were launched; where they say nothing the text counts.
    """
    modules, imports = _language_imports(tree)
    named = {(found.kernel, found.line) for found in bindings}
    named |= {(found.target, found.target_line) for found in bindings if found.kind == "function"}
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and (is_jit(node, modules, imports) or (node.name, _first_line(node)) in named)
    ]
    if not functions:
        return KernelSource(text=_HEADER)
    bound = {
        (found.target, found.target_line)
        for found in bindings
        if found.kind == "function" and found.name == found.target
    }
    clean_names = _clean_names(functions, bound)
    names = _Names(modules, imports, _constants(tree), {node.name: node for node in functions}, _bound_anywhere(tree))
    _apply(bindings, names, functions)
    used = {name for node in functions for name in _closure(node, names)}
    lines = [_HEADER, *dict.fromkeys(_import_text(statement) for name, statement in imports.items())]
    canonical = _Canonical(modules)
    lines += [
        ast.unparse(canonical.visit(copy.deepcopy(statement)))
        for name, statement in names.constants.items()
        if name in used
    ]
    kernels: dict[str, list[Kernel]] = {}
    originals: dict[str, ast.FunctionDef] = {}
    for node in functions:
        kernel = _describe(node, clean_names[id(node)], names)
        kernels.setdefault(node.name, []).append(kernel)
        if not kernel.problems:  # what is not in the language is never near a process that runs kernels
            lines.append(_clean_function(node, kernel.clean_name, modules))
            originals[kernel.clean_name] = node
    text = "\n".join(lines)
    return KernelSource(text=text, lines=list(original_lines(text, originals)), kernels=kernels)


def _first_line(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _apply(bindings: Sequence[Binding], names: _Names, functions: list[ast.FunctionDef]) -> None:
    """Let names stand for what they stood for in the candidate's own module; one with two meanings has none here."""
    meanings: dict[str, set[str]] = {}
    places = {(node.name, _first_line(node)): node for node in functions}
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


def is_jit(node: ast.FunctionDef, modules: dict[str, str], imports: dict[str, ast.stmt]) -> bool:
    """Whether a function is decorated as a Triton kernel, under whatever name `jit` was imported."""
    return any(_is_jit_decorator(decorator, modules) for decorator in node.decorator_list)


def _is_jit_decorator(decorator: ast.expr, modules: dict[str, str]) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    path = dotted(target)
    root = path.partition(".")[0]
    full = modules.get(root, root) + path.removeprefix(root)
    return full in ("triton.jit", "jit", "triton.runtime.jit.jit", "triton.runtime.jit")


def _language_imports(tree: ast.Module) -> tuple[dict[str, str], dict[str, ast.stmt]]:
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
        elif (
            isinstance(node, ast.ImportFrom) and node.module and (_is_language(node.module) or node.module == "triton")
        ):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                modules[alias.asname or alias.name] = full
                if _is_language(full) and full != "triton.language":
                    statements[alias.asname or alias.name] = ast.ImportFrom(node.module, [alias], 0)
    return modules, statements


def _is_language(path: str) -> bool:
    return any(path == root or path.startswith(f"{root}.") for root in _MODULE_ROOTS)


def _import_text(statement: ast.stmt) -> str:
    """An import that is left out where this version of Triton has no such module."""
    return f"try:\n    {ast.unparse(statement)}\nexcept ImportError:\n    pass"


def _constants(tree: ast.Module) -> dict[str, ast.stmt]:
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
        if name not in found and _is_pure(value, set(found)):
            found[name] = node
    return found


def _bound_anywhere(tree: ast.Module) -> set[str]:
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    aliases = [
        alias for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    ]
    return bound | {alias.asname or alias.name.partition(".")[0] for alias in aliases}


def _is_pure(value: ast.expr, known: set[str]) -> bool:
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
        return pure and not value.keywords and all(_is_pure(argument, known) for argument in value.args)
    if isinstance(value, ast.UnaryOp | ast.BinOp | ast.Tuple | ast.List):
        return all(_is_pure(child, known) for child in ast.iter_child_nodes(value) if isinstance(child, ast.expr))
    return False


def _closure(node: ast.FunctionDef, names: _Names) -> set[str]:
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


def _describe(node: ast.FunctionDef, clean_name: str, names: _Names) -> Kernel:
    closure = [node, *(names.functions[name] for name in sorted(_closure(node, names)) if name in names.functions)]
    known = set(names.constants) | set(names.functions)
    problems = [
        problem for part in closure for problem in violations(_bare(part), names.modules, known, names.elsewhere)
    ]
    return Kernel(
        name=node.name,
        clean_name=clean_name,
        line=_first_line(node),
        end_line=node.end_lineno or node.lineno,
        problems=problems,
        only_copies=facts.only_copies(node),
        constants=sorted(facts.constant_parameters(node)),
        written=sorted(facts.written_parameters(node, set(names.functions))),
        words=sorted({word for part in closure for word in facts.words(part)}),
    )


def _bare(node: ast.FunctionDef) -> ast.FunctionDef:
    """The function without decorators and without annotations that are not evaluated on launch."""
    return ast.FunctionDef(node.name, node.args, node.body, [], None, lineno=node.lineno, col_offset=0)


def _clean_names(functions: list[ast.FunctionDef], bound: set[tuple[str, int]]) -> dict[int, str]:
    """Of several functions with one name the one that kernels call keeps it, else the last, as in Python."""
    result = {}
    for name in dict.fromkeys(node.name for node in functions):
        same = [node for node in functions if node.name == name]
        meant = [node for node in same if (name, _first_line(node)) in bound] or same
        others = [node for node in same if node is not meant[-1]]
        result[id(meant[-1])] = name
        result |= {id(node): f"{name}__{number}" for number, node in enumerate(others, 2)}
    return result


class _Canonical(ast.NodeTransformer):
    """Calls triton.language `tl`, which Triton's interpreter looks for by identity and patches once for each name.

    Lists become the tuples that a compiler makes of them: one that could be changed would outlive the program. An
    assignment loses a type that says nothing: the interpreter makes a device's number of what is assigned without one.
    """

    def __init__(self, modules: dict[str, str]) -> None:
        self._functions = {
            name: path.replace("triton.language", "tl", 1)
            for name, path in modules.items()
            if path.startswith("triton.language.") and "libdevice" not in path and not path.endswith(_SUBMODULE_ENDS)
        }
        self._aliases = {name for name, module in modules.items() if module == "triton.language"}

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """An annotation in quotes says the same."""
        if isinstance(node.annotation, ast.Constant) and "constexpr" in str(node.annotation.value):
            return ast.arg(node.arg, ast.Attribute(ast.Name("tl", ast.Load()), "constexpr", ast.Load()))
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        path = self._functions.get(node.id, "")
        if path and isinstance(node.ctx, ast.Load):
            return ast.parse(path, mode="eval").body
        return ast.Name("tl", node.ctx, lineno=node.lineno, col_offset=0) if node.id in self._aliases else node

    def visit_List(self, node: ast.List) -> ast.List | ast.Tuple:
        self.generic_visit(node)
        return ast.Tuple(node.elts, node.ctx) if isinstance(node.ctx, ast.Load) else node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        self.generic_visit(node)
        if node.value is None or "constexpr" in ast.unparse(node.annotation):
            return node
        return ast.Assign([node.target], node.value)


def _clean_function(node: ast.FunctionDef, name: str, modules: dict[str, str]) -> str:
    decorator = next(
        (item for item in node.decorator_list if isinstance(item, ast.Call) and dotted(item.func).endswith("jit")), None
    )
    keywords = [word for word in decorator.keywords if word.arg and _is_pure(word.value, set())] if decorator else []
    jit = ast.Call(ast.Attribute(ast.Name("triton"), "jit"), [], keywords)
    clean = _Canonical(modules).visit(
        ast.FunctionDef(name, copy.deepcopy(node.args), copy.deepcopy(node.body), [jit], None)
    )
    return "\n" + ast.unparse(ast.fix_missing_locations(clean)) + "\n"
