"""Errors all over an output that are far above rounding, each of them within its tolerance: a constant was cut short,
or a formula is only near.
"""

from __future__ import annotations

import numpy as np

from kbtools_plugins.verify.protocol.match import Difference
from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.outputs import Array, to_numpy

_TIMES, _ENOUGH = 24, 32
"""Right kernels are off by up to seven times what the reference is off by, in the median of an output; so many elements
tell a median."""
_HALF_ROUNDED = 2.0**-25
"""Rounding a result to float32 is off by up to 2^-24 of it, by half as much in the mean."""
_SMALLEST = 1e-30


def imprecise(where: str, mine: Tensor, its: Tensor, true: Tensor) -> Difference | None:
    """Whether the median of a float32 output's relative errors is far above the reference's own.

    What tensor cores compute is not for this.
    """
    if its.dtype != "float32":
        return None
    exact, got, plain = (to_numpy(tensor).astype(np.float64) for tensor in (true, mine, its))
    counts = np.isfinite(exact) & np.isfinite(got) & np.isfinite(plain) & (np.abs(exact) > _SMALLEST)
    if counts.sum() < _ENOUGH:
        return None
    error, own = (_median(values[counts], exact[counts]) for values in (got, plain))
    most = _TIMES * max(own, _HALF_ROUNDED)
    if error <= most:
        return None
    text = f"{where} is off by {error:.2g} of itself in the median, where rounding explains {most:.2g} at the most"
    return Difference("wrong_output", text, error)


def _median(values: Array, exact: Array) -> float:
    return float(np.median(np.abs(values - exact) / np.abs(exact)))
