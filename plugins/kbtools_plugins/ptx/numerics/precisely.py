"""Elementary functions of single numbers to 120 digits, for those whose float64 value lies too near a tie to round."""

from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.numerics.odd import to_odd

_DIGITS = 120


def _ex2(value: Decimal) -> Decimal:
    return Decimal(2) ** value


def _lg2(value: Decimal) -> Decimal:
    return value.ln() / Decimal(2).ln()


def _tanh(value: Decimal) -> Decimal:
    square = (2 * value).exp()
    return (square - 1) / (square + 1)


def _rsqrt(value: Decimal) -> Decimal:
    return 1 / value.sqrt()


def _sin(value: Decimal) -> Decimal:
    return _series(value, 1)


def _cos(value: Decimal) -> Decimal:
    return _series(value, 0)


def _series(value: Decimal, first: int) -> Decimal:
    """Taylor's series of sin (first power 1) or cos (0), after taking whole turns away."""
    angle = value.remainder_near(2 * _pi())
    term = angle if first else Decimal(1)
    total, power = Decimal(0), first
    while abs(term) > Decimal(10) ** -(_DIGITS - 10):
        total += term
        term *= -angle * angle / ((power + 1) * (power + 2))
        power += 2
    return total


def _pi() -> Decimal:
    """By Machin's formula."""
    return 4 * (4 * _arctangent_of_inverse(5) - _arctangent_of_inverse(239))


def _arctangent_of_inverse(number: int) -> Decimal:
    power, total, odd, sign = Decimal(1) / number, Decimal(0), 1, 1
    while power > Decimal(10) ** -(_DIGITS + 5):
        total += sign * power / odd
        power /= number * number
        odd, sign = odd + 2, -sign
    return total


FUNCTIONS: dict[str, Callable[[Decimal], Decimal]] = {
    "ex2": _ex2,
    "lg2": _lg2,
    "tanh": _tanh,
    "rsqrt": _rsqrt,
    "sin": _sin,
    "cos": _cos,
}


def precisely(name: str, values: Bits) -> Bits:
    """Float64 values rounded to odd of a function of float64 values."""
    with localcontext() as context:
        context.prec = _DIGITS
        exact = [FUNCTIONS[name](Decimal(float(value))) for value in values]
        near = np.array([float(value) for value in exact])
        lost = [float((value - Decimal(float(other))).compare(0)) for value, other in zip(exact, near, strict=True)]
        return to_odd(near, np.array(lost))
