"""`.approx` and `.full`: functions that a device only approximates, here correctly rounded.

A float64 function decides nearly all; where its error could change the rounding, `precisely.py` does. What a device may
give instead is in `permitted.py`.
"""

from collections.abc import Callable

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.faults import Unsupported
from kbtools_plugins.ptx.numerics import rounded
from kbtools_plugins.ptx.numerics.formats import Format, flush, format_of, nearest, widen
from kbtools_plugins.ptx.numerics.modifiers import Modifiers
from kbtools_plugins.ptx.numerics.permitted import TABLE, Permitted, moved
from kbtools_plugins.ptx.numerics.precisely import precisely

Operation = Callable[..., Bits]

FUNCTIONS: dict[str, Operation] = {
    "ex2": np.exp2,
    "lg2": np.log2,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "rsqrt": lambda values: 1.0 / np.sqrt(values),
}
"""In float64, with an error far below `_MARGIN` units in the last place."""

_MARGIN = np.uint64(64)
_LARGEST_DIVISOR = 2.0**126
_UPPER = np.uint64(0xFFFF_FFFF_0000_0000)


def permitted_error(operation: str, kind: str, modifiers: Modifiers) -> Permitted | None:
    """What the manual permits beyond correct rounding; None where the result is exact."""
    if operation in FUNCTIONS or modifiers.approximate or modifiers.full:
        return TABLE.get((operation, kind.removesuffix("x2")))
    return None


def approximation(operation: str, form: Format, modifiers: Modifiers, seed: int | None) -> Operation:
    """The function on raw bits, moved within what is permitted if there is a seed."""
    if (operation, form.name) not in TABLE:
        raise Unsupported(f"ptx:{operation}.approx.{form.name}")
    function = _function(operation, form, modifiers)
    if seed is None:
        return function
    permitted = TABLE[operation, form.name]

    def perturbed(*operands: Bits) -> Bits:
        return moved(function(*operands), operands, form, permitted, seed)

    return perturbed


def _function(operation: str, form: Format, modifiers: Modifiers) -> Operation:
    if form.name == "f64":
        return _gross(operation) if modifiers.ftz else lambda bits: _double(operation, bits)
    if operation in FUNCTIONS:
        return lambda bits: _correctly(operation, bits, form)
    exact = rounded.operation(operation, form, "rn")
    if operation == "div" and not modifiers.full:
        return lambda left, right: _by_reciprocal(exact, left, right)
    return exact


def _correctly(name: str, bits: Bits, form: Format) -> Bits:
    values = widen(bits, form.name)
    near = FUNCTIONS[name](values)
    pattern = near.view(np.uint64)
    result = nearest((pattern - _MARGIN).view(np.float64), form)
    above = nearest((pattern + _MARGIN).view(np.float64), form)
    sure = (near == 0) | ~np.isfinite(near)
    result = np.where(sure, nearest(near, form), result)
    unsure = (result != above) & ~sure
    if unsure.any():
        result[unsure] = nearest(precisely(name, values[unsure]), form)
    return result


def _by_reciprocal(exact: Operation, left: Bits, right: Bits) -> Bits:
    """`div.approx` multiplies by 1 / right, which is flushed to zero for the largest divisors."""
    result = exact(left, right)
    divisor, dividend = np.abs(right.view(np.float32)), left.view(np.float32)
    lost = (divisor > _LARGEST_DIVISOR) & np.isfinite(divisor)
    gone = np.where(np.isinf(dividend), np.uint32(format_of("f32").nan), (left ^ right) & np.uint32(1 << 31))
    return np.where(lost & ~np.isnan(dividend), gone, result)


def _double(operation: str, bits: Bits) -> Bits:
    values = bits.view(np.float64)
    if operation == "rsqrt":
        return (1.0 / np.sqrt(values)).view(np.uint64)
    raise Unsupported(f"ptx:{operation}.approx.f64")


def _gross(operation: str) -> Operation:
    """`rcp.approx.ftz.f64` and `rsqrt.approx.ftz.f64` see and give the upper 32 bits."""

    def upper(bits: Bits) -> Bits:
        seen = flush(bits & _UPPER, format_of("f64")).view(np.float64)
        result = (1.0 / (np.sqrt(seen) if operation == "rsqrt" else seen)).view(np.uint64)
        half = np.where(np.isfinite(result.view(np.float64)), np.uint64(1 << 31), np.uint64(0))
        return (result + half) & _UPPER

    return upper
