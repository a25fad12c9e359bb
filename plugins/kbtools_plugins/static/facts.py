"""`read_code`: everything the static judge knows about one piece of code, as plain facts without any weights.

The scores made from these facts live in `difficulty` and `style`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .families import ARITHMETIC, MOVES_DATA_ONLY
from .flow import SCOPES, Function, children, has_docstring, postorder
from .kernels import TritonKernel, is_kernel, read_kernel
from .names import ModuleAliases, dotted, names_of
from .operations import CodeScope, HostCode, Op, is_aside, own_nodes, read_host
from .source import ParsedCode, Unparsable, parse

_INDUCTOR_MARKS = (
    "torch._inductor",
    "extern_kernels",
    "assert_size_stride",
    "empty_strided_cuda",
    "async_compile",
)


@dataclass(frozen=True, slots=True)
class LaunchSite:
    """One `kernel[grid](...)` or `kernel.run(...)`."""

    kernel: str
    line: int


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """Facts of one source text; lines count from 1 in the extracted code."""

    kernels: tuple[TritonKernel, ...]
    launches: tuple[LaunchSite, ...]
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
    def launched(self) -> tuple[TritonKernel, ...]:
        """The kernels that some launch names."""
        called = {launch.kernel for launch in self.launches}
        return tuple(kernel for kernel in self.kernels if kernel.name in called)


def read_code(source: str, *, complete: bool = False) -> CodeFacts | Unparsable:
    """Facts of the code in `source` (plain code, or text with a Markdown fence), or why there are none.

    `complete` also counts operators whose result has a method called on it, and registered buffers as tensors. The
    judge's scale was set without these, and rows keep the scores that they were given.
    """
    parsed = parse(source)
    if isinstance(parsed, Unparsable):
        return parsed
    facts = _facts(parsed, complete)
    if not (facts.definitions or facts.kernels or facts.ops or facts.host.unplaced):
        return Unparsable("the text parses but holds no function, class or PyTorch operation")
    return facts


def _facts(parsed: ParsedCode, complete: bool) -> CodeFacts:
    nodes = postorder(parsed.tree)
    names = names_of(nodes)
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    definitions = [node for node in nodes if type(node) in SCOPES]
    nested = list(_nested_sources(calls))
    kernels, scopes = _scopes(parsed.tree, names, _jitted_by_call(calls, names))
    read = [read_kernel(node, names) for node in kernels] + [k for inner in nested for k in inner.kernels]
    return CodeFacts(
        kernels=tuple(read),
        launches=tuple(_launches(calls, {kernel.name for kernel in read})),
        host=read_host(scopes, names, complete),
        inductor=tuple(mark for mark in _INDUCTOR_MARKS if mark in parsed.code),
        lines=parsed.code.count("\n") + 1,
        comment_lines=sum("# " in line for line in parsed.code.splitlines()),
        docstrings=sum(map(has_docstring, definitions)),
        definitions=len(definitions),
    )


def _scopes(tree: ast.Module, names: ModuleAliases, jitted: set[str]) -> tuple[list[Function], list[CodeScope]]:
    """The kernels, and the scopes of host code (module level, classes, functions) outside of them."""
    kernels: list[Function] = []
    scopes: list[CodeScope] = []
    queue: list[ast.AST] = [tree]
    while queue:
        scope = queue.pop()
        if isinstance(scope, Function) and (scope.name in jitted or is_kernel(scope, names)):
            kernels.append(scope)
        elif not is_aside(scope):
            scopes.append(CodeScope(scope, own_nodes(scope)))
            queue.extend(reversed(_inner_scopes(scopes[-1])))
    return kernels, scopes


def _inner_scopes(scope: CodeScope) -> list[ast.AST]:
    return [
        child
        for node in reversed(scope.nodes)
        if type(node) not in SCOPES or node is scope.node
        for child in children(node)
        if type(child) in SCOPES
    ]


def _jitted_by_call(calls: list[ast.Call], names: ModuleAliases) -> set[str]:
    """Functions that become kernels by `kernel = triton.jit(function)`."""
    made = (call for call in calls if call.args and names.resolve(call.func) == "triton.jit")
    return {call.args[0].id for call in made if isinstance(call.args[0], ast.Name)}


def _launches(calls: list[ast.Call], kernels: set[str]) -> Iterator[LaunchSite]:
    for call in calls:
        if (name := _launched_name(call.func)) in kernels and name is not None:
            yield LaunchSite(name, call.lineno)


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


def _nested_sources(calls: list[ast.Call]) -> Iterator[CodeFacts]:
    """Kernels that Inductor writes as strings: `async_compile.triton('name', '''source''')`."""
    for call in (call for call in calls if dotted(call.func) == "async_compile.triton"):
        for argument in call.args[1:2]:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                inner = read_code(argument.value)
                if isinstance(inner, CodeFacts):
                    yield inner
