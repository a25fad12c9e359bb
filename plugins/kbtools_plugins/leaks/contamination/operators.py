"""The operators that the text of a module applies, in order: what is left of it when it is written another way.

Layers count where they are used, so `nn.Linear` and `F.linear` are one operator. Short sequences say little: for them
the constants of the code and the ranks of the inputs count as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kbtools_plugins.leaks.harness import without_harness
from kbtools_plugins.static.facts import CodeFacts, read_code
from kbtools_plugins.static.families import MOVES_DATA_ONLY

LONG = 3
"""Operators from which the sequence alone makes a task."""
_SAME = {
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "truedivide": "div",
    "absolute": "abs",
    "negative": "neg",
    "clip": "clamp",
    "swish": "silu",
    "mm": "matmul",
    "bmm": "matmul",
    "linearcrossentropyloss": "crossentropy",
    "crossentropyloss": "crossentropy",
    "bceloss": "binarycrossentropy",
    "bcewithlogitsloss": "binarycrossentropywithlogits",
    "kldivloss": "kldiv",
    "vectornorm": "norm",
    **{f"{norm}{rank}d": norm for norm in ("batchnorm", "instancenorm") for rank in (1, 2, 3)},
    **{f"dropout{rank}d": "dropout" for rank in (1, 2, 3)},
}
_SHAPED = frozenset({"view", "reshape", "expand"})
"""Methods whose arguments are the sizes of what they give."""


@dataclass(frozen=True)
class Signature:
    """The operators, and what short sequences are told apart by."""

    operators: tuple[str, ...]
    constants: tuple[str, ...] = ()
    ranks: tuple[int, ...] | str | None = None
    """Ranks of the inputs, or the text that makes them where they cannot be told; None without any."""

    def same_task(self, other: Signature) -> bool:
        """Whether two codes apply the same operators, and, where these are few, to the same kind of inputs."""
        if not self.operators or self.operators != other.operators:
            return False
        if len(self.operators) >= LONG:
            return True
        return self.ranks is not None and (self.constants, self.ranks) == (other.constants, other.ranks)


NOTHING = Signature(())


def signature(code: str, tree: ast.Module) -> Signature:
    """The signature of a module's text; one without operators where there are none."""
    facts = read_code(code, complete=True)
    if not isinstance(facts, CodeFacts):
        return NOTHING
    named = tuple(_SAME.get(op.name, op.name) for op in facts.ops if op.family not in MOVES_DATA_ONLY)
    if len(named) >= LONG:
        return Signature(named)
    return Signature(named, tuple(sorted(_constants(tree))), _ranks(tree))


def _constants(tree: ast.Module) -> Iterator[str]:
    for node in (inner for statement in without_harness(tree.body) for inner in ast.walk(statement)):
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | complex):
            yield hex(node.value) if type(node.value) is int else repr(node.value)


def _ranks(tree: ast.Module) -> tuple[int, ...] | str | None:
    """Ranks of what `get_inputs` returns, as far as it makes tensors of sizes that are written out, or its text."""
    makers = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "get_inputs"]
    if not makers:
        return None
    assigned = {
        target.id: node.value
        for node in ast.walk(makers[0])
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    returned = [node.value for node in ast.walk(makers[0]) if isinstance(node, ast.Return)]
    if len(returned) == 1 and isinstance(returned[0], ast.List | ast.Tuple):
        ranks = [_rank(value, assigned) for value in returned[0].elts]
        if None not in ranks:
            return tuple(rank for rank in ranks if rank is not None)
    return _text(makers[0])


def _text(maker: ast.FunctionDef) -> str | None:
    try:
        return "\n".join(map(ast.unparse, maker.body))
    except RecursionError:  # nested deeper than Python writes
        return None


def _rank(value: ast.expr, assigned: Mapping[str, ast.expr]) -> int | None:
    """The rank of `torch.rand(a, b)`, of what arithmetic and methods make of it, and of a number."""
    left: list[ast.expr] = [value]
    found: list[int] = []
    known = dict(assigned)
    while left:
        part = left.pop()
        if isinstance(part, ast.BinOp):
            left += [part.left, part.right]
        elif isinstance(part, ast.UnaryOp):
            left.append(part.operand)
        elif isinstance(part, ast.Name) and part.id in known:
            left.append(known.pop(part.id))  # once: it may be defined by itself
        elif isinstance(part, ast.Constant):
            found.append(0)
        elif (rank := _called_rank(part)) is not None:
            found.append(rank)
        else:
            return None
    return max(found, default=None)


def _called_rank(value: ast.expr) -> int | None:
    """The rank of `torch.rand(a, b)` or `torch.rand([a, b])`, also with a method called on it."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        owner = value.func.value
        if isinstance(owner, ast.Name) or value.func.attr in _SHAPED:
            sizes = value.args[-1:] if value.func.attr == "randint" else value.args
            if len(sizes) == 1 and isinstance(sizes[0], ast.List | ast.Tuple):
                return len(sizes[0].elts)
            return len(sizes) or None
        value = owner
    return None
