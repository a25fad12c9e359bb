"""f64 arithmetic where the processor's own is not enough: fused multiply-add, and rounding in a direction.

Sums and products are carried as a rounded value and what was lost. Where exponents are so extreme that the lost part
could not be represented, exact fractions do it one element at a time.
"""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.numerics.odd import to_odd, two_product, two_sum

_SMALL, _LARGE = 2.0**-400, 2.0**400
_SCALE = 2.0**600
_FIT = 2.0**-960
_LARGEST = float(np.finfo(np.float64).max)


def fused(left: Bits, right: Bits, addend: Bits, rounding: str = "rn") -> Bits:
    """`left * right + addend` with one rounding."""
    left, right, addend = np.broadcast_arrays(left, right, addend)
    high, lost = _fused_parts(left, right, addend)
    result = _directed(high, lost, rounding)
    plain = (left == 0) | (right == 0) | ~np.isfinite(left) | ~np.isfinite(right) | ~np.isfinite(addend)
    result = np.where(plain, _special(left, right, addend, rounding), result)
    hard = ~plain & ~(_moderate(left) & _moderate(right) & (_moderate(addend) | (addend == 0)))
    return _exactly(result, hard, _fused_fraction, (left, right, addend), rounding)


def _fused_parts(left: Bits, right: Bits, addend: Bits) -> tuple[Bits, Bits]:
    product, product_lost = two_product(left, right)
    low, lowest = two_sum(addend, product_lost)
    high, middle = two_sum(product, low)
    return two_sum(high, to_odd(*two_sum(lowest, middle)))


def _special(left: Bits, right: Bits, addend: Bits, rounding: str) -> Bits:
    """An operand is zero, infinite or NaN: nothing is rounded, only zeros of two signs ask for the direction."""
    product = left * right
    finite = np.isfinite(left) & np.isfinite(right)
    total = np.where(np.isinf(addend) & finite, addend, product + addend)
    if rounding != "rm":
        return total
    return np.where((total == 0) & (np.signbit(product) != np.signbit(addend)), -0.0, total)


def _directed(nearest: Bits, lost: Bits, rounding: str) -> Bits:
    """From the nearest value and what it lacks to the value in the given direction."""
    if rounding == "rn":
        return nearest
    if rounding == "rz":
        return np.where(lost * np.sign(nearest) < 0, np.nextafter(nearest, 0.0), nearest)
    if rounding == "rp":
        return np.where(lost > 0, np.nextafter(nearest, np.inf), nearest)
    down = np.where(lost < 0, np.nextafter(nearest, -np.inf), nearest)
    return np.where((nearest == 0) & (lost == 0), -0.0, down)


def _moderate(values: Bits) -> Bits:
    magnitude = np.abs(values)
    return (magnitude > _SMALL) & (magnitude < _LARGE)


def add(left: Bits, right: Bits, rounding: str) -> Bits:
    """Sum, rounded in a direction."""
    return left + right if rounding == "rn" else fused(left, np.ones_like(left), right, rounding)


def multiply(left: Bits, right: Bits, rounding: str) -> Bits:
    """Product, rounded in a direction."""
    if rounding == "rn":
        return left * right
    return fused(left, right, np.copysign(0.0, np.copysign(1.0, left) * np.copysign(1.0, right)), rounding)


def divide(left: Bits, right: Bits, rounding: str) -> Bits:
    """Quotient, rounded in a direction."""
    quotient = left / right
    if rounding == "rn":
        return quotient
    left, right = np.broadcast_arrays(left, right)
    exact = (left == 0) | (right == 0) | ~np.isfinite(left) | ~np.isfinite(right)
    lost = fused(-quotient, right, left) * np.sign(right)
    result = np.where(exact, quotient, _directed(quotient, lost, rounding))
    hard = ~exact & ~(_moderate(left) & _moderate(right))
    return _exactly(result, hard, Fraction.__truediv__, (left, right), rounding)


def square_root(values: Bits, rounding: str) -> Bits:
    """Square root, rounded in a direction. Extreme arguments are scaled by an even power of two."""
    root = np.sqrt(values)
    if rounding == "rn":
        return root
    scale = np.where(values < _SMALL, _SCALE, np.where(values > _LARGE, 1 / _SCALE, 1.0))
    scaled = values * scale
    near = np.sqrt(scaled)
    directed = _directed(near, fused(-near, near, scaled), rounding) / np.sqrt(scale)
    return np.where((values > 0) & np.isfinite(values), directed, root)


def _fused_fraction(left: Fraction, right: Fraction, addend: Fraction) -> Fraction:
    return left * right + addend


def _exactly(
    result: Bits, where: Bits, operation: Callable[..., Fraction], operands: tuple[Bits, ...], rounding: str
) -> Bits:
    """The result, computed again in fractions at some elements."""
    if not where.any():
        return result
    result = result.copy()
    for place in zip(*np.nonzero(where), strict=True):
        result[place] = rounded(operation(*(Fraction(float(values[place])) for values in operands)), rounding)
    return result


def rounded(value: Fraction, rounding: str) -> float:
    """A fraction as float64; Python's own division of integers rounds to nearest."""
    if value == 0:
        return -0.0 if rounding == "rm" else 0.0
    nearest = _nearest(value)
    if rounding == "rn":
        return nearest
    if np.isinf(nearest):
        toward = rounding == "rz" or (rounding == "rp") == (value < 0)
        return float(np.copysign(_LARGEST, nearest)) if toward else nearest
    lost = value - Fraction(nearest)
    if rounding == "rz" and lost != 0 and (lost < 0) == (value > 0):
        return float(np.nextafter(nearest, 0.0))
    if rounding == "rm" and lost < 0:
        return float(np.nextafter(nearest, -np.inf))
    if rounding == "rp" and lost > 0:
        return float(np.nextafter(nearest, np.inf))
    return nearest


def _nearest(value: Fraction) -> float:
    try:
        nearest = value.numerator / value.denominator
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return nearest if nearest != 0 or value > 0 else -0.0
