"""What is right although it differs, and what is within its tolerance and yet worth a note.

Where a function jumps within a rounding, either result is right. Errors all over an output that are far above the
reference's own may be a constant cut short, but a sum in one variable is off by as much: they are noted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kbtools_plugins.verify.protocol import local_scale
from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.outputs import Array, is_float, mixed, to_numpy

_TIMES, _ENOUGH = 24, 32
"""Kernels that round as the reference does are off by up to seven times what it is off by, in the median of an output;
so many elements tell a median."""
_HALF_ROUNDED = 2.0**-25
"""Rounding a result to float32 is off by up to 2^-24 of it, by half as much in the mean."""
_SMALLEST = 1e-30
_RARE = 0.05
"""The share of elements that may go the other way at a jump: more, and the reference itself is inexact."""


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


def settled(mine: Tensor, its: Tensor, true: Tensor, others: list[Tensor], tolerance: float) -> tuple[Tensor, Tensor]:
    """A result and the true one, both with the reference's own elements where the result is one of those that other
    roundings make of a jump.

    `others` are the reference's results by other roundings; of whole numbers the float64 run is one.
    """
    whole = not is_float(its.dtype)
    if not (others or whole) or its.dtype.startswith("complex") or (mine.dtype, mine.shape) != (its.dtype, its.shape):
        return mine, true
    got, plain, exact = map(to_numpy, (mine, its, true))
    known = [plain, exact, *(to_numpy(other) for other in others if other.shape == its.shape)]
    accepted = _meets_a_jump(got, plain, known, 0.0 if whole else tolerance)
    odd = accepted & (got != plain) if whole else accepted & ~np.isclose(got, exact, tolerance, 0.0)
    if not accepted.any() or odd.sum() > max(1.0, _RARE * odd.size):
        return mine, true
    again = np.where(accepted, plain.astype(exact.dtype), exact)
    elements = mixed(its.tensor, mine.tensor, accepted)
    return mine.model_copy(update={"tensor": elements}), true.model_copy(update={"tensor": again.tobytes()})


def _meets_a_jump(got: Array, plain: Array, known: list[Array], tolerance: float) -> npt.NDArray[np.bool_]:
    """Where known results differ by more than rounding, and this one is among them."""
    wide = [values.astype(np.float64) if tolerance else values for values in (got, plain, *known)]
    size = tolerance * (local_scale.scale(wide[1]) + np.abs(wide[1])) if tolerance else 0
    with np.errstate(all="ignore"):
        jumps = [_apart(wide[1], other) > 2 * size for other in wide[2:]]
        meets = [_apart(wide[0], other) <= size for other in wide[2:]]
    return np.asarray(np.any(jumps, axis=0) & np.any(meets, axis=0))


def _apart(one: Array, other: Array) -> Array:
    """How far; of truth values and whole numbers whether at all."""
    return np.abs(one - other) if one.dtype == np.float64 else np.asarray(one != other)
