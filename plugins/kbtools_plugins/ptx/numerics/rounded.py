"""Operations that IEEE 754 defines: add, sub, mul, fma, div, rcp, sqrt in every format, each with one rounding.

f32 to nearest is the processor's own arithmetic. Narrower formats, and other directions, go through float64 rounded to
odd; f64 in other directions is in `double.py`.
"""

from collections.abc import Callable

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.faults import Unsupported
from kbtools_plugins.ptx.numerics import double
from kbtools_plugins.ptx.numerics.formats import Format, narrow, native, widen
from kbtools_plugins.ptx.numerics.odd import odd_sum, to_odd

Operation = Callable[..., Bits]

_TIE, _BELOW = np.uint64(0x1000_0000), np.uint64(0x1FFF_FFFF)
_MAGNITUDE, _ONE = np.uint64(0x7FFF_FFFF_FFFF_FFFF), np.uint64(1)
_LEAST_NORMAL = np.uint64((1023 - 126) << 52)
_UNSIGNED = {8: np.uint64, 4: np.uint32, 2: np.uint16}


def operation(name: str, form: Format, rounding: str) -> Operation:
    """One of the operations of IEEE 754 on raw bits."""
    if form.name == "f64":
        return _double(name, rounding)
    if form.name == "f32" and rounding == "rn" and name in _SINGLE:
        return _natively(_SINGLE[name], form)
    if name not in _ODD or (form.name not in ("f32", "f16", "bf16")):
        raise Unsupported(f"ptx:{name}.{rounding}.{form.name}")
    wide = _ODD[name]
    if form.name != "f32" and name in ("div", "rcp", "sqrt"):
        raise Unsupported(f"ptx:{name}.{rounding}.{form.name}")
    zero = name in ("add", "sub", "fma") and rounding == "rm"

    def rounded(*operands: Bits) -> Bits:
        values = [widen(bits, form.name) for bits in operands]
        exact = wide(*values)
        if zero:
            exact = np.where((exact == 0) & ~_both_positive(name, values), -0.0, exact)
        return narrow(exact, form, rounding)

    return rounded


def _natively(function: Operation, form: Format) -> Operation:
    def natively(*operands: Bits) -> Bits:
        result: Bits = function(*(native(bits, form.name) for bits in operands))
        return result.view(_UNSIGNED[result.itemsize])

    return natively


def _both_positive(name: str, values: list[Bits]) -> Bits:
    """Where both addends are positive: the only sum that is +0 when rounded down."""
    if name == "fma":
        return ~(np.signbit(values[0]) ^ np.signbit(values[1])) & ~np.signbit(values[2])
    return ~np.signbit(values[0]) & (np.signbit(values[1]) == (name == "sub"))


def _double(name: str, rounding: str) -> Operation:
    functions: dict[str, Operation] = {
        "add": lambda a, b: double.add(a, b, rounding),
        "sub": lambda a, b: double.add(a, -b, rounding),
        "mul": lambda a, b: double.multiply(a, b, rounding),
        "fma": lambda a, b, c: double.fused(a, b, c, rounding),
        "div": lambda a, b: double.divide(a, b, rounding),
        "rcp": lambda a: double.divide(np.ones_like(a), a, rounding),
        "sqrt": lambda a: double.square_root(a, rounding),
    }
    if name not in functions:
        raise Unsupported(f"ptx:{name}.{rounding}.f64")
    function = functions[name]
    return lambda *operands: np.asarray(function(*(bits.view(np.float64) for bits in operands))).view(np.uint64)


def fused_single(left: Bits, right: Bits, addend: Bits) -> Bits:
    """`fma.rn.f32`: rounding twice can go wrong only at ties and among subnormals, where the first is to odd."""
    product = left.astype(np.float64) * right
    total = product + addend
    bits = total.view(np.uint64)
    doubtful = ((bits & _BELOW) == _TIE) | ((bits & _MAGNITUDE) - _ONE < _LEAST_NORMAL - _ONE)
    if doubtful.any():
        total = odd_sum(product, addend.astype(np.float64))
    return total.astype(np.float32)


def _odd_quotient(left: Bits, right: Bits) -> Bits:
    return _with_side(left / right, lambda near: (left - near * right) * np.sign(right))


def _odd_root(values: Bits) -> Bits:
    return _with_side(np.sqrt(values), lambda near: values - near * near)


def _with_side(result: Bits, residual: Callable[[Bits], Bits]) -> Bits:
    """A result cut to 26 bits, moved by a last bit to the side where the exact one is.

    No border of rounding to 24 bits lies between two numbers of 26 bits, and the residual of such a number has a right
    sign in float64.
    """
    cut = (result.view(np.uint64) & ~np.uint64(0x7FF_FFFF)).view(np.float64)
    return to_odd(cut, residual(cut))


_SINGLE: dict[str, Operation] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "fma": fused_single,
    "div": np.divide,
    "rcp": lambda a: np.float32(1) / a,
    "sqrt": np.sqrt,
}
_ODD: dict[str, Operation] = {
    "add": odd_sum,
    "sub": lambda a, b: odd_sum(a, -b),
    "mul": lambda a, b: a * b,
    "fma": lambda a, b, c: odd_sum(a * b, c),
    "div": _odd_quotient,
    "rcp": lambda a: _odd_quotient(np.ones_like(a), a),
    "sqrt": _odd_root,
}
"""On float64 values of narrower formats; products of those are exact."""
