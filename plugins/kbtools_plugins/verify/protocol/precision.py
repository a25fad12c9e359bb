"""Errors all over an output that are far above the reference's own, each of them within its tolerance.

A constant may have been cut short, but a sum in one variable or a variance in one pass is off by as much: it is a note.
"""

from __future__ import annotations

import numpy as np

from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.outputs import Array, to_numpy

_TIMES, _ENOUGH = 24, 32
"""Kernels that round as the reference does are off by up to seven times what it is off by, in the median of an output;
so many elements tell a median."""
_HALF_ROUNDED = 2.0**-25
"""Rounding a result to float32 is off by up to 2^-24 of it, by half as much in the mean."""
_SMALLEST = 1e-30


def imprecision(where: str, mine: Tensor, its: Tensor, true: Tensor) -> str:
    """What to say of a float32 output whose relative errors are far above the reference's own in the median."""
    if its.dtype != "float32":
        return ""
    exact, got, plain = (to_numpy(tensor).astype(np.float64) for tensor in (true, mine, its))
    counts = np.isfinite(exact) & np.isfinite(got) & np.isfinite(plain) & (np.abs(exact) > _SMALLEST)
    if counts.sum() < _ENOUGH:
        return ""
    error, own = (_median(values[counts], exact[counts]) for values in (got, plain))
    if error <= _TIMES * max(own, _HALF_ROUNDED):
        return ""
    return f"imprecise: {where} is off by {error:.1g} of itself in the median, the reference by {own:.1g}"


def _median(values: Array, exact: Array) -> float:
    return float(np.median(np.abs(values - exact) / np.abs(exact)))
