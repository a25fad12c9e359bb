"""Ground truth for arithmetic: fractions rounded by hand, and operands that are likely to go wrong."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, Bits
from kbtools_plugins.ptx.numerics.formats import FORMATS, Format, widen

SPECIAL = (0, 1, 2, 3)
"""Patterns that every format has at its ends: zero and the smallest subnormals."""


def random_bits(kind: str, count: int, seed: int) -> Bits:
    """Any patterns, and all special ones; shape (1, count)."""
    form = FORMATS[kind]
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 1 << form.width, count, dtype=np.uint64) >> np.uint64(form.unused)
    ends = [*SPECIAL, form.least_normal, form.least_normal - 1, form.largest, form.infinity or form.largest, form.nan]
    special = np.array([*ends, *(end | form.sign for end in ends)], np.uint64)
    chosen = generator.integers(0, len(special), count)
    bits = np.where(generator.random(count) < 0.05, special[chosen], bits << np.uint64(form.unused))
    return bits.astype(UNSIGNED[form.width])[None, :]


def near_bits(kind: str, count: int, seed: int) -> Bits:
    """Numbers around 1 with few bits, whose sums and products are often ties."""
    form = FORMATS[kind]
    generator = np.random.default_rng(seed)
    scale = 2.0 ** generator.integers(-form.fraction - 2, form.fraction + 2, count)
    values = generator.integers(-31, 32, count) * scale
    from kbtools_plugins.ptx.numerics.formats import nearest

    return nearest(values.astype(np.float64), form)[None, :]


def rounded(value: Fraction, form: Format, mode: str) -> float:
    """A fraction in a format, by whole numbers alone."""
    if value == 0:
        return 0.0
    size = abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent = max(exponent - (Fraction(2) ** exponent > size), 1 - form.bias)
    quantum = Fraction(2) ** (exponent - form.fraction)
    whole, rest = divmod(size, quantum)
    whole += _up(mode, rest / quantum, int(whole) % 2, value < 0)
    largest = Fraction(float(widen(np.array([form.largest], UNSIGNED[form.width]), form.name)[0]))
    size = whole * quantum
    if size > largest:
        kept = mode == "rz" or (mode == "rm" and value > 0) or (mode == "rp" and value < 0)
        size = largest if kept else float("inf")  # type: ignore[assignment]
    return float(size) if value > 0 else -float(size)


def _up(mode: str, rest: Fraction, odd: int, negative: bool) -> bool:
    half = Fraction(1, 2)
    return {
        "rn": rest > half or (rest == half and odd == 1),
        "rna": rest >= half,
        "rz": False,
        "rm": rest > 0 and negative,
        "rp": rest > 0 and not negative,
    }[mode]


def wrong(got: Bits, operands: list[Bits], kind: str, truth: Callable[..., Fraction], mode: str) -> int:
    """How many results are not the rounded truth; operands that are not finite, and zero results, are left out."""
    form = FORMATS[kind]
    values = [widen(bits, kind)[0] for bits in operands]
    result, count = widen(got, kind)[0], 0
    for place in np.nonzero(np.all([np.isfinite(value) for value in values], axis=0))[0]:
        try:
            exact = truth(*(Fraction(float(value[place])) for value in values))
        except ZeroDivisionError:
            continue
        count += bool(exact != 0 and rounded(exact, form, mode) != result[place])
    return count
