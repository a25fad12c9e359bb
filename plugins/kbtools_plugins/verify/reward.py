"""Rewards by formula: a small part of Python's syntax over a verdict's fields, as in `speedup if passed else 0`.

A formula is computed here, node by node, on floats: there is no `eval`, and a wrong formula is found before the first
pair is checked, by trying it on made-up verdicts. Only a verdict that lacks a field makes a reward 0.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping

from kbtools.errors import RowError, UsageError
from kbtools_plugins.verify.verdict import Verification

Value = float | bool | None
Values = Mapping[str, Value]

FORMULA_NAMES = (
    "passed",
    "speedup",
    "max_error",
    "shape_general",
    "layout_general",
    "torch_share",
    "untested_share",
    "in_place",
    "kernel_ms",
    "ref_ms",
    "launches",
    "registers",
)
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_SIGNS: dict[type[ast.unaryop], Callable[[float], float]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_FUNCTIONS: dict[str, Callable[..., float]] = {"min": min, "max": max}
_FEWEST_ARGUMENTS = 2


class _Missing(Exception):
    """The formula needs a field that the verdict does not have."""


class _NotInFormula(Exception):
    """A part of the formula that is not arithmetic over known names."""

    def __init__(self, node: ast.AST) -> None:
        super().__init__(ast.unparse(node))


def formula_values(verdict: Verification) -> dict[str, Value]:
    """What a reward formula may name."""
    registers = [found.registers for found in verdict.resources if found.registers is not None]
    return {
        "passed": verdict.passed,
        "speedup": verdict.speedup,
        "max_error": verdict.max_error,
        "shape_general": verdict.shape_general,
        "layout_general": verdict.layout_general,
        "torch_share": verdict.torch_share,
        "untested_share": verdict.untested_share,
        "in_place": verdict.in_place,
        "kernel_ms": verdict.kernel_ms[0] if verdict.kernel_ms else None,
        "ref_ms": verdict.ref_ms[0] if verdict.ref_ms else None,
        "launches": sum(verdict.kernels.values()),
        "registers": max(registers, default=None),
    }


def check_formula(formula: str) -> ast.expr:
    """The formula's syntax tree; UsageError if it is more than arithmetic over known names, or cannot be computed.

    What depends on one verdict's numbers alone, as a division by its speedup, is left to `reward_of`.
    """
    try:
        body = ast.parse(formula.strip(), mode="eval").body
        for node in ast.walk(body):
            _check_node(node)
        faults = [_fault(body, values) for values in _probes()]
    except SyntaxError as error:
        raise UsageError(f"--reward {formula!r} is not an expression: {error.msg}.") from None
    except _NotInFormula as error:
        raise UsageError(
            f"--reward {formula!r} may use numbers, + - * / // % **, comparisons, and/or/not, if/else, min and max of "
            f"two or more values, and {', '.join(FORMULA_NAMES)}; not {str(error)!r}."
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"--reward {formula!r} cannot be read: {error}.") from None
    if found := next((fault for fault in faults if fault and fault != _DIVISION), ""):
        raise UsageError(f"--reward {formula!r} cannot be computed: {found}.")
    if all(fault == _DIVISION for fault in faults):
        raise UsageError(f"--reward {formula!r} divides by zero for every verdict.")
    return body


def reward_of(formula: str, verdict: Verification) -> float:
    """The formula's value for a verdict; 0 where it needs a field that the verdict does not have.

    RowError where this verdict's numbers cannot be computed with.
    """
    values = formula_values(verdict)
    try:
        return _number(check_formula(formula), values)
    except _Missing:
        return 0.0
    except ZeroDivisionError:
        raise RowError(f"--reward {formula!r} divides by zero for {values}.") from None
    except (ValueError, OverflowError) as error:
        raise RowError(f"--reward {formula!r} cannot be computed for {values}: {error}.") from None


_DIVISION = "division by zero"


def _probes() -> list[dict[str, Value]]:
    """Verdicts of every kind: passed and timed, passed only, not passed."""
    timed: dict[str, Value] = dict.fromkeys(FORMULA_NAMES, 1.5)
    timed |= {"passed": True, "shape_general": True, "layout_general": False, "in_place": True}
    untimed: dict[str, Value] = timed | {"speedup": None, "kernel_ms": None, "ref_ms": None}
    return [timed, untimed, dict.fromkeys(FORMULA_NAMES, None) | {"passed": False, "launches": 0.0}]


def _fault(body: ast.expr, values: Values) -> str:
    try:
        _number(body, values)
    except _Missing:
        return ""
    except ZeroDivisionError:
        return _DIVISION
    except (ValueError, OverflowError) as error:
        return str(error)
    return ""


def _check_node(node: ast.AST) -> None:
    """_NotInFormula for a part that `_value` does not know."""
    if isinstance(node, ast.Constant):
        known = node.value is None or isinstance(node.value, bool | int | float)
    elif isinstance(node, ast.Name):
        known = node.id in FORMULA_NAMES or node.id in _FUNCTIONS
    elif isinstance(node, ast.Call):
        known = isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords
        known = known and len(node.args) >= _FEWEST_ARGUMENTS
    elif isinstance(node, ast.operator | ast.unaryop | ast.cmpop):
        known = type(node) in (*_ARITHMETIC, *_SIGNS, *_COMPARISONS, ast.Not)
    else:
        known = isinstance(
            node, ast.BinOp | ast.UnaryOp | ast.BoolOp | ast.Compare | ast.IfExp | ast.boolop | ast.expr_context
        )
    if not known:
        raise _NotInFormula(node)


def _number(node: ast.expr, values: Values) -> float:
    """The node's value as a finite number; _Missing where there is none."""
    value = _value(node, values)
    if value is None:
        raise _Missing
    if isinstance(value, complex):
        raise ValueError(f"{ast.unparse(node)} is not a real number")
    if not math.isfinite(value):
        raise OverflowError(f"{ast.unparse(node)} is not a finite number")
    return float(value)


def _value(node: ast.expr, values: Values) -> Value:
    match node:
        case ast.Constant(value=bool() | int() | float() | None as constant):
            return constant
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.IfExp():
            return _value(node.body if _value(node.test, values) else node.orelse, values)
        case ast.BoolOp():
            return _logic(node, values)
        case ast.UnaryOp(op=ast.Not()):
            return not _value(node.operand, values)
        case ast.UnaryOp():
            return _SIGNS[type(node.op)](_number(node.operand, values))
        case ast.BinOp():
            return _ARITHMETIC[type(node.op)](_number(node.left, values), _number(node.right, values))
        case ast.Compare():
            return _comparison(node, values)
        case ast.Call(func=ast.Name(id=name)):
            return _FUNCTIONS[name](*[_number(argument, values) for argument in node.args])
    raise ValueError(f"{ast.unparse(node)} is a function, not a value")


def _logic(node: ast.BoolOp, values: Values) -> Value:
    """As in Python, the operand that decides."""
    decides = not isinstance(node.op, ast.And)
    value: Value = None
    for operand in node.values:
        value = _value(operand, values)
        if bool(value) is decides:
            break
    return value


def _comparison(node: ast.Compare, values: Values) -> bool:
    numbers = [_number(operand, values) for operand in (node.left, *node.comparators)]
    pairs = zip(node.ops, numbers, numbers[1:], strict=False)
    return all(_COMPARISONS[type(comparison)](one, other) for comparison, one, other in pairs)
