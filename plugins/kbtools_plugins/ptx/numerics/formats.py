"""The floating-point formats of PTX: how bits become float64 values, and how a float64 value is rounded to fewer bits.

Every value of every narrower format is a float64 value, so that widening is exact; all rounding is in `narrow`.
"""

from dataclasses import dataclass

import ml_dtypes
import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.faults import Unsupported

_SIGNIFICAND = 52
_BIAS = 1023
_MAGNITUDE = np.uint64(0x7FFF_FFFF_FFFF_FFFF)
_FRACTION = np.uint64((1 << _SIGNIFICAND) - 1)
_INFINITY = np.uint64(0x7FF0_0000_0000_0000)
_ONE = np.uint64(1)


@dataclass(frozen=True)
class Format:
    """One format: how many bits, the largest finite pattern, and the canonical NaN of the PTX manual."""

    name: str
    exponent: int
    fraction: int
    largest: int
    infinity: int | None
    nan: int
    unused: int = 0
    """Low bits of the register that the format leaves zero (tf32 lives in the upper 19 bits of 32)."""

    @property
    def bias(self) -> int:
        """What the exponent field is above the exponent."""
        return (1 << (self.exponent - 1)) - 1

    @property
    def width(self) -> int:
        """Bits of the register."""
        return WIDTHS[self.name]

    @property
    def sign(self) -> int:
        """The pattern of the sign alone."""
        return 1 << (self.width - 1)

    @property
    def least_normal(self) -> int:
        """The pattern of the smallest number that is not subnormal."""
        return 1 << (self.fraction + self.unused)


FORMATS = {
    form.name: form
    for form in (
        Format("f64", 11, 52, 0x7FEF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000, 0x7FF8_0000_0000_0000),
        Format("f32", 8, 23, 0x7F7F_FFFF, 0x7F80_0000, 0x7FFF_FFFF),
        Format("tf32", 8, 10, 0x7F7F_E000, 0x7F80_0000, 0x7FFF_FFFF, unused=13),
        Format("f16", 5, 10, 0x7BFF, 0x7C00, 0x7FFF),
        Format("bf16", 8, 7, 0x7F7F, 0x7F80, 0x7FFF),
        Format("e4m3", 4, 3, 0x7E, None, 0x7F),
        Format("e5m2", 5, 2, 0x7B, 0x7C, 0x7F),
    )
}
"""By PTX's name. f64 keeps no payload of a NaN here; a device hands payloads of f64 through, which PTX leaves open."""

_NATIVE = {"f64": np.float64, "f32": np.float32, "tf32": np.float32, "f16": np.float16}
_EIGHT = {"e4m3": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2}


def format_of(kind: str) -> Format:
    """The format that PTX calls so."""
    if kind not in FORMATS:
        raise Unsupported(f"ptx:type:{kind}")
    return FORMATS[kind]


def native(bits: Bits, kind: str) -> Bits:
    """The values as numpy's type of the same width, without a copy; f64, f32, tf32 and f16 only."""
    return bits.view(_NATIVE[kind])


def widen(bits: Bits, kind: str) -> Bits:
    """The values as float64, exactly."""
    if kind in _EIGHT:
        return bits.view(_EIGHT[kind]).astype(np.float64)
    if kind == "bf16":
        bits, kind = bits.astype(np.uint32) << np.uint32(16), "f32"
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
        return native(bits, kind).astype(np.float64)


def is_nan(bits: Bits, form: Format) -> Bits:
    """Which patterns are NaN."""
    unsigned = UNSIGNED[form.width]
    magnitude = bits & unsigned(form.sign - 1)
    most = form.largest if form.infinity is None else form.infinity
    return magnitude > unsigned(most)


def canonical(bits: Bits, form: Format) -> Bits:
    """The same values, every NaN as the one pattern that PTX names."""
    nan = is_nan(bits, form)
    return np.where(nan, UNSIGNED[form.width](form.nan), bits) if nan.any() else bits


