"""Rewards by formula: a small part of Python's syntax over a verdict's fields, as in `speedup if passed else 0`."""

from __future__ import annotations

import ast
from typing import Any

from kbtools.errors import RowError, UsageError
from kbtools_plugins.verify.verdict import Verdict

FORMULA_NAMES = (
    "passed",
    "speedup",
    "max_error",
    "shape_general",
    "layout_general",
    "kernel_ms",
    "ref_ms",
    "launches",
    "registers",
)
_OPERATIONS = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.Constant,
    ast.Name,
    ast.Call,
    ast.operator,
    ast.unaryop,
    ast.boolop,
    ast.cmpop,
    ast.expr_context,
)


def formula_values(verdict: Verdict) -> dict[str, Any]:
    """What a reward formula may name."""
    registers = [found.registers for found in verdict.resources if found.registers is not None]
    return {
        "passed": verdict.passed,
        "speedup": verdict.speedup,
        "max_error": verdict.max_error,
        "shape_general": verdict.shape_general,
        "layout_general": verdict.layout_general,
        "kernel_ms": verdict.kernel_ms[0] if verdict.kernel_ms else None,
        "ref_ms": verdict.ref_ms[0] if verdict.ref_ms else None,
        "launches": sum(verdict.kernels.values()),
        "registers": max(registers, default=None),
    }


def check_formula(formula: str) -> ast.Expression:
    """The formula's syntax tree; UsageError if it is more than arithmetic over known names."""
    try:
        tree = ast.parse(formula, mode="eval")
    except SyntaxError as error:
        raise UsageError(f"--reward {formula!r} is no expression: {error.msg}.") from None
    for node in ast.walk(tree):
        known = not isinstance(node, ast.Name) or node.id in (*FORMULA_NAMES, "min", "max")
        if not isinstance(node, _OPERATIONS) or not known:
            raise UsageError(
                f"--reward {formula!r} may use numbers, + - * /, comparisons, and/or/not, if/else, min, max "
                f"and {', '.join(FORMULA_NAMES)}; not {ast.unparse(node)!r}."
            )
    return tree


def reward_of(formula: str, verdict: Verdict) -> float:
    """The formula's value for a verdict; 0 where it needs a field that the verdict does not have."""
    values = formula_values(verdict)
    code = compile(check_formula(formula), "--reward", "eval")
    try:
        return float(eval(code, {"__builtins__": {}, "min": min, "max": max}, values) or 0.0)
    except TypeError:
        return 0.0
    except ZeroDivisionError:
        raise RowError(f"--reward {formula!r} divides by zero for {values}.") from None
