"""Which torch operators a candidate may apply to inputs, parameters and results of kernels (docs/verify.md).

Anything else that reaches the output is work that the kernel was meant to do. Work on values that depend on neither
(shape arithmetic, constants) is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable

ALLOWED: dict[str, tuple[str, frozenset[str]]] = {
    "allocation": (
        "a kernel needs somewhere to write; the values are known before any input is",
        frozenset(
            """
    empty empty_like empty_strided new_empty new_empty_strided zeros zeros_like new_zeros ones ones_like
    new_ones full full_like new_full fill fill_ zero_ zero arange scalar_tensor eye tril_indices
    triu_indices rand_like randn_like resize_ set_ empty_permuted
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
        ),
    ),
    "view": (
        "no element is read or written",
        frozenset(
            """
    view _unsafe_view _reshape_alias reshape alias detach detach_ t t_ transpose transpose_ permute
    expand expand_as squeeze squeeze_ unsqueeze unsqueeze_ slice select narrow split split_with_sizes
    chunk unbind unfold diagonal as_strided as_strided_ view_as_real view_as_complex lift_fresh movedim
    swapaxes unflatten flatten real imag view_as broadcast_to is_same_size sym_size sym_stride
    sym_numel sym_storage_offset size stride _has_compatible_shallow_copy_type
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
        ),
    ),
    "copy": (
        "elements move unchanged: layouts that a kernel wants, results put in place",
        frozenset(
            """
    clone contiguous copy copy_ _copy_from cat stack constant_pad_nd lift_fresh_copy lift repeat
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
        ),
    ),
    "cast": (
        "a kernel may compute in another precision than it is given; the result is held to the reference's precision",
        frozenset(["_to_copy", "to", "type", "type_as"]),
    ),
}
UPDATES = frozenset(
    """
    add add_ sub sub_ rsub mul mul_ div div_ lerp lerp_ addcmul addcmul_ addcdiv addcdiv_ neg reciprocal
    sqrt sqrt_ rsqrt pow square
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
"""Arithmetic that may update buffers such as running means: it reaches no output, and kernels make the sums for it."""
_TOGETHER = frozenset(["sum", "mean", "logsumexp", "prod", "any", "all", "amax", "amin", "max", "min"])
"""What puts partial results together."""
_READS = frozenset(["_local_scalar_dense", "item", "is_nonzero", "equal", "allclose"])
_COPYING = ALLOWED["copy"][1] | ALLOWED["cast"][1]


def base_name(operator: str) -> str:
    """`aten.add.Tensor` as `add`; operators of other namespaces keep theirs."""
    namespace, _, rest = operator.partition(".")
    name = rest.split(".")[0]
    return name if namespace == "aten" else f"{namespace}.{name}"


def is_allowed(operator: str, extra: Iterable[str], reference_only_moves: bool) -> bool:
    """Whether an operator is not work; where moving data is all the reference does, copying is the kernel's work."""
    name = base_name(operator)
    if name in {item.removeprefix("aten.") for item in extra}:
        return True
    if reference_only_moves and name in _COPYING:
        return False
    return any(name in names for _, names in ALLOWED.values())


def is_allocation(operator: str) -> bool:
    """Whether an operator makes memory of values that are known before any input is."""
    return base_name(operator) in ALLOWED["allocation"][1]


def moves(operator: str) -> bool:
    """Whether an operator copies or casts elements."""
    return base_name(operator) in _COPYING


def rounds(operator: str, given: Iterable[str], made: Iterable[str]) -> bool:
    """Whether a copy or cast turns floats into whole numbers or truth values: `x.to(bool)` is the work of `x != 0`."""
    if not moves(operator):
        return False
    return any(_is_float(dtype) for dtype in given) and not all(_is_float(dtype) for dtype in made)


def _is_float(dtype: str) -> bool:
    return dtype.startswith(("float", "bfloat", "complex"))


def is_update(operator: str) -> bool:
    """Whether an operator is arithmetic that may lead to a buffer."""
    return operator.startswith("aten.") and base_name(operator) in UPDATES


def is_finishing(operator: str) -> bool:
    """Whether an operator may finish what kernels have nearly done: put partial results together, scale one number."""
    return puts_together(operator) or (operator.startswith("aten.") and base_name(operator) in UPDATES)


def puts_together(operator: str) -> bool:
    """Whether an operator makes fewer elements of many."""
    return operator.startswith("aten.") and base_name(operator) in _TOGETHER


def is_read(operator: str) -> bool:
    """Whether an operator brings a tensor's value into Python."""
    return base_name(operator) in _READS


def only_moves(operators: Iterable[str]) -> bool:
    """Whether a reference consists of allowed operators alone."""
    return all(is_allowed(name, (), False) for name in operators)
