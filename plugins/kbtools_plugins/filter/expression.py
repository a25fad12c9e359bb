"""The language of `filter --where`: a small part of Python's syntax, evaluated on Arrow columns.

An expression is parsed with `ast`, compiled to `pyarrow.compute` calls, tried on one row of nulls of the dataset's
types, and only then run; nothing of it is ever executed as Python.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import kbtools as kb
from kbtools.data.table import field_of
from kbtools_plugins.filter.functions import FUNCTIONS, divide, without_nan
from kbtools_plugins.filter.hints import DEEPEST, hint, is_deep

if TYPE_CHECKING:
    import pyarrow as pa

_NO_KERNEL = re.compile(r"Function '(?P<call>\w+)' has no kernel matching input types \((?P<types>.*)\)")
_COMPARES = ("equal", "not_equal", "greater", "greater_equal", "less", "less_equal")
_WORDS = {
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"), "a number"),
    **dict.fromkeys(("halffloat", "float", "double"), "a number"),
    **dict.fromkeys(("string", "large_string", "string_view"), "text"),
    "bool": "true or false",
}
"""Arrow's types as people call them."""
Evaluator = Callable[["pa.Table"], "pa.Array"]


class Expression:
    """A parsed `where` expression over the columns of one schema."""

    def __init__(self, text: str, schema: kb.Schema) -> None:
        self.text = text
        self.schema = schema
        self._paths: dict[str, None] = {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a regular expression may well hold \d
                tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError) as error:
            why, advice = getattr(error, "msg", error), hint(text, schema.features)
            raise kb.errors.UsageError(f"--where {text!r} is not an expression ({why}).{advice}") from error
        if is_deep(tree):
            raise kb.errors.UsageError(f"--where {text[:60]!r}... has more than {DEEPEST} levels of operators.")
        self._run = self._compile(tree.body)

    @property
    def paths(self) -> list[str]:
        """Columns that the expression names."""
        return list(self._paths)

    def check(self) -> None:
        """SchemaError when the columns' types do not allow the comparisons, or the result is not a truth value."""
        import pyarrow as pa

        if not self._paths:
            raise kb.errors.UsageError(f"--where {self.text!r} names no column. Columns: {self.schema.describe()}.")
        arrow = self.schema.features.arrow_schema  # one row of nulls: kernels look at their arguments only for a row
        self.evaluate(pa.table({field.name: pa.nulls(1, field.type) for field in arrow}))

    def evaluate(self, table: pa.Table) -> pa.Array:
        """True, false or null for each row."""
        import pyarrow as pa

        try:
            answer = self._run(table)
        except (pa.ArrowException, TypeError, UnicodeEncodeError) as error:
            types = ", ".join(f"{path} is {_type_at(table, path)}" for path in self._paths)
            raise kb.errors.SchemaError(
                f"--where {self.text!r} does not fit the columns ({types}): {_said(error)}"
            ) from error
        if not isinstance(answer, pa.Array | pa.ChunkedArray) or not pa.types.is_boolean(answer.type):
            raise kb.errors.SchemaError(f"--where {self.text!r} gives values that are neither true nor false.")
        return answer.combine_chunks() if isinstance(answer, pa.ChunkedArray) else answer

    def _compile(self, node: ast.expr) -> Evaluator:
        compiler = _COMPILERS.get(type(node))
        if compiler is None:
            raise self._refused(node)
        return compiler(self, node)

    def _refused(self, node: ast.expr) -> kb.errors.UsageError:
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            path = f"{ast.unparse(node.value)}.{node.slice.value}"
            return kb.errors.UsageError(f"--where {self.text!r}: a field of a column is written with a dot: {path}")
        return kb.errors.UsageError(
            f"--where {self.text!r}: {ast.unparse(node)!r} is not allowed. Use comparisons, and/or/not, in, "
            f"is null, + - * /, and the functions {', '.join(sorted(FUNCTIONS))}."
        )

    def _column(self, path: str) -> Evaluator:
        self._paths.setdefault(self.schema.path(path))
        return lambda table: without_nan(field_of(table, path))


def _name(expression: Expression, node: ast.Name) -> Evaluator:
    if node.id in _CONSTANTS and node.id not in expression.schema.features:
        return _constant_of(_CONSTANTS[node.id])
    return expression._column(node.id)


def _attribute(expression: Expression, node: ast.Attribute) -> Evaluator:
    return expression._column(ast.unparse(node))


def _constant(expression: Expression, node: ast.Constant) -> Evaluator:
    try:
        return _constant_of(node.value)
    except (OverflowError, UnicodeEncodeError, ValueError) as error:  # of Arrow, whose errors derive from ValueError
        text = ast.unparse(node)
        raise kb.errors.UsageError(f"--where {expression.text!r}: no column can hold {text} ({error}).") from error


def _constant_of(value: object) -> Evaluator:
    import pyarrow as pa

    if isinstance(value, bytes):
        raise ValueError("text is written without the b")
    scalar = pa.scalar(value)
    return lambda table: scalar


def _bool(expression: Expression, node: ast.BoolOp) -> Evaluator:
    import pyarrow.compute as pc

    combine = pc.and_kleene if isinstance(node.op, ast.And) else pc.or_kleene
    first, *rest = [expression._compile(value) for value in node.values]

    def run(table: pa.Table) -> pa.Array:
        answer = first(table)
        for part in rest:
            answer = combine(answer, part(table))
        return answer

    return run