def flush(bits: Bits, form: Format) -> Bits:
    """Subnormal numbers as zeros of the same sign."""
    unsigned = UNSIGNED[form.width]
    small = (bits & unsigned(form.sign - 1)) < unsigned(form.least_normal)
    return np.where(small, bits & unsigned(form.sign), bits) if small.any() else bits


def narrow(values: Bits, form: Format, rounding: str = "rn", satfinite: bool = False) -> Bits:
    """Float64 values rounded to a narrower format; NaN becomes the canonical one.

    Nearest is exact for a value that was rounded to odd before, as long as the format has two bits less than float64.
    """
    bits = values.view(np.uint64)
    magnitude, negative = bits & _MAGNITUDE, bits >> np.uint64(63)
    pattern = _rounded(magnitude, negative.astype(np.bool_), form, rounding)
    largest = np.uint64(form.largest >> form.unused)
    beyond = np.where(_overflows_to_largest(negative, rounding, satfinite), largest, _beyond(form, satfinite))
    pattern = np.where(pattern > largest, beyond, pattern)
    pattern = np.where(magnitude == _INFINITY, _beyond(form, satfinite), pattern)
    signed = (pattern << np.uint64(form.unused)) | (negative << np.uint64(form.width - 1))
    return np.where(magnitude > _INFINITY, np.uint64(form.nan), signed).astype(UNSIGNED[form.width])


def nearest(values: Bits, form: Format) -> Bits:
    """`narrow` to nearest, by the processor where it can."""
    if form.name in ("f32", "f16"):
        return canonical(values.astype(_NATIVE[form.name]).view(UNSIGNED[form.width]), form)
    return canonical(values.view(np.uint64), form) if form.name == "f64" else narrow(values, form)


def _beyond(form: Format, satfinite: bool) -> np.uint64:
    """What infinity becomes."""
    if satfinite:
        return np.uint64(form.largest >> form.unused)
    return np.uint64((form.nan if form.infinity is None else form.infinity) >> form.unused)


def _rounded(magnitude: Bits, negative: Bits, form: Format, rounding: str) -> Bits:
    """Patterns without sign. They grow with the value, so that a carry walks into the exponent by itself."""
    field = (magnitude >> np.uint64(_SIGNIFICAND)).astype(np.int64)
    significand = (magnitude & _FRACTION) | ((field > 0).astype(np.uint64) << np.uint64(_SIGNIFICAND))
    exponent = np.maximum(field, 1) - _BIAS + form.bias
    dropped = np.minimum(_SIGNIFICAND - form.fraction + np.maximum(1 - exponent, 0), 63).astype(np.uint64)
    kept = significand >> dropped
    rest = significand & ((_ONE << dropped) - _ONE)
    kept += _away(kept, rest, _ONE << (dropped - _ONE), negative, rounding).astype(np.uint64)
    return kept + ((np.maximum(exponent, 1) - 1).astype(np.uint64) << np.uint64(form.fraction))


def _away(kept: Bits, rest: Bits, half: Bits, negative: Bits, rounding: str) -> Bits:
    """Where the magnitude is rounded up."""
    if rounding == "rn":
        return (rest > half) | ((rest == half) & ((kept & _ONE) == _ONE))
    if rounding == "rna":
        return rest >= half
    if rounding == "rz":
        return np.zeros_like(negative)
    if rounding == "rm":
        return (rest != 0) & negative
    if rounding == "rp":
        return (rest != 0) & ~negative
    raise Unsupported(f"ptx:rounding:{rounding}")


def _overflows_to_largest(negative: Bits, rounding: str, satfinite: bool) -> Bits | bool:
    """Where a value beyond the largest number becomes that number and not infinity."""
    if satfinite or rounding == "rz":
        return True
    if rounding == "rm":
        return negative == 0
    return rounding == "rp" and negative == 1
