"""Raw bits: the numpy types of registers, and the widths of PTX's types. What the bits mean is in numerics/."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[Any]
"""Unsigned numpy array (bool for predicates) that broadcasts to (programs, threads)."""

WIDTHS = {
    "pred": 1,
    **dict.fromkeys(("b8", "u8", "s8", "e4m3", "e5m2"), 8),
    **dict.fromkeys(("b16", "u16", "s16", "f16", "bf16", "e4m3x2", "e5m2x2"), 16),
    **dict.fromkeys(("b32", "u32", "s32", "f32", "tf32", "f16x2", "bf16x2", "u16x2", "s16x2", "e4m3x4", "e5m2x4"), 32),
    **dict.fromkeys(("b64", "u64", "s64", "f64", "f32x2"), 64),
    "b128": 128,
}
"""Bits of a value of each type."""

UNSIGNED: dict[int, type[np.unsignedinteger[Any]]] = {
    1: np.bool_,  # type: ignore[dict-item]  # predicates
    8: np.uint8,
    16: np.uint16,
    32: np.uint32,
    64: np.uint64,
}
SIGNED: dict[int, type[np.signedinteger[Any]]] = {8: np.int8, 16: np.int16, 32: np.int32, 64: np.int64}


def constant(value: int, width: int) -> Bits:
    """The lowest bits of a number as a uniform register."""
    return np.full((1, 1), value & ((1 << width) - 1), UNSIGNED[width])
