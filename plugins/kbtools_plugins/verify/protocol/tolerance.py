"""Are these outputs the reference's? Numpy only, in the caller's process: the one place where a candidate can pass.

Outputs arrive as trees (worker/tensors.py). Errors are measured against the output's scale, its root mean
square, plus the element's own size. Where rows or columns are far smaller than others the scale is theirs
(local_scale.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kbtools_plugins.verify.protocol import local_scale
from kbtools_plugins.verify.protocol.match import Difference, Match
from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.outputs import Array, flatten, is_float, structure, to_numpy
from kbtools_plugins.verify.protocol.precision import imprecision, settled
from kbtools_plugins.verify.protocol.wire import Tree

TOLERANCE = {
    "float64": 1e-7,
    "float32": 1e-4,
    "float16": 2e-3,
    "bfloat16": 1.6e-2,
    "complex64": 1e-4,
    "complex128": 1e-7,
}
"""Allowed error relative to the output's scale, by dtype; other floating types are 8-bit ones."""
_TOLERANCE_8_BIT = 0.13
TF32_TOLERANCE = 2e-3
"""Instead of float32's where tensor cores work on float32: their operands keep as many bits as a float16 has."""
_COARSE_ROUNDING = 2.0**-11
"""Of operands in tf32, and of `tanh.approx.f32`."""
APPROXIMATE_TOLERANCE = 2.0**-11
"""Added to float32's on a device where kernels use `tanh.approx.f32`, which may be off by that share of its result (PTX
ISA 9.1, 9.7.3); what other approximations may be off by is within float32's tolerance."""
_SMALLEST_SCALE = 1e-9
_OWN_NOISE = {"float32": 4, "float64": 4, "complex64": 4, "complex128": 4}
"""How often the reference's own error is added; narrower types are rounded after each operator there."""
_COARSE = 8
"""A reference in a narrower type than float32 may be so many tolerances off: what counts is the float64 run."""

_OWN_SHARE, _ROUNDINGS, _FEW = 2e-4, 64, 0.05
"""An element is not computed if it is off by this share of itself and by so many roundings; a few may be."""
_SPACING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
_ROUNDED, _DRIFT, _ENOUGH = 0.2, 5, 32
"""Rounding a result to a narrow type is off by a fifth of the spacing of its numbers in the mean (root mean square).
Where so many elements are off by so many times that, or the reference's own, more than the result was rounded."""
_NOTHING = 1e-16
"""Share of the largest element below which an element may be anything."""


@dataclass(frozen=True)
class Tf32:
    """Products of float32 may be those of tensor cores; `outputs` are the reference's if its own are, None without."""

    outputs: Tree = None


def compare(
    got: Tree,
    plain: Tree,
    exact: Tree,
    least_scales: list[Array] | None = None,
    promised: list[bool] | None = None,
    *,
    ordinary: bool = False,
    tf32: Tf32 | None = None,
    approximate: bool = False,
    any_place: bool = False,
    otherwise: Sequence[Tree] = (),
) -> Match | Difference:
    """Hold outputs against the reference's: structure and types of its plain run, values of its float64 run.

    On `ordinary` inputs the elements that are small have to be computed, too. `approximate` adds what a device's
    hyperbolic tangent may be off by. `otherwise` are outputs of the reference where its numbers are rounded otherwise.
    `promised` tells for which tensors strides count too. `least_scales` are scales below which no element's scale is
    taken to be: small outputs of a function whose inner values are not small carry the rounding of those. With
    `any_place` whole numbers may be others.
    """
    got_kinds, got_tensors = flatten(got)
    plain_kinds, plain_tensors = flatten(plain)
    if got_kinds != plain_kinds:
        return Difference(
            "wrong_shape_or_dtype", f"returned {structure(got)} where the reference returns {structure(plain)}"
        )
    _, exact_tensors = flatten(exact)
    cores = _outputs_of_cores(tf32, plain_tensors)
    others = [flatten(tree)[1] for tree in otherwise]
    worst, remark = 0.0, ""
    for index, (mine, its, true) in enumerate(zip(got_tensors, plain_tensors, exact_tensors, strict=True)):
        if any_place and not is_float(its.dtype):
            continue
        where = f"output {index}" if len(got_tensors) > 1 else "the output"
        least = least_scales[index] if least_scales else None
        more = APPROXIMATE_TOLERANCE if approximate and its.dtype == "float32" else 0.0
        mine, true = settled(mine, its, true, [tensors[index] for tensors in others], _tolerance(its.dtype))
        found = compare_tensor(where, mine, its, true, least, cores[index], more)
        if isinstance(found, Match) and ordinary:
            coarse = tf32 is not None or approximate
            found = _left_out(where, mine, its, true, coarse=coarse) or _drifted(where, mine, its, true) or found
            remark = remark or ("" if coarse else imprecision(where, mine, its, true))
        if isinstance(found, Difference):
            return found
        if promised and promised[index] and _strides(mine) != _strides(its):
            strides = f"{where} has strides {mine.stride}, the reference asks for a layout and has {its.stride}"
            return Difference("wrong_shape_or_dtype", strides)
        worst = max(worst, found.max_error)
    return Match(worst, remark)


