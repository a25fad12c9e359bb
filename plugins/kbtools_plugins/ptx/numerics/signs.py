"""What only looks at signs and order: neg, abs, copysign, min, max."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, Bits
from kbtools_plugins.ptx.numerics.formats import Format, is_nan, native
from kbtools_plugins.ptx.numerics.modifiers import Modifiers

Operation = Callable[..., Bits]


def _sign(form: Format) -> Any:
    return UNSIGNED[form.width](form.sign)


def _rest(form: Format) -> Any:
    return UNSIGNED[form.width](form.sign - 1)


SIGN_OPERATIONS: dict[str, Callable[..., Bits]] = {
    "neg": lambda form, bits: bits ^ _sign(form),
    "abs": lambda form, bits: bits & _rest(form),
    "copysign": lambda form, sign, bits: (bits & _rest(form)) | (sign & _sign(form)),
}
"""`copysign d, a, b` gives the sign of a and the rest of b."""


def extreme(operation: str, form: Format, modifiers: Modifiers) -> Operation:
    """`min` and `max`: -0 is less than +0; of one NaN and a number the number, or NaN with `.nan`."""
    largest = operation == "max"

    def chosen(left: Bits, right: Bits) -> Bits:
        if modifiers.xorsign:
            sign = (left ^ right) & _sign(form)
            left, right = left & _rest(form), right & _rest(form)
        result = _ordered(left, right, form, largest)
        result = _without_nan(result, left, right, form, modifiers.nan)
        return np.where(is_nan(result, form), result, result | sign) if modifiers.xorsign else result

    return chosen


def _ordered(left: Bits, right: Bits, form: Format, largest: bool) -> Bits:
    if form.name in ("f32", "f64"):
        return _natively(left, right, form, largest)
    first = _key(left, form) > _key(right, form)
    return np.where(first == largest, left, right)


def _natively(left: Bits, right: Bits, form: Format, largest: bool) -> Bits:
    """The processor does not tell -0 from +0, whose patterns differ by the sign alone."""
    first, second = native(left, form.name), native(right, form.name)
    result = (np.fmax if largest else np.fmin)(first, second).view(left.dtype)
    return np.where(first == second, left & right if largest else left | right, result)


def _key(bits: Bits, form: Format) -> Bits:
    """Unsigned numbers in the order of the values."""
    negative = bits >= _sign(form)
    return np.where(negative, ~bits, bits | _sign(form))


def _without_nan(result: Bits, left: Bits, right: Bits, form: Format, wins: bool) -> Bits:
    left_nan, right_nan = is_nan(left, form), is_nan(right, form)
    if not (left_nan.any() or right_nan.any()):
        return result
    if wins:
        return np.where(left_nan | right_nan, UNSIGNED[form.width](form.nan), result)
    return np.where(left_nan, right, np.where(right_nan, left, result))
