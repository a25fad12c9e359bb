"""Right kernels with one thing wrong: one change each of the text of a kernel of an innocent candidate."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass

from verify_suite import HERE, Candidate, read

_OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "%"),
    ast.Mod: ("%", "//"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
}
_CALLS = {
    "tl.maximum": "tl.minimum",
    "tl.minimum": "tl.maximum",
    "tl.exp": "tl.exp2",
    "tl.sum": "tl.max",
    "tl.max": "tl.min",
    "tl.sqrt": "tl.abs",
    "tl.rsqrt": "tl.sqrt",
    "tl.cdiv": "min",
    "triton.cdiv": "min",
    "tl.zeros": "tl.full",
    "tl.atomic_add": "tl.atomic_max",
}
_SWAPPED = (ast.Sub, ast.Div)


@dataclass(frozen=True)
class Change:
    """One edit of a text: what is put in place of the characters from `start` to `end`."""

    kind: str
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Mutant:
    """A candidate with one change."""

    candidate: Candidate
    change: Change
    line: int
    before: str
    after: str

    def code(self) -> str:
        """The changed text."""
        code = self.candidate.code
        return code[: self.change.start] + self.change.text + code[self.change.end :]


def mutants(candidate: Candidate) -> Iterator[Mutant]:
    """All mutants of one candidate's kernels that parse and differ from it."""
    code = candidate.code
    starts = [0]
    for line in code.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    for function in (node for node in ast.walk(ast.parse(code)) if _is_kernel(node)):
        for node in (part for statement in function.body for part in ast.walk(statement)):
            for change in _changes(node, code, starts):
                yield _mutant(candidate, change, code)


def _mutant(candidate: Candidate, change: Change, code: str) -> Mutant:
    first, last = code.rfind("\n", 0, change.start) + 1, code.find("\n", change.end)
    after = code[first : change.start] + change.text + code[change.end : last]
    return Mutant(candidate, change, code.count("\n", 0, change.start) + 1, code[first:last].strip(), after.strip())


def _is_kernel(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any("jit" in ast.unparse(item) for item in node.decorator_list)


def _changes(node: ast.AST, code: str, starts: list[int]) -> Iterator[Change]:
    def span(part: ast.expr | ast.stmt) -> tuple[int, int]:
        last = part.end_lineno or part.lineno
        return starts[part.lineno - 1] + part.col_offset, starts[last - 1] + (part.end_col_offset or 0)

    def text(part: ast.expr) -> str:
        start, end = span(part)
        return code[start:end]

    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield _between(code, span(node.left)[1], span(node.right)[0], *_OPERATORS[type(node.op)], "operator")
        if isinstance(node.op, _SWAPPED):
            yield Change("order", *span(node), f"(({text(node.right)}) {_sign(node)} ({text(node.left)}))")
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        between = span(node.left)[1], span(node.comparators[0])[0]
        yield _between(code, *between, *_COMPARISONS[type(node.ops[0])], "boundary")
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield Change("constant", *span(node), repr(node.value + 1))
        if node.value:
            yield Change("constant", *span(node), repr(node.value * 2))
    elif isinstance(node, ast.Call):
        yield from _of_call(node, span, text)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and "store" in ast.unparse(node.value.func):
        yield Change("missing store", *span(node), "pass")


def _sign(node: ast.BinOp) -> str:
    return _OPERATORS[type(node.op)][0]


def _between(code: str, start: int, end: int, old: str, new: str, kind: str) -> Change:
    at = code.index(old, start, end)
    return Change(kind, at, at + len(old), new)


def _of_call(node: ast.Call, span, text) -> Iterator[Change]:  # type: ignore[no-untyped-def]
    name = ast.unparse(node.func)
    if name in _CALLS:
        yield Change("function", *span(node.func), _CALLS[name])
    for word in node.keywords:
        if word.arg == "mask":
            yield Change("mask", *span(word.value), f"({text(word.value)}) & (tl.program_id(0) == 0)")
            yield Change("mask", *span(word.value), f"({text(word.value)}) | True")
        elif word.arg == "other":
            yield Change("mask", *span(word.value), "1.5")
    if name in ("tl.load", "tl.store") and node.args:
        yield Change("index", *span(node.args[0]), f"{text(node.args[0])} + 1")
    if name == "tl.store" and len(node.args) > 1:
        yield Change("cast", *span(node.args[1]), f"({text(node.args[1])} + 0.0).to(tl.float16)")
        yield Change("cast", *span(node.args[1]), f"({text(node.args[1])} * 1.002)")
    if name == "tl.where":
        swapped = ", ".join(map(text, [node.args[0], node.args[2], node.args[1]]))
        yield Change("order", *span(node), f"tl.where({swapped})")
    if name == "tl.program_id":
        yield Change("index", *span(node), f"({text(node)} // 2)")
    if name == "range" and len(node.args) > 1:
        yield Change("boundary", *span(node.args[1]), f"({text(node.args[1])}) - 1")
    if isinstance(node.func, ast.Attribute) and node.func.attr == "to":
        yield Change("cast", *span(node), text(node.func.value))


def chosen(only: str, count: int, seed: int) -> list[Mutant]:
    """So many mutants of all innocent candidates, in an order that the seed decides."""
    paths = [path for path in sorted((HERE / "innocent").glob("*.py")) if only in path.stem]
    plain = [candidate for candidate in map(read, paths) if _parses(candidate.code) and candidate.code.isascii()]
    found = [mutant for candidate in plain for mutant in mutants(candidate) if _parses(mutant.code())]
    random.Random(seed).shuffle(found)
    return found[:count]


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True