def _outputs_of_cores(tf32: Tf32 | None, plain: list[Tensor]) -> list[Tensor | None]:
    """For each output the reference's by tensor cores, its plain one without, None where float32 is float32."""
    found = flatten(tf32.outputs)[1] if tf32 and tf32.outputs is not None else plain
    return [core if tf32 and core.dtype == "float32" else None for core in found]


def _strides(tensor: Tensor) -> list[int]:
    """Strides of the dimensions that have more than one element: those of others mean nothing."""
    if 0 in tensor.shape:
        return []
    return [stride for stride, size in zip(tensor.stride, tensor.shape, strict=True) if size > 1]


def ill_conditioned(plain: Tree, exact: Tree, otherwise: Sequence[Tree] = ()) -> bool:
    """Whether the reference's own run is further from its float64 run than a candidate may be, or in a narrow type far
    further; not where a function jumps and what it gives `otherwise` is known."""
    others = [flatten(tree)[1] for tree in otherwise]
    pairs = enumerate(zip(flatten(plain)[1], flatten(exact)[1], strict=True))
    return any(
        _is_far_off(a, *settled(a, a, b, [tensors[index] for tensors in others], _tolerance(a.dtype)))
        for index, (a, b) in pairs
        if is_float(a.dtype)
    )


def _is_far_off(its: Tensor, mine: Tensor, true: Tensor) -> bool:
    tolerance = _own_tolerance(its.dtype)
    found = _compare_values("", to_numpy(mine), to_numpy(true), its.dtype, np.zeros(()), _scale(true), tolerance)
    return isinstance(found, Difference)


def scales(exact: Tree) -> list[Array]:
    """The scale of each element of each output."""
    return [local_scale.scale(to_numpy(tensor)) for tensor in flatten(exact)[1]]


def rms(values: Array) -> float:
    """Root mean square of the finite elements, 0 without any."""
    return float(local_scale.root_mean_square(values))


def _scale(tensor: Tensor) -> Array:
    """One scale for all elements."""
    return local_scale.root_mean_square(to_numpy(tensor))


def compare_tensor(
    where: str,
    mine: Tensor,
    its: Tensor,
    true: Tensor,
    least_scale: Array | None = None,
    cores: Tensor | None = None,
    more: float = 0.0,
) -> Match | Difference:
    """Hold one tensor against that of the plain run and that of the float64 run; `where` names it in the text.

    `cores` is what tensor cores make of the reference where these are allowed to; `more` is added to the tolerance.
    """
    for what, got, wanted in (("shape", mine.shape, its.shape), ("dtype", mine.dtype, its.dtype)):
        if got != wanted:
            return Difference("wrong_shape_or_dtype", f"{where} has {what} {got}, the reference's has {wanted}")
    if not is_float(its.dtype):
        return _compare_exactly(where, to_numpy(mine), to_numpy(its))
    plain = to_numpy(its).astype(_wide(to_numpy(its)))
    with np.errstate(all="ignore"):
        noise = _OWN_NOISE.get(its.dtype, 1) * local_scale.largest(np.abs(plain - to_numpy(true)))
        if cores is not None:
            noise = noise + 2 * local_scale.largest(np.abs(to_numpy(cores) - to_numpy(true)))
    tolerance = more + (TF32_TOLERANCE if cores is not None else _tolerance(its.dtype))
    scale = np.maximum(local_scale.scale(to_numpy(true)), np.zeros(()) if least_scale is None else least_scale)
    return _compare_values(where, to_numpy(mine), to_numpy(true), its.dtype, noise, scale, tolerance)


def _tolerance(dtype: str) -> float:
    return TOLERANCE.get(dtype, _TOLERANCE_8_BIT)


def _own_tolerance(dtype: str) -> float:
    """What a reference's own run may be off by."""
    return _tolerance(dtype) * (1 if dtype in _OWN_NOISE else _COARSE)


