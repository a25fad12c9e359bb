"""Comparisons of floats: ordered ones are false where an operand is NaN, unordered ones are true."""

from collections.abc import Callable

import numpy as np

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.faults import Unsupported
from kbtools_plugins.ptx.numerics.formats import flush, format_of, native

_ORDERED: dict[str, Callable[[Bits, Bits], Bits]] = {
    "eq": np.equal,
    "ne": lambda a, b: (a < b) | (a > b),
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "num": lambda a, b: ~(np.isnan(a) | np.isnan(b)),
}
_UNORDERED: dict[str, Callable[[Bits, Bits], Bits]] = {
    "equ": _ORDERED["ne"],
    "neu": _ORDERED["eq"],
    "ltu": _ORDERED["ge"],
    "leu": _ORDERED["gt"],
    "gtu": _ORDERED["le"],
    "geu": _ORDERED["lt"],
    "nan": _ORDERED["num"],
}
"""What each is the contrary of."""


def comparison(operator: str, kind: str, ftz: bool = False) -> Callable[[Bits, Bits], Bits]:
    """A comparison of raw bits that gives an array of bool."""
    form = format_of(kind)
    if operator not in _ORDERED and operator not in _UNORDERED:
        raise Unsupported(f"ptx:setp.{operator}.{kind}")
    compare = _ORDERED.get(operator) or _UNORDERED[operator]
    contrary = operator in _UNORDERED

    def compared(left: Bits, right: Bits) -> Bits:
        if ftz:
            left, right = flush(left, form), flush(right, form)
        with np.errstate(invalid="ignore"):
            result = compare(_values(left, kind), _values(right, kind))
        return ~result if contrary else result

    return compared


def _values(bits: Bits, kind: str) -> Bits:
    if kind == "bf16":
        return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return native(bits, kind)
