"""What the text of a kernel may contain so that it is data rather than a program: the Triton language and nothing else.

Triton's compiler runs parts of a kernel's body as Python; one that could reach `open` or a module through `tl` would be
code. Names, attributes and statements outside these lists are reported
with their line.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

BUILTINS = frozenset(
    """
    range min max abs int float bool len print tuple list sum round isinstance True False None slice str
    NotImplementedError ValueError TypeError RuntimeError AssertionError Exception
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
_SUBMODULES = frozenset(
    """
    math extra cuda libdevice core standard random language semantic target_info
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
INDUCTOR_HELPERS = "torch._inductor.runtime.triton_helpers"
_HELPERS = frozenset(
    """
    maximum minimum max2 min2 any prod max_with_index min_with_index maximum_with_index minimum_with_index
    div_floor_integer remainder_integer pow_integer promote_to_tensor is_floating select_one
    welford welford_reduce welford_combine sort_with_index exp online_softmax_combine online_softmax_reduce
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
"""Functions in the kernel language that Inductor's kernels call."""
_HOST_FUNCTIONS = frozenset(["cdiv", "next_power_of_2"])
_FORBIDDEN_FINALS = frozenset(
    """
    builtins inspect os sys warnings importlib functools operator wraps partial builtin
    constexpr_function jit knobs TypeVar Callable ModuleType exec eval
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
_VALUE_ATTRIBUTES = frozenset(
    """
    to dtype element_ty shape T trans reshape view permute broadcast_to expand_dims sum max min argmax
    argmin xor_sum reduce cumsum cumprod associative_scan histogram sort flip gather load store advance
    abs exp exp2 log log2 sqrt sqrt_rn rsqrt sin cos floor ceil sigmoid softmax erf fdiv div_rn fma
    clamp cast split join interleave ravel numel type value is_floating is_int is_ptr is_block is_fp8
    is_fp16 is_bf16 is_fp32 is_fp64 is_int8 is_int16 is_int32 is_int64 is_bool is_int_signed
    is_int_unsigned primitive_bitwidth itemsize int_bitwidth fp_mantissa_width scalar logical_and
    logical_or atomic_add atomic_max atomic_min atomic_and atomic_or atomic_xor atomic_cas atomic_xchg
    item scatter block_shape shape_ptr strides randint minimum maximum bitcast squeeze unsqueeze
    real atomic_load atomic_store atomic_poll cdiv reduce_or is_int1 is_uint8 is_uint16 is_uint32
    is_uint64 is_standard_floating is_fp8e4nv is_fp8e5 is_fp8e4b15 is_void bit_length name
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
_STATEMENTS = (
    ast.FunctionDef,
    ast.arguments,
    ast.arg,
    ast.Return,
    ast.Assign,
    ast.AugAssign,
    ast.AnnAssign,
    ast.For,
    ast.While,
    ast.If,
    ast.Expr,
    ast.Pass,
    ast.Break,
    ast.Continue,
    ast.Assert,
    ast.Raise,  # in a branch that no launch compiles
    ast.keyword,
    ast.expr_context,
    ast.operator,
    ast.unaryop,
    ast.boolop,
    ast.cmpop,
    ast.comprehension,
    ast.JoinedStr,
    ast.FormattedValue,
    ast.BoolOp,
    ast.BinOp,
    ast.UnaryOp,
    ast.IfExp,
    ast.Compare,
    ast.Call,
    ast.Constant,
    ast.Attribute,
    ast.Subscript,
    ast.Starred,
    ast.Name,
    ast.List,
    ast.Tuple,
    ast.Slice,
    ast.ListComp,
)


UNDEFINED = "is not defined"
NO_NAME = "is assigned to, and Triton assigns to names alone"
NOT_COMPILED = (UNDEFINED, NO_NAME)
"""Ends of what is reported that no compiler of kernels takes either."""


def violations(
    function: ast.FunctionDef, modules: dict[str, str], known: set[str], elsewhere: set[str]
) -> Iterator[str]:
    """What in a kernel's text is outside the language.

    `modules` maps names to the modules they are imported from (`tl` to `triton.language`); `known` are the constants
    and kernels that the text may use, `elsewhere` all other names that the candidate's text defines.
    """
    bound = _bound_names(function)
    for node in ast.walk(function):
        if node is not function and isinstance(node, ast.FunctionDef):
            yield f"line {node.lineno}: a nested function"
        elif not isinstance(node, _STATEMENTS):
            line = getattr(node, "lineno", function.lineno)
            yield f"line {line}: {type(node).__name__} is not part of the kernel language"
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield f"line {node.lineno}: {ast.unparse(node)} {NO_NAME}"
        elif isinstance(node, ast.Attribute):
            yield from _attribute_violations(node, modules, bound)
        elif (
            isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Load)
            and node.id not in bound | known | BUILTINS | set(modules)
        ):
            fault = "is neither a kernel nor a constant" if node.id in elsewhere else UNDEFINED
            yield f"line {node.lineno}: the name {node.id!r} {fault}"


def free_names(function: ast.FunctionDef) -> set[str]:
    """Names that a function takes from around it."""
    loaded = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return loaded - _bound_names(function) - BUILTINS


def _bound_names(function: ast.FunctionDef) -> set[str]:
    parameters = function.args
    names = {arg.arg for arg in [*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs]}
    names |= {arg.arg for arg in (parameters.vararg, parameters.kwarg) if arg}
    return names | {
        node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _attribute_violations(node: ast.Attribute, modules: dict[str, str], bound: set[str]) -> Iterator[str]:
    if node.attr.startswith("_"):
        yield f"line {node.lineno}: the private attribute .{node.attr}"
        return
    path = dotted(node)
    root = path.partition(".")[0] if path else ""
    if not root or root in bound or root not in modules:
        if node.attr not in _VALUE_ATTRIBUTES:
            yield f"line {node.lineno}: the attribute .{node.attr} is not known for a tensor or type"
        return
    *inner, last = _of_language(modules[root] + path.removeprefix(root)).split(".")
    if inner[0] == "math" or (".".join(inner) == INDUCTOR_HELPERS and last in _HELPERS):
        return
    if inner == ["triton"] and last in _HOST_FUNCTIONS | {"language"}:
        return
    following = inner[2:] if inner[:2] == ["triton", "language"] else None
    if following is None or any(part not in _SUBMODULES for part in following):
        # an attribute of a value that a module attribute yields, as in tl.zeros(...).to
        if len(path.split(".")) > 2 and node.attr in _VALUE_ATTRIBUTES and following is not None:
            return
        yield f"line {node.lineno}: {path} is outside triton.language"
    elif last in _FORBIDDEN_FINALS:
        yield f"line {node.lineno}: {path} is not an operation of the kernel language"


def _of_language(path: str) -> str:
    """The path in Triton's language for what Inductor's helpers take from there."""
    for name in ("math", "libdevice"):
        path = path.replace(f"{INDUCTOR_HELPERS}.{name}.", f"triton.language.{name}.")
    return path


def dotted(node: ast.expr) -> str:
    """`a.b.c` for a chain of names, else empty."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
