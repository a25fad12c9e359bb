"""Sums and products whose last bit says whether something was lost, so that a second rounding cannot go wrong.

Rounding to odd: an inexact float64 result is the neighbour with an odd last bit. From it a format with two bits less
can be rounded to in any direction as if from the exact value (Boldo and Melquiond 2008).
"""

import numpy as np

from kbtools_plugins.ptx.bits import Bits

_ONE = np.uint64(1)
_SPLIT = np.float64(2**27 + 1)


def two_sum(left: Bits, right: Bits) -> tuple[Bits, Bits]:
    """The rounded sum and what rounding lost, exactly (Knuth); the second is NaN where the sum is not finite."""
    total = left + right
    other = total - left
    return total, (left - (total - other)) + (right - other)


def two_product(left: Bits, right: Bits) -> tuple[Bits, Bits]:
    """The rounded product and what rounding lost, exactly (Dekker); far from overflow and underflow only."""
    product = left * right
    high, low = _halves(left)
    other_high, other_low = _halves(right)
    return product, low * other_low - (((product - high * other_high) - low * other_high) - high * other_low)


def _halves(values: Bits) -> tuple[Bits, Bits]:
    scaled = values * _SPLIT
    high = scaled - (scaled - values)
    return high, values - high


def to_odd(rounded: Bits, lost: Bits) -> Bits:
    """A rounded value and the sign of what was lost as the value rounded to odd."""
    bits = rounded.view(np.uint64)
    inexact = (lost < 0) | (lost > 0)
    even = (bits & _ONE) == 0
    outward = (lost > 0) == (rounded > 0)
    return np.where(inexact & even, np.where(outward, bits + _ONE, bits - _ONE), bits).view(np.float64)


def odd_sum(left: Bits, right: Bits) -> Bits:
    """Float64 sum rounded to odd."""
    return to_odd(*two_sum(left, right))
