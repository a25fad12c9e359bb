"""`cvt`: between floats and integers of all widths, and packed ones; results as wide as the target type.

A device puts a result that is narrower than its register into the lower bits, filled up by the sign for signed
integers; that belongs to the machine.
"""

from collections.abc import Callable

import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.faults import Unsupported
from kbtools_plugins.ptx.numerics.arithmetic import clipped, saturated
from kbtools_plugins.ptx.numerics.formats import FORMATS, Format, canonical, flush, narrow, nearest, widen
from kbtools_plugins.ptx.numerics.modifiers import PLAIN, Modifiers
from kbtools_plugins.ptx.numerics.packed import joined, split
from kbtools_plugins.ptx.numerics.whole import from_integer, integer_to_integer, to_integer, to_whole

Operation = Callable[..., Bits]


def conversion(target: str, source: str, modifiers: Modifiers = PLAIN) -> Operation:
    """What `cvt` does: one operand, or two for a packed target (the first is the upper half)."""
    if target.endswith("x2"):
        return _packed(target[:-2], source, modifiers)
    if source in FORMATS and target in FORMATS:
        return _between_floats(FORMATS[target], FORMATS[source], modifiers)
    if source in FORMATS and _is_integer(target):
        return to_integer(target, FORMATS[source], modifiers)
    if _is_integer(source) and target in FORMATS:
        return from_integer(FORMATS[target], source, modifiers)
    if _is_integer(source) and _is_integer(target):
        return integer_to_integer(target, source, modifiers.saturate)
    raise Unsupported(f"ptx:cvt.{target}.{source}")


def _is_integer(kind: str) -> bool:
    return kind[0] in "us" and kind[1:] in ("8", "16", "32", "64")


def _packed(target: str, source: str, modifiers: Modifiers) -> Operation:
    if source.endswith("x2"):
        each = conversion(target, source[:-2], modifiers)
        return lambda bits: joined(*(each(half) for half in _halves(bits, source)))
    each = conversion(target, source, modifiers)
    return lambda high, low: joined(each(low), each(high))


def _halves(bits: Bits, kind: str) -> tuple[Bits, Bits]:
    """A register of 16 bits with two values of 8, or of 32 with two of 16; what lies above is not looked at."""
    return split(bits.astype(UNSIGNED[WIDTHS[kind]], copy=False))


def _between_floats(target: Format, source: Format, modifiers: Modifiers) -> Operation:
    whole = modifiers.rounding in ("rni", "rzi", "rmi", "rpi")
    if whole and target != source:
        raise Unsupported(f"ptx:cvt.{modifiers.rounding}.{target.name}.{source.name}")
    rounding = "rn" if whole or not modifiers.rounding else modifiers.rounding
    if rounding not in ("rn", "rz", "rm", "rp", "rna"):
        raise Unsupported(f"ptx:cvt.{rounding}.{target.name}.{source.name}")
    single = "f32" if modifiers.ftz else ""

    def converted(bits: Bits) -> Bits:
        if source.name == single:
            bits = flush(bits, source)
        with np.errstate(all="ignore"):
            if whole:
                result = to_whole(bits, source, modifiers.rounding)
            else:
                result = _rounded(bits, target, source, rounding, modifiers.satfinite)
        if target.name == single:
            result = flush(result, target)
        if modifiers.saturate:
            return saturated(result, target)
        return clipped(result, target) if modifiers.relu else result

    return converted


def _rounded(bits: Bits, target: Format, source: Format, rounding: str, satfinite: bool) -> Bits:
    if target == source:
        return canonical(bits, target)
    if (source.name, target.name, rounding, satfinite) == ("f32", "bf16", "rn", False):
        return _to_bf16(bits, target)
    if rounding == "rn" and not satfinite:
        return nearest(widen(bits, source.name), target)
    if target.name == "f64":
        return nearest(widen(bits, source.name), target)
    return narrow(widen(bits, source.name), target, rounding, satfinite)


def _to_bf16(bits: Bits, form: Format) -> Bits:
    """The conversion that kernels do most: an addition that carries where the lower half rounds up."""
    carried = bits + ((bits >> np.uint32(16)) & np.uint32(1)) + np.uint32(0x7FFF)
    result = (carried >> np.uint32(16)).astype(np.uint16)
    nan = np.isnan(bits.view(np.float32))
    return np.where(nan, np.uint16(form.nan), result) if nan.any() else result
