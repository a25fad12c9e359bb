"""Tasks of TritonBench-T as its files have them: a whole function, a line of `#`, and a function that calls it.

Each call of the test is one pair: the reference and the answer get the same function `called` beside them, which calls
theirs as the test does. Numbers that the call writes down stay in it, and what it names is an input.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

from kbtools_plugins.verify.candidate.text import extract
from kbtools_plugins.verify.pool import Pair

ENTRY = "called"


@dataclass(frozen=True)
class Call:
    """One call of a task's function in its test."""

    reference: str
    """The function, `called`, and `get_inputs()`."""
    wrapper: str
    """`called` alone."""

    def pair(self, answer: str) -> Pair:
        """The reference, and an answer that has a function of the same name."""
        return Pair(self.reference, f"{extract(answer)}\n\n\n{self.wrapper}\n", ENTRY)


def calls_of(text: str, name: str) -> Iterator[Call]:
    """The calls of function `name` in the test of a file, in order; none where it has no test."""
    tree = ast.parse(text)
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    kept = [node for node in tree.body if node not in tests and not _runs(node, tests)]
    for test in tests:
        yield from calls_among(test.body, name, kept)


def calls_among(body: list[ast.stmt], name: str, kept: list[ast.stmt]) -> Iterator[Call]:
    """The calls of function `name` in some statements; `kept` is the module around it."""
    before: list[ast.stmt] = []
    for statement in body:
        call = _call(statement, name)
        if call is None:
            before += [statement] if isinstance(statement, ast.Assign) and not _is_result(statement) else []
        elif not any(isinstance(part, ast.Starred) for part in call.args):
            yield _made(kept, before, call)


def _runs(node: ast.stmt, tests: list[ast.FunctionDef]) -> bool:
    """Whether a statement at the top level is there to run the tests."""
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return not isinstance(node, ast.FunctionDef | ast.ClassDef) and bool(names & {test.name for test in tests})


def _is_result(statement: ast.Assign) -> bool:
    """Whether it keeps a result, or makes where results are kept."""
    return any(isinstance(target, ast.Subscript) for target in statement.targets) or isinstance(
        statement.value, ast.Dict
    )


def _call(statement: ast.stmt, name: str) -> ast.Call | None:
    """The call of the function in a statement that keeps its result; calls in loops are not taken apart."""
    if not isinstance(statement, ast.Assign | ast.Expr):
        return None
    found = [node for node in ast.walk(statement) if isinstance(node, ast.Call) and _is_named(node.func, name)]
    return found[0] if found else None


def _is_named(function: ast.expr, name: str) -> bool:
    """Whether a call names it: by itself, or as a part of a module (`torch.linalg.det`)."""
    return isinstance(function, ast.Name | ast.Attribute) and ast.unparse(function).split(".")[-1] == name


def _made(kept: list[ast.stmt], before: list[ast.stmt], call: ast.Call) -> Call:
    """The texts of one call: what is no literal in it becomes an argument of `called`."""
    call, given = copy.deepcopy(call), list[ast.expr]()
    call.func = ast.Name(ast.unparse(call.func).split(".")[-1], ast.Load())

    def lifted(value: ast.expr) -> ast.expr:
        if _is_literal(value):
            return value
        given.append(value)
        return ast.Name(f"given_{len(given)}", ast.Load())

    call.args = [lifted(value) for value in call.args]
    call.keywords = [ast.keyword(word.arg, lifted(word.value)) for word in call.keywords]
    names = ", ".join(f"given_{number}" for number in range(1, len(given) + 1))
    wrapper = f"def {ENTRY}({names}):\n    return {ast.unparse(call)}"
    inputs = [*before, ast.Return(ast.List(given, ast.Load()))]
    made = ast.unparse(ast.fix_missing_locations(ast.Module(inputs, [])))
    lines = "\n".join(f"    {line}" for line in made.splitlines())
    code = ast.unparse(ast.Module(kept, []))
    return Call(f"import torch\n{code}\n\n\n{wrapper}\n\n\ndef get_inputs():\n{lines}\n", wrapper)


def _is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError):
        return False
    return True
