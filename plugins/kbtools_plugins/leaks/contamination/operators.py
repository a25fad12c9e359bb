"""The operators that the text of a module applies, in order: what is left of it when it is written another way.

Layers count where they are used, so `nn.Linear` and `F.linear` are one operator. Short sequences say little: for them
the constants of the code and the ranks of the inputs count as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
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


@dataclass(frozen=True)
class Signature:
    """The operators, and what short sequences are told apart by."""

    operators: tuple[str, ...]
    constants: tuple[str, ...] = ()
    ranks: tuple[int, ...] | None = None
    """Ranks of the inputs; None where they cannot be told."""

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
    facts = read_code(code)
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


def _ranks(tree: ast.Module) -> tuple[int, ...] | None:
    """Ranks of what `get_inputs` returns, as far as it makes tensors of sizes that are written out."""
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
    if len(returned) != 1 or not isinstance(returned[0], ast.List | ast.Tuple):
        return None
    values = [assigned.get(item.id, item) if isinstance(item, ast.Name) else item for item in returned[0].elts]
    ranks = [_rank(value) for value in values]
    return None if None in ranks else tuple(rank for rank in ranks if rank is not None)


def _rank(value: ast.expr) -> int | None:
    """The rank of `torch.rand(a, b)` or `torch.rand([a, b])`, also with a method called on it."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if isinstance(value.func.value, ast.Name):
            sizes = value.args[-1:] if value.func.attr == "randint" else value.args
            if len(sizes) == 1 and isinstance(sizes[0], ast.List | ast.Tuple):
                return len(sizes[0].elts)
            return len(sizes) or None
        value = value.func.value
    return None
