"""A candidate's code with hooks around its calls and attributes, so that their answers are heard and can be others.

Line numbers, frames and meaning stay what they were: a call is still made by the candidate's own code, `f(x)` as
`said(3, ask(3, f)(x))`. Kernels are left as they are, Triton reads their text. The names of the hooks are no
identifiers, so no text can hold them.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from kbtools_plugins.verify.worker.record.answers.compared import CHOSEN, FELT, LEFT, TESTED

ASK, ASKED, SAID, MADE, SHOWN, TOLD = "ask site", "asked site", "said site", "made site", "shown site", "told site"
IMPORT = "__import__"

_ARGUMENTS_MATTER = frozenset({"isinstance", "issubclass", "hasattr", "getattr", "repr", "str", "format", "ascii"})
"""Built-in functions whose answers are about their arguments, which may be anything."""
_PLAIN = frozenset(
    """
    abs all any bool bytes callable complex dict divmod enumerate filter float int iter len list map max min next
    pow print property range reversed round slice sorted staticmethod classmethod sum super tuple type zip
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
"""Those whose answers are facts of what the candidate knows already."""
_OF_MODULES = frozenset({"__spec__", "__loader__", "__package__", "__builtins__", "__file__", "__name__"})
"""Names by which a module knows how it was loaded."""
_OF_TRITON = frozenset({"jit", "constexpr_function", "constexpr", "autotune", "heuristics"})


@dataclass(frozen=True)
class Site:
    """One place in the text where something is asked."""

    line: int
    text: str
    attribute: str
    """Its name where it is one; empty for a call."""
    used: bool
    """Whether anything is done with the answer."""


def listen(code: str, path: str) -> tuple[ast.Module, list[Site]]:
    """The tree of the code with hooks, and its sites by the number that a hook is given."""
    tree = ast.parse(code, path)
    hooks = _Hooks(tree)
    changed: ast.Module = hooks.visit(tree)
    return ast.fix_missing_locations(changed), hooks.sites


