"""`read_code`: everything the static judge knows about one piece of code, as plain facts without any weights.

The scores made from these facts live in `difficulty` and `style`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .families import ARITHMETIC, MOVES_DATA_ONLY
from .flow import Function, postorder
from .kernels import Kernel, is_kernel, read_kernel
from .names import Names, dotted, names_of
from .operations import HostCode, Op, is_aside, own_nodes, read_host
from .source import Parsed, Unparsable, parse

_INDUCTOR_MARKS = (
    "torch._inductor",
    "extern_kernels",
    "assert_size_stride",
    "empty_strided_cuda",
    "async_compile",
)


@dataclass(frozen=True, slots=True)
class Launch:
    """One `kernel[grid](...)` or `kernel.run(...)`."""

    kernel: str
    line: int


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """Facts of one source text; lines count from 1 in the extracted code."""

    kernels: tuple[Kernel, ...]
    launches: tuple[Launch, ...]
    host: HostCode
    inductor: tuple[str, ...]
    lines: int
    comment_lines: int
    docstrings: int
    definitions: int

    @property
    def ops(self) -> tuple[Op, ...]:
        return self.host.ops

    @property
    def compute_ops(self) -> tuple[str, ...]:
        """The distinct operations that compute, in order of first use; shapes and constants are left out."""
        return tuple(dict.fromkeys(op.name for op in self.ops if op.family not in MOVES_DATA_ONLY))

    @property
    def fused_ops(self) -> tuple[str, ...]:
        """The distinct computing operations that are more than an operator such as `+`."""
        return tuple(name for name in self.compute_ops if name not in ARITHMETIC)

    @property
    def launched(self) -> tuple[Kernel, ...]:
        """The kernels that some launch names."""
        called = {launch.kernel for launch in self.launches}
        return tuple(kernel for kernel in self.kernels if kernel.name in called)


def read_code(source: str) -> CodeFacts | Unparsable:
    """Facts of the code in `source` (plain code, or text with a Markdown fence), or why there are none."""
    parsed = parse(source)
    if isinstance(parsed, Unparsable):
        return parsed
    facts = _facts(parsed)
    if not (facts.definitions or facts.kernels or facts.ops or facts.host.unplaced):
        return Unparsable("the text parses but holds no function, class or PyTorch operation")
    return facts


def _facts(parsed: Parsed) -> CodeFacts:
    nodes = postorder(parsed.tree)
    names = names_of(nodes)
    nested = list(_nested_sources(nodes))
    kernels, scopes = _scopes(parsed.tree, names, _jitted_by_call(nodes, names))
    read = [read_kernel(node, names) for node in kernels] + [k for inner in nested for k in inner.kernels]
    return CodeFacts(
        kernels=tuple(read),
        launches=tuple(_launches(nodes, {kernel.name for kernel in read})),
        host=read_host(scopes, names),
        inductor=tuple(mark for mark in _INDUCTOR_MARKS if mark in parsed.code),
        lines=parsed.code.count("\n") + 1,
        comment_lines=sum("# " in line for line in parsed.code.splitlines()),
        docstrings=sum(
            ast.get_docstring(node) is not None for node in nodes if isinstance(node, Function | ast.ClassDef)
        ),
        definitions=sum(isinstance(node, Function | ast.ClassDef) for node in nodes),
    )


def _scopes(tree: ast.Module, names: Names, jitted: set[str]) -> tuple[list[Function], list[ast.AST]]:
    """The kernels, and the scopes of host code (module level, classes, functions) outside of them."""
    kernels: list[Function] = []
    scopes: list[ast.AST] = []
    queue: list[ast.AST] = [tree]
    while queue:
        scope = queue.pop()
        if isinstance(scope, Function) and (scope.name in jitted or is_kernel(scope, names)):
            kernels.append(scope)
        elif not is_aside(scope):
            scopes.append(scope)
            queue.extend(reversed(_inner_scopes(scope)))
    return kernels, scopes


def _inner_scopes(scope: ast.AST) -> list[ast.AST]:
    inner = Function | ast.ClassDef
    return [
        child
        for node in reversed(own_nodes(scope))
        if not isinstance(node, inner) or node is scope
        for child in ast.iter_child_nodes(node)
        if isinstance(child, inner)
    ]


def _jitted_by_call(nodes: list[ast.AST], names: Names) -> set[str]:
    """Functions that become kernels by `kernel = triton.jit(function)`."""
    calls = (node for node in nodes if isinstance(node, ast.Call) and names.resolve(node.func) == "triton.jit")
    return {call.args[0].id for call in calls if call.args and isinstance(call.args[0], ast.Name)}


def _launches(nodes: list[ast.AST], kernels: set[str]) -> Iterator[Launch]:
    for node in nodes:
        if isinstance(node, ast.Call) and (name := _launched_name(node.func)) in kernels and name is not None:
            yield Launch(name, node.lineno)


def _launched_name(function: ast.expr) -> str | None:
    """`k` of `k[grid]`, `module.k[grid]`, `wrap_triton(k)[grid]` and `k.run`."""
    if isinstance(function, ast.Attribute) and function.attr == "run":
        return dotted(function.value)
    if not isinstance(function, ast.Subscript):
        return None
    value = function.value
    if isinstance(value, ast.Call) and value.args:
        value = value.args[0]
    name = dotted(value)
    return name.rsplit(".", 1)[-1] if name else None


def _nested_sources(nodes: list[ast.AST]) -> Iterator[CodeFacts]:
    """Kernels that Inductor writes as strings: `async_compile.triton('name', '''source''')`."""
    calls = [n for n in nodes if isinstance(n, ast.Call) and (dotted(n.func) or "") == "async_compile.triton"]
    for call in calls:
        for argument in call.args[1:2]:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                inner = read_code(argument.value)
                if isinstance(inner, CodeFacts):
                    yield inner
