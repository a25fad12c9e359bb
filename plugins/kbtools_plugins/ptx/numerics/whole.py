"""Integers and floats into each other, and integers of one width into another."""

from collections.abc import Callable

import numpy as np

from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.faults import Unsupported
from kbtools_plugins.ptx.numerics.formats import Format, canonical, flush, narrow, nearest, widen
from kbtools_plugins.ptx.numerics.modifiers import Modifiers

_WHOLE: dict[str, Callable[[Bits], Bits]] = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def to_whole(bits: Bits, form: Format, rounding: str) -> Bits:
    """Rounded to a whole number of the same format."""
    return canonical(nearest(_WHOLE[rounding](widen(bits, form.name)), form), form)


def to_integer(target: str, form: Format, modifiers: Modifiers) -> Callable[[Bits], Bits]:
    """Rounded to a whole number and clamped, whether `.sat` is given or not.

    NaN gives 0, and the pattern of the sign alone from f64 or to 64 bits (PTX ISA, cvt).
    """
    if modifiers.rounding not in _WHOLE:
        raise Unsupported(f"ptx:cvt.{modifiers.rounding}.{target}.{form.name}")
    width, signed = WIDTHS[target], target[0] == "s"
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    integer = (SIGNED if signed else UNSIGNED)[width]
    of_nan = UNSIGNED[width](1 << (width - 1) if form.name == "f64" or width == 64 else 0)

    def converted(bits: Bits) -> Bits:
        if modifiers.ftz and form.name == "f32":
            bits = flush(bits, form)
        with np.errstate(invalid="ignore"):
            values = _WHOLE[modifiers.rounding](widen(bits, form.name))
            nan, above, below = np.isnan(values), values >= float(high), values <= float(low)
            result = np.where(nan | above | below, 0.0, values).astype(integer)
        result = np.where(above, integer(high), np.where(below, integer(low), result)).view(UNSIGNED[width])
        return np.where(nan, of_nan, result)

    return converted


def from_integer(form: Format, source: str, modifiers: Modifiers) -> Callable[[Bits], Bits]:
    """Rounded once, however many bits the integer has."""
    rounding = modifiers.rounding or "rn"
    if rounding not in ("rn", "rz", "rm", "rp"):
        raise Unsupported(f"ptx:cvt.{rounding}.{form.name}.{source}")
    signed = source[0] == "s"

    def converted(bits: Bits) -> Bits:
        negative = bits.view(SIGNED[WIDTHS[source]]) < 0 if signed else np.zeros_like(bits, np.bool_)
        magnitude = np.where(negative, bits.dtype.type(0) - bits, bits).astype(np.uint64)
        if form.name == "f64":
            return _to_double(magnitude, negative, rounding)
        values = _odd(magnitude)
        return narrow(np.where(negative, -values, values), form, rounding, modifiers.satfinite)

    return converted


def _odd(magnitude: Bits) -> Bits:
    """Float64 values rounded to odd: the lowest 11 of 64 bits are gathered in one where they do not fit."""
    lost = np.where((magnitude & np.uint64(0x7FF)) != 0, np.uint64(0x800), np.uint64(0))
    return np.where(magnitude >> np.uint64(53) != 0, (magnitude & ~np.uint64(0x7FF)) | lost, magnitude).astype(
        np.float64
    )


def _to_double(magnitude: Bits, negative: Bits, rounding: str) -> Bits:
    near = magnitude.astype(np.float64)
    if rounding != "rn":
        outward = negative if rounding == "rm" else ~negative if rounding == "rp" else np.zeros_like(negative)
        whole = np.where(near >= 2.0**64, 0.0, near).astype(np.uint64)
        above = (near >= 2.0**64) | (whole > magnitude)
        below = ~above & (whole < magnitude)
        near = np.where(above & ~outward, np.nextafter(near, 0.0), near)
        near = np.where(below & outward, np.nextafter(near, np.inf), near)
    return np.where(negative, -near, near).view(np.uint64)


def integer_to_integer(target: str, source: str, saturate: bool) -> Callable[[Bits], Bits]:
    """Cut or filled up; with `.sat` clamped to what the target can hold."""
    width, signed = WIDTHS[source], source[0] == "s"
    goal = WIDTHS[target]
    low = -(1 << (goal - 1)) if target[0] == "s" else 0
    high = (1 << (goal - 1)) - 1 if target[0] == "s" else (1 << goal) - 1

    def converted(bits: Bits) -> Bits:
        values = bits.view(SIGNED[width]) if signed else bits
        if saturate:
            least, most = np.iinfo(values.dtype).min, np.iinfo(values.dtype).max
            values = np.clip(values, values.dtype.type(max(low, least)), values.dtype.type(min(high, most)))
        return values.astype(UNSIGNED[goal])

    return converted
