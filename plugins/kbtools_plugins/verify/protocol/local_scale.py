"""The scale of an output where its parts differ: that of the row, the column, the channel in which an element is.

A part that is a thousandth of the whole would otherwise be free to be anything within the tolerance of the whole.
"""

from __future__ import annotations

import numpy as np

from kbtools_plugins.verify.protocol.outputs import Array

_ENOUGH = 16
"""Elements of a slice from which its scale is told."""
_MIXED = 1e-3
"""Share of the output's scale below which no slice's scale is taken to be: elements are computed from common values,
whose rounding they carry."""


def scale(values: Array) -> Array:
    """For each element the smallest root mean square among the output and the slices it is in."""
    whole = root_mean_square(values)
    found = np.asarray(whole)
    for axes in _slices(values):
        found = np.minimum(found, root_mean_square(values, axes))
    return np.asarray(np.maximum(found, whole * _MIXED))


def largest(values: Array) -> Array:
    """For each element the smallest maximum among the output and the slices it is in; values are not negative."""
    finite = np.where(np.isfinite(values), values, 0.0)
    found = np.asarray(finite.max(initial=0.0))
    for axes in _slices(values):
        found = np.minimum(found, finite.max(axis=axes, keepdims=True, initial=0.0))
    return found


def root_mean_square(values: Array, axes: tuple[int, ...] | None = None) -> Array:
    """Root mean square of the finite elements, 0 without any."""
    finite = np.isfinite(values)
    squares = np.square(np.abs(np.where(finite, values, 0)).astype(np.float64))
    keep = axes is not None
    count = np.maximum(finite.sum(axis=axes, keepdims=keep), 1)
    return np.asarray(np.sqrt(squares.sum(axis=axes, keepdims=keep) / count))


def _slices(values: Array) -> list[tuple[int, ...]]:
    """For each dimension whose slices have enough elements, the other dimensions."""
    return [
        tuple(other for other in range(values.ndim) if other != axis)
        for axis, size in enumerate(values.shape)
        if size > 1 and values.size >= _ENOUGH * size
    ]