class _Hooks(ast.NodeTransformer):
    def __init__(self, tree: ast.Module) -> None:
        self.sites: list[Site] = []
        nodes = list(ast.walk(tree))
        bound = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        bound |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        bound |= {found.asname or found.name for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)
                  for found in node.names}  # fmt: skip
        self._inside = 0
        """Functions that what is visited is in."""
        self._felt_by: ast.Constant | None = None
        """The number of the comparison whose parts are visited."""
        self._unused = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        self._plain, self._of_arguments = _PLAIN - bound, _ARGUMENTS_MATTER - bound
        self._kernels = {
            argument.id
            for node in nodes
            if isinstance(node, ast.Call) and _name(node.func) in _OF_TRITON
            for argument in node.args
            if isinstance(argument, ast.Name)
        }

    def _site(self, node: ast.expr) -> ast.Constant:
        attribute = node.attr if isinstance(node, ast.Attribute) else ""
        self.sites.append(Site(node.lineno, ast.unparse(node)[:80], attribute, id(node) not in self._unused))
        return ast.Constant(len(self.sites) - 1)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        is_kernel = node.name in self._kernels or any(_name(item) in _OF_TRITON for item in _decorators(node))
        node.decorator_list = [self.visit(item) for item in node.decorator_list]
        if is_kernel:
            return node
        node.args = self.visit(node.args)
        self._inside += 1
        node.body = [self.visit(item) for item in node.body]
        self._inside -= 1
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        node.defaults = [self.visit(item) for item in node.defaults]
        node.kw_defaults = [item and self.visit(item) for item in node.kw_defaults]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.value = node.value and self.visit(node.value)
        return node

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        node.guard = node.guard and self.visit(node.guard)
        node.body = [self.visit(item) for item in node.body]
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        number = self._site(node) if name not in self._plain else None
        chooses = isinstance(node.func, ast.Attribute) and node.func.attr == "get"
        node.args = [self._chosen(item) if chooses else self.visit(item) for item in node.args]
        node.keywords = [self.visit(item) for item in node.keywords]
        if number is None:
            return self._heard(node)
        if name in self._of_arguments and not node.keywords:
            asked = _called(node, ASKED, number, ast.Name(name, ast.Load()), *node.args)
            node.args = [ast.Starred(asked, ast.Load())]
        else:
            node.func = _called(node, ASK, number, self._base(node.func))
        return self._heard(_called(node, SAID, number, node))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if not isinstance(node.ctx, ast.Load):
            node.value = self._base(node.value)
            return node
        number = self._site(node)
        node.value = _called(node, ASK, number, self._base(node.value))
        return self._heard(_called(node, SAID, number, node))

    def _base(self, node: ast.expr) -> ast.expr:
        """What an attribute is taken of, or what is called: of a chain of attributes the last alone gives an answer."""
        if isinstance(node, ast.Attribute):
            node.value = self._base(node.value)
            return node
        visited: ast.expr = self.visit(node)
        return visited

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if not isinstance(node.ctx, ast.Load):
            return node
        return self._heard(_called(node, TOLD, self._site(node), node) if node.id in _OF_MODULES else node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        is_guard = isinstance(node.left, ast.Name) and node.left.id == "__name__" and not self._inside
        if is_guard and any(isinstance(item, ast.Constant) and item.value == "__main__" for item in node.comparators):
            return node
        number = self._site(node)
        node.left = self._felt(node.left, number)
        node.comparators = [self._felt(item, number) for item in node.comparators]
        return _called(node, TESTED, number, node)

    def _felt(self, node: ast.expr, number: ast.Constant) -> ast.expr:
        """An expression whose value and whose parts are heard."""
        before, self._felt_by = self._felt_by, number
        visited: ast.expr = self.visit(node)
        self._felt_by = before
        return visited if isinstance(node, ast.Constant | ast.Starred) else _called(node, FELT, number, visited)

    def _heard(self, node: ast.expr) -> ast.expr:
        """A part of a comparison."""
        return node if self._felt_by is None else _called(node, FELT, self._felt_by, node)

    def _tested(self, node: ast.expr) -> ast.expr:
        """What a branch depends on; comparisons in it are tested by themselves."""
        if isinstance(node, ast.Compare | ast.BoolOp | ast.Constant) or _is_not(node):
            visited: ast.expr = self.visit(node)
            return visited
        number = self._site(node)
        return _called(node, TESTED, number, self._felt(node, number))

    def visit_If(self, node: ast.If) -> ast.AST:
        node.test = self._tested(node.test)
        node.body = [self.visit(item) for item in node.body]
        node.orelse = [self.visit(item) for item in node.orelse]
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        node.test, node.body, node.orelse = self._tested(node.test), self.visit(node.body), self.visit(node.orelse)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        node.operand = self._tested(node.operand) if _is_not(node) else self.visit(node.operand)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        node.value = self.visit(node.value)
        chooses = isinstance(node.ctx, ast.Load) and not isinstance(node.slice, ast.Slice | ast.Tuple)
        node.slice = self._chosen(node.slice) if chooses else self.visit(node.slice)
        return self._heard(node) if isinstance(node.ctx, ast.Load) else node

    def visit_Match(self, node: ast.Match) -> ast.AST:
        node.subject = self._chosen(node.subject)
        node.cases = [self.visit(item) for item in node.cases]
        return node

    def _chosen(self, node: ast.expr) -> ast.expr:
        """What something is chosen by."""
        if isinstance(node, ast.Constant | ast.Starred):
            visited: ast.expr = self.visit(node)
            return visited
        number = self._site(node)
        return _called(node, CHOSEN, number, self._felt(node, number))

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        node.value = _called(node, SHOWN, self._site(node.value), self.visit(node.value))
        return node

    def _made(self, node: ast.expr) -> ast.AST:
        number = self._site(node)
        self.generic_visit(node)
        return _called(node, MADE, number, node)

    visit_Set = visit_SetComp = _made  # noqa: N815 - ast.NodeVisitor's names

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if isinstance(node.op, ast.Mod | ast.BitAnd) and (most := _whole_number(node.right)):
            number = self._site(node)
            node.left = self._felt(node.left, number)
            left = ast.Constant(most - isinstance(node.op, ast.Mod))
            return self._heard(_called(node, LEFT, number, node, left))
        sets = isinstance(node.op, ast.BitOr | ast.BitAnd | ast.BitXor | ast.Sub)
        return self._heard(self._made(node) if sets else self.generic_visit(node))  # type: ignore[arg-type]  # as it was


def _called(node: ast.expr, hook: str, number: ast.Constant, *values: ast.expr) -> ast.Call:
    call = ast.Call(ast.Name(hook, ast.Load()), [number, *values], [])
    return ast.copy_location(call, node)


def _whole_number(node: ast.expr) -> int:
    """Of a positive literal; 0 of anything else."""
    return max(0, node.value) if isinstance(node, ast.Constant) and type(node.value) is int else 0


def _is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _decorators(node: ast.FunctionDef) -> list[ast.expr]:
    return [item.func if isinstance(item, ast.Call) else item for item in node.decorator_list]


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
