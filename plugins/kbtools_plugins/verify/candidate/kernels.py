"""Takes the kernels out of a candidate's text: a module of nothing but `@triton.jit` functions and what they use.

Launch wrappers, classes and decorators for tuning stay behind: a trace has their results. The clean module is what is
compiled and replayed, so it is kept free of anything that is not in the kernel language (kernel_language.py).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence

from kbtools_plugins.verify.candidate import kernel_facts as facts
from kbtools_plugins.verify.candidate.kernel_language import dotted, violations
from kbtools_plugins.verify.candidate.kernel_names import (
    KernelNames,
    bind,
    bound_anywhere,
    closure,
    constants,
    first_line,
    import_text,
    is_pure,
    language_imports,
)
from kbtools_plugins.verify.candidate.lines import original_lines
from kbtools_plugins.verify.protocol.reading import Kernel, KernelSource
from kbtools_plugins.verify.protocol.source import Binding

_HEADER = """import math
import triton
import triton.language as tl
"""
_SUBMODULE_ENDS = (".math", ".extra", ".core", ".standard", ".random", ".cuda", ".semantic", ".target_info")


def extract(tree: ast.Module, bindings: Sequence[Binding] = ()) -> KernelSource:
    """The clean module for a candidate's syntax tree.

    `bindings` say what the kernels' names stood for when they were launched; where they say nothing the text counts.
    """
    modules, imports = language_imports(tree)
    named = {(found.kernel, found.line): "" for found in bindings}
    named |= {(found.target, found.target_line): found.maker for found in bindings if found.kind == "function"}
    makers = {
        id(node): _maker(node, modules) or named.get((node.name, first_line(node)), "") or "triton.jit"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (_maker(node, modules) or (node.name, first_line(node)) in named)
    }
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and id(node) in makers]
    if not functions:
        return KernelSource(text=_HEADER)
    bound = {
        (found.target, found.target_line)
        for found in bindings
        if found.kind == "function" and found.name == found.target
    }
    clean_names = _clean_names(functions, bound)
    names = KernelNames(
        modules, imports, constants(tree), {node.name: node for node in functions}, bound_anywhere(tree)
    )
    bind(bindings, names, functions)
    used = {name for node in functions for name in closure(node, names)}
    lines = [_HEADER, *dict.fromkeys(import_text(statement) for name, statement in imports.items())]
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
            lines.append(_clean_function(node, kernel.clean_name, modules, makers[id(node)]))
            originals[kernel.clean_name] = node
    text = "\n".join(lines)
    return KernelSource(text=text, lines=list(original_lines(text, originals)), kernels=kernels)


def _maker(node: ast.FunctionDef, modules: dict[str, str]) -> str:
    """What a function is decorated with that kernels can call, under whatever name it was imported; else empty."""
    return next((made for item in node.decorator_list if (made := _made_by(item, modules))), "")


_MAKERS = {
    "triton.jit": "triton.jit",
    "jit": "triton.jit",
    "triton.runtime.jit.jit": "triton.jit",
    "triton.runtime.jit": "triton.jit",
    "triton.constexpr_function": "triton.constexpr_function",
    "triton.runtime.jit.constexpr_function": "triton.constexpr_function",
    "constexpr_function": "triton.constexpr_function",
    "triton.language.constexpr": "tl.constexpr",
    "triton.language.core.constexpr": "tl.constexpr",
}
"""Decorators by their full names. What the last two make is Python that the compiler runs, so it is held to the same
language."""


def _made_by(decorator: ast.expr, modules: dict[str, str]) -> str:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    path = dotted(target)
    root = path.partition(".")[0]
    return _MAKERS.get(modules.get(root, root) + path.removeprefix(root), "")


def _describe(node: ast.FunctionDef, clean_name: str, names: KernelNames) -> Kernel:
    parts = [node, *(names.functions[name] for name in sorted(closure(node, names)) if name in names.functions)]
    known = set(names.constants) | set(names.functions)
    problems = [problem for part in parts for problem in violations(_bare(part), names.modules, known, names.elsewhere)]
    return Kernel(
        name=node.name,
        clean_name=clean_name,
        line=first_line(node),
        end_line=node.end_lineno or node.lineno,
        problems=problems,
        only_copies=facts.only_copies(node),
        constants=sorted(facts.constant_parameters(node)),
        written=sorted(facts.written_parameters(node, set(names.functions))),
        words=sorted({word for part in parts for word in facts.words(part)}),
    )


def _bare(node: ast.FunctionDef) -> ast.FunctionDef:
    """The function without decorators and without annotations that are not evaluated on launch."""
    return ast.FunctionDef(node.name, node.args, node.body, [], None, lineno=node.lineno, col_offset=0)


def _clean_names(functions: list[ast.FunctionDef], bound: set[tuple[str, int]]) -> dict[int, str]:
    """Of several functions with one name the one that kernels call keeps it, else the last, as in Python."""
    result = {}
    for name in dict.fromkeys(node.name for node in functions):
        same = [node for node in functions if node.name == name]
        meant = [node for node in same if (name, first_line(node)) in bound] or same
        others = [node for node in same if node is not meant[-1]]
        result[id(meant[-1])] = name
        result |= {id(node): f"{name}__{number}" for number, node in enumerate(others, 2)}
    return result


class _Canonical(ast.NodeTransformer):
    """Calls triton.language `tl`, whatever the candidate calls it."""

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


def _clean_function(node: ast.FunctionDef, name: str, modules: dict[str, str], maker: str) -> str:
    decorator = next(
        (item for item in node.decorator_list if isinstance(item, ast.Call) and dotted(item.func).endswith("jit")), None
    )
    keywords = [word for word in decorator.keywords if word.arg and is_pure(word.value, set())] if decorator else []
    made: ast.expr = ast.parse(maker, mode="eval").body
    made = ast.Call(made, [], keywords) if maker == "triton.jit" else made
    clean = _Canonical(modules).visit(
        ast.FunctionDef(name, copy.deepcopy(node.args), copy.deepcopy(node.body), [made], None)
    )
    return "\n" + ast.unparse(ast.fix_missing_locations(clean)) + "\n"
