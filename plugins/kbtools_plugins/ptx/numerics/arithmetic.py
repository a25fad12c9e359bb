"""Arithmetic on floats: from an opcode's names to a function on raw bits.

Here is what all operations share: flushing of operands and results, saturation, the canonical NaN, packed halves. How
the single operations round is in `rounded.py` (exact ones) and `approximate.py`.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, Bits
from kbtools_plugins.ptx.faults import Unsupported
from kbtools_plugins.ptx.numerics import rounded, signs
from kbtools_plugins.ptx.numerics.approximate import FUNCTIONS, approximation
from kbtools_plugins.ptx.numerics.formats import Format, canonical, flush, format_of, is_nan
from kbtools_plugins.ptx.numerics.modifiers import PLAIN, Modifiers
from kbtools_plugins.ptx.numerics.packed import halves

Operation = Callable[..., Bits]


def arithmetic(operation: str, kind: str, modifiers: Modifiers = PLAIN, seed: int | None = None) -> Operation:
    """What an instruction does with raw bits.

    With a seed, results of `.approx` are moved within what the manual permits, always alike for the same operands: a
    kernel whose output hangs on them shows.
    """
    if kind.endswith("x2"):
        return halves(arithmetic(operation, kind[:-2], modifiers, seed))
    form = format_of(kind)
    if operation in ("neg", "abs", "copysign"):
        return partial(_sign_only, signs.SIGN_OPERATIONS[operation], form, modifiers.ftz)
    raw = _raw(operation, form, modifiers, seed)
    return partial(_finished, raw, form, modifiers)


def _raw(operation: str, form: Format, modifiers: Modifiers, seed: int | None) -> Operation:
    if operation in ("min", "max"):
        return signs.extreme(operation, form, modifiers)
    if operation in FUNCTIONS or modifiers.approximate or modifiers.full:
        return approximation(operation, form, modifiers, seed)
    if modifiers.rounding not in ("", "rn", "rz", "rm", "rp"):
        raise Unsupported(f"ptx:{operation}.{modifiers.rounding}.{form.name}")
    return rounded.operation(operation, form, modifiers.rounding or "rn")


def _sign_only(operation: Operation, form: Format, ftz: bool, *operands: Bits) -> Bits:
    """`neg`, `abs` and `copysign` change one bit and leave NaN as it is."""
    result = operation(form, *operands)
    return flush(result, form) if ftz else result


def _finished(raw: Operation, form: Format, modifiers: Modifiers, *operands: Bits) -> Bits:
    if modifiers.ftz:
        operands = tuple(flush(bits, form) for bits in operands)
    with np.errstate(all="ignore"):
        result = canonical(raw(*operands), form)
    if modifiers.ftz:
        result = flush(result, form)
    if modifiers.saturate:
        return saturated(result, form)
    return clipped(result, form) if modifiers.relu else result


def saturated(bits: Bits, form: Format) -> Bits:
    """Clamped to 0 and 1; NaN and negative numbers are +0."""
    unsigned = UNSIGNED[form.width]
    one = unsigned(form.bias << (form.fraction + form.unused))
    low = np.where(is_nan(bits, form) | (bits >= unsigned(form.sign)), unsigned(0), bits)
    return np.minimum(low, one)


def clipped(bits: Bits, form: Format) -> Bits:
    """`.relu`: negative numbers are +0, NaN stays."""
    negative = (bits >= UNSIGNED[form.width](form.sign)) & ~is_nan(bits, form)
    return np.where(negative, UNSIGNED[form.width](0), bits)
