"""One operator, constant, condition or statement of a module changed: the text of the module that this gives.

Texts of errors are left alone, since a test that repeats each word of them would say nothing.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.modules import TESTS

ROOT = Path(__file__).parents[2]

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_FALSY = ("return", "return None", "return False")
"""What a caller cannot tell from None; that False becomes True is a change of its own."""


@dataclass(frozen=True)
class Mutant:
    """One changed place of a module, as text before and after: the n-th such change of such a line."""

    file: str
    line: int
    text: str
    nth: int
    before: str
    after: str
    source: str


def mutants(file: str) -> list[Mutant]:
    """Every change of one module, in the order of its text."""
    text = (ROOT / file).read_text(encoding="utf-8")
    lines = text.splitlines()
    found = []
    seen: Counter[tuple[str, str]] = Counter()
    for node, new in _changes(ast.parse(text)):
        line, after = lines[node.lineno - 1].strip(), ast.unparse(new)
        before = ast.get_source_segment(text, node) or ""
        source = _replaced(text, node, after)
        found.append(Mutant(file, node.lineno, line, seen[line, after], before, after, source))
        seen[line, after] += 1
    return found


def _replaced(text: str, node: ast.expr | ast.stmt, after: str) -> str:
    """The text with the new code in the node's place; positions of `ast` are bytes of a line."""
    lines = text.encode().split(b"\n")
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    head = lines[node.lineno - 1][: node.col_offset]
    tail = lines[node.end_lineno - 1][node.end_col_offset :]
    code = f"({after})" if isinstance(node, ast.expr) else after
    lines[node.lineno - 1 : node.end_lineno] = [head + code.encode() + tail]
    return b"\n".join(lines).decode()


def _changes(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, ast.expr | ast.stmt]]:
    for node in _judged(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            yield node, ast.Compare(node.left, [_COMPARE[type(node.ops[0])]()], node.comparators)
        elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            yield node, ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
        elif isinstance(node, ast.BoolOp):
            yield node, ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node, node.operand
        elif isinstance(node, ast.IfExp):
            yield node, ast.IfExp(node.test, node.orelse, node.body)
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
            yield node, ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)
        elif isinstance(node, ast.Return) and ast.unparse(node) not in _FALSY:
            yield node, ast.Return(ast.Constant(None))
        elif isinstance(node, ast.Break | ast.Continue):
            yield node, ast.Continue() if isinstance(node, ast.Break) else ast.Break()
        elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            yield node, ast.Pass()


def _judged(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but annotations, texts of errors and f-strings, what type checkers read, and that `zip` is strict."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.keyword) and node.arg == "strict":
            continue
        unseen = [getattr(node, field, None) for field in ("annotation", "returns", "decorator_list", "type_params")]
        hidden = {id(child) for part in unseen for child in (part if isinstance(part, list) else [part])}
        waiting += [child for child in ast.iter_child_nodes(node) if id(child) not in hidden]


def chosen(count: int, seed: int) -> list[Mutant]:
    """A sample over all modules, the same for the same seed but for the mutants of changed lines."""
    every = sorted((mutant for file in TESTS for mutant in mutants(file)), key=lambda it: _drawn(it, seed))
    return sorted(every[:count], key=lambda it: (it.file, it.line))


def _drawn(mutant: Mutant, seed: int) -> str:
    """A number by lot that stays the mutant's own when other lines change, so that a sample stays what it was."""
    return hashlib.sha256(repr((seed, *key_of(mutant))).encode()).hexdigest()


def key_of(mutant: Mutant) -> tuple[str, ...]:
    """What stays the same about a mutant while lines above it come and go; `nth` tells equal changes apart."""
    return mutant.file, mutant.text, mutant.after, str(mutant.nth)