def _unary(expression: Expression, node: ast.UnaryOp) -> Evaluator:
    import pyarrow.compute as pc

    operand = expression._compile(node.operand)
    if isinstance(node.op, ast.Not):
        return lambda table: pc.invert(operand(table))
    if isinstance(node.op, ast.USub):
        return lambda table: pc.negate_checked(operand(table))
    raise expression._refused(node)


def _binary(expression: Expression, node: ast.BinOp) -> Evaluator:
    import pyarrow.compute as pc

    calls = {ast.Add: pc.add_checked, ast.Sub: pc.subtract_checked, ast.Mult: pc.multiply_checked, ast.Div: divide}
    call = calls.get(type(node.op))
    if call is None:
        raise expression._refused(node)
    left, right = expression._compile(node.left), expression._compile(node.right)
    return lambda table: without_nan(call(left(table), right(table)))


def _compare(expression: Expression, node: ast.Compare) -> Evaluator:
    """`a < b < c` is `a < b and b < c`, as in Python."""
    import pyarrow.compute as pc

    operands = [node.left, *node.comparators]
    parts = [
        _comparison(expression, left, operator, right)
        for left, operator, right in zip(operands, node.ops, operands[1:], strict=False)
    ]

    def run(table: pa.Table) -> pa.Array:
        answer = parts[0](table)
        for part in parts[1:]:
            answer = pc.and_kleene(answer, part(table))
        return answer

    return run


def _comparison(expression: Expression, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Evaluator:
    import pyarrow.compute as pc

    if isinstance(operator, ast.In | ast.NotIn):
        return _membership(expression, left, right, negated=isinstance(operator, ast.NotIn))
    if _is_null(right):
        if not isinstance(operator, ast.Is | ast.IsNot):
            raise kb.errors.UsageError(f"--where {expression.text!r}: nothing equals null; write `is null`.")
        value, negated = expression._compile(left), isinstance(operator, ast.IsNot)
        return lambda table: pc.is_valid(value(table)) if negated else pc.is_null(value(table))
    calls: Mapping[type[ast.cmpop], Callable[[pa.Array, pa.Array], pa.Array]] = {
        ast.Eq: pc.equal,
        ast.NotEq: pc.not_equal,
        ast.Lt: pc.less,
        ast.LtE: pc.less_equal,
        ast.Gt: pc.greater,
        ast.GtE: pc.greater_equal,
    }
    call = calls.get(type(operator))
    if call is None:
        raise kb.errors.UsageError(f"--where {expression.text!r}: `is` is only for null; write ==.")
    a, b = expression._compile(left), expression._compile(right)
    return lambda table: call(a(table), b(table))


def _membership(expression: Expression, left: ast.expr, right: ast.expr, *, negated: bool) -> Evaluator:
    import pyarrow as pa
    import pyarrow.compute as pc

    values = _literal_list(expression, right)
    value = expression._compile(left)

    def run(table: pa.Table) -> pa.Array:
        found = value(table)
        answer = pc.is_in(found, value_set=pa.array(values, type=found.type))
        answer = pc.invert(answer) if negated else answer
        return pc.if_else(pc.is_null(found), None, answer)

    return run


def _literal_list(expression: Expression, node: ast.expr) -> list[object]:
    """The values written after `in`; a text is not a list of its letters, and null is in no list."""
    text = ast.unparse(node)
    try:
        values = ast.literal_eval(node)
    except (ValueError, TypeError):
        values = None
    if not isinstance(values, list | tuple | set):
        raise kb.errors.UsageError(
            f"--where {expression.text!r}: after `in` comes a list of values, as in ('low', 'high'), not {text}. "
            "A text within a text is found by contains(column, 'text')."
        )
    if None in values:
        raise kb.errors.UsageError(f"--where {expression.text!r}: nothing equals null; write `or ... is null`.")
    return list(values)


def _call(expression: Expression, node: ast.Call) -> Evaluator:
    name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
    if name == "col" and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
        return expression._column(str(node.args[0].value))
    if name not in FUNCTIONS:
        raise kb.errors.UsageError(
            f"--where {expression.text!r}: there is no function {name!r}. {kb.errors.did_you_mean(name, FUNCTIONS)}"
        )
    function, takes_text = FUNCTIONS[name]
    if node.keywords or len(node.args) != 1 + takes_text or (takes_text and not isinstance(node.args[1], ast.Constant)):
        usage = f"{name}(column, 'text')" if takes_text else f"{name}(column)"
        raise kb.errors.UsageError(f"--where {expression.text!r}: write {usage}.")
    value = expression._compile(node.args[0])
    text = node.args[1].value if takes_text and isinstance(node.args[1], ast.Constant) else None
    return lambda table: function(value(table), text)


_CONSTANTS: Mapping[str, bool | None] = {"null": None, "true": True, "false": False}
_COMPILERS: Mapping[type[ast.expr], Callable[[Expression, Any], Evaluator]] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Constant: _constant,
    ast.BoolOp: _bool,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.Compare: _compare,
    ast.Call: _call,
}


def _is_null(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == "null") or (isinstance(node, ast.Constant) and node.value is None)


def _type_at(table: pa.Table, path: str) -> str:
    return str(field_of(table, path).type)


def _said(error: Exception) -> str:
    """Arrow's words, but for those that only its authors understand."""
    found = _NO_KERNEL.match(str(error))
    if not found:
        return str(error)
    types = [_WORDS.get(kind, kind) for kind in found["types"].split(", ")]
    if found["call"] not in _COMPARES:
        return f"{found['call']} does not take {' and '.join(types)}"
    hint = " (numbers are written without quotation marks)" if {"a number", "text"} <= set(types) else ""
    return f"{' cannot be compared with '.join(types)}{hint}"