def _left_out(where: str, mine: Tensor, its: Tensor, true: Tensor, *, coarse: bool) -> Difference | None:
    """A share of elements that no rounding explains: what is far below the output's scale can be wrong and within it.

    Each element is held to its own size and to the rounding of the reference's own float32 run there, or to a `coarse`
    one.
    """
    if its.dtype not in ("float32", "float64"):
        return None
    exact = to_numpy(true).astype(np.float64)
    with np.errstate(all="ignore"):
        size, error = np.abs(exact), np.abs(to_numpy(mine).astype(np.float64) - exact)
        rounding = np.maximum(
            np.abs(to_numpy(its).astype(np.float64) - exact),
            (_COARSE_ROUNDING if coarse else np.finfo(np.float32).eps) * size,
        )
        counts = np.isfinite(size) & (size > _NOTHING * np.max(size, initial=0.0, where=np.isfinite(size)))
        wrong = counts & (error > _OWN_SHARE * size) & (error > _ROUNDINGS * rounding)
    if not counts.any() or wrong.sum() <= _FEW * counts.sum():
        return None
    at = _first(wrong)
    text = f"{where} is off by more than rounding explains in {int(wrong.sum())} of {wrong.size} elements"
    return Difference("wrong_output", f"{text}, first at {list(at)}: {to_numpy(mine)[at]} instead of {exact[at]}")


def _drifted(where: str, mine: Tensor, its: Tensor, true: Tensor) -> Difference | None:
    """Errors all over a narrow output, each of them within its tolerance: of sums that were kept in the narrow type."""
    if its.dtype not in _SPACING:
        return None
    exact = to_numpy(true).astype(np.float64)
    wide = [to_numpy(tensor).astype(np.float64) for tensor in (mine, its)]
    counts = np.isfinite(exact) & np.isfinite(wide[0]) & np.isfinite(wide[1])
    if counts.sum() < _ENOUGH:
        return None
    size = np.maximum(np.abs(exact) + local_scale.scale(exact), _SMALLEST_SCALE)
    error, own = (float(np.sqrt(np.mean(np.square((values - exact) / size)[counts]))) for values in wide)
    most = _DRIFT * max(own, _ROUNDED * _SPACING[its.dtype])
    if error <= most:
        return None
    text = (
        f"{where} is off by {error:.2g} of itself in the mean, more than rounding to {its.dtype} explains ({most:.2g})"
    )
    return Difference("wrong_output", text, error)


def _compare_exactly(where: str, mine: Array, its: Array) -> Match | Difference:
    wrong = mine != its
    if not wrong.any():
        return Match(0.0)
    at = _first(wrong)
    return Difference(
        "wrong_output",
        f"{where} differs in {int(wrong.sum())} of {wrong.size} elements, first at {list(at)}: "
        f"{mine[at]} instead of {its[at]}",
    )


def _compare_values(
    where: str, mine: Array, true: Array, dtype: str, noise: Array, scale: Array, tolerance: float
) -> Match | Difference:
    with np.errstate(all="ignore"):
        wide_mine, wide_true = mine.astype(_wide(mine)), true.astype(_storable(dtype)).astype(_wide(mine))
        special = ~(np.isfinite(wide_mine) & np.isfinite(wide_true))
        equal = (wide_mine == wide_true) | (np.isnan(wide_mine) & np.isnan(wide_true))
        odd = special & ~equal
        error = np.where(special, 0.0, np.abs(wide_mine - wide_true))
        scale = np.maximum(scale, _SMALLEST_SCALE)
        size = scale + np.where(special, 0.0, np.abs(wide_true))
        allowed = tolerance * size + noise
    worst = float((error / size).max(initial=0.0))
    wrong = odd | (error > allowed)
    if not wrong.any():
        return Match(worst)
    at = _first(odd) if odd.any() else np.unravel_index(int(np.argmax(error - allowed)), error.shape)
    return Difference(
        "wrong_output",
        f"{where} differs in {int(wrong.sum())} of {wrong.size} elements, worst at "
        f"{[int(i) for i in at]}: {mine[at]} instead of {true[at]} "
        f"(the output's scale is {np.broadcast_to(scale, error.shape)[at]:.3g})",
        worst,
    )


def _storable(dtype: str) -> np.dtype[Any]:
    """What the true value is rounded to first, so that both overflow alike."""
    return np.dtype("float32" if dtype == "bfloat16" or dtype.startswith("float8") else dtype)


def _wide(values: Array) -> np.dtype[Any]:
    return np.dtype("complex128" if np.iscomplexobj(values) else "float64")


def _first(mask: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])
