"""How far a device may be from the correctly rounded result of `.approx`, and results moved within that.

The figures are those of the PTX manual (PTX ISA 9.1, 9.7.3 and 9.7.4).
"""

import math
from dataclasses import dataclass

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.numerics.formats import Format, nearest, widen


@dataclass(frozen=True)
class Permitted:
    """The largest of what is given: in units in the last place, relative to the result, absolute.

    `far` is absolute for operands beyond 2 pi (sin and cos; the manual ends at 100 pi, this does not).
    """

    ulp: float = 0.0
    relative: float = 0.0
    absolute: float = 0.0
    far: float = 0.0

    def bound(self, result: Bits, operand: Bits, form: Format) -> Bits:
        """The permitted distance from results, all in float64."""
        exponent = np.maximum(np.frexp(result)[1] - 1, 1 - form.bias)
        near = np.maximum(self.ulp * np.ldexp(1.0, exponent - form.fraction), self.relative * np.abs(result))
        return np.maximum(near, np.where(np.abs(operand) > 2 * math.pi, self.far or self.absolute, self.absolute))


TABLE = {
    ("ex2", "f32"): Permitted(ulp=2),
    ("ex2", "f16"): Permitted(relative=2**-9.9),
    ("ex2", "bf16"): Permitted(relative=2**-7),
    ("lg2", "f32"): Permitted(absolute=2**-22, relative=2**-22),
    ("sin", "f32"): Permitted(absolute=2**-20.5, far=2**-14.7),
    ("cos", "f32"): Permitted(absolute=2**-20.5, far=2**-14.7),
    ("tanh", "f32"): Permitted(relative=2**-11),
    ("tanh", "f16"): Permitted(absolute=2**-10.987),
    ("tanh", "bf16"): Permitted(absolute=2**-8),
    ("rcp", "f32"): Permitted(ulp=1),
    ("rsqrt", "f32"): Permitted(relative=2**-22.9),
    ("sqrt", "f32"): Permitted(relative=2**-23),
    ("div", "f32"): Permitted(ulp=2),
    ("rcp", "f64"): Permitted(relative=2**-19),
    ("rsqrt", "f64"): Permitted(relative=2**-19),
}
"""For f64 the manual names no figure; only the upper 20 bits of the fraction are computed."""


def moved(result: Bits, operands: tuple[Bits, ...], form: Format, permitted: Permitted, seed: int) -> Bits:
    """Results moved within what is permitted, alike for like operands. Zeros, infinities and NaN stay."""
    value, operand = widen(result, form.name), widen(operands[-1], form.name)
    bound = permitted.bound(value, operand, form)
    candidate = nearest(value + bound * _spread(operands, seed), form)
    reached = widen(candidate, form.name)
    keep = (np.abs(reached - value) > bound) | (np.sign(reached) != np.sign(value)) | (operand == 0)
    keep |= (np.abs(value) <= 1) & (np.abs(reached) > 1)
    return np.where(keep | ~np.isfinite(value) | ~np.isfinite(operand), result, candidate)


def _spread(operands: tuple[Bits, ...], seed: int) -> Bits:
    """Numbers from -1 to 1 that depend on the bits of the operands and the seed alone."""
    mixed = np.full((1,) * operands[0].ndim, seed, np.uint64)
    for bits in operands:
        mixed = (mixed ^ bits.astype(np.uint64)) * np.uint64(0x9E37_79B9_7F4A_7C15)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0
