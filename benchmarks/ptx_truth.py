"""Ground truth for ptx_exactness.py: the C library in each rounding direction, torch, ml_dtypes, whole numbers.

Nothing of the machine is used here.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import torch

OPERATIONS = ("add", "sub", "mul", "fma", "div", "rcp", "sqrt")
DIRECTIONS = ("rn", "rz", "rm", "rp")
NATIVE = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "s32": np.int32, "s64": np.int64}
HALVES = {"f16": torch.float16, "bf16": torch.bfloat16}
EIGHT = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}


@cache
def library() -> ctypes.CDLL:
    """ptx_truth.c, built once."""
    folder = Path(tempfile.mkdtemp())
    source = Path(__file__).with_name("ptx_truth.c")
    flags = ["-O1", "-shared", "-fPIC", "-frounding-math", "-ffp-contract=off"]
    subprocess.run(["cc", *flags, "-o", folder / "truth.so", source, "-lm"], check=True)
    return ctypes.CDLL(str(folder / "truth.so"))


def _address(array: np.ndarray[Any, Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def operation(name: str, kind: str, direction: str, operands: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """f32 or f64 arithmetic by the C library, as values."""
    values = [np.ascontiguousarray(bits.ravel()).view(NATIVE[kind]) for bits in operands]
    values += [values[0]] * (3 - len(values))
    result = np.empty_like(values[0])
    run = getattr(library(), "single_operation" if kind == "f32" else "double_operation")
    way = DIRECTIONS.index(direction)
    run(OPERATIONS.index(name), way, ctypes.c_long(result.size), *map(_address, (*values, result)))
    return result


def conversion(source: str, target: str, direction: str, bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A conversion by the C compiler, as values."""
    values = np.ascontiguousarray(bits.ravel()).view(NATIVE[source])
    result = np.empty(values.size, NATIVE[target])
    run = getattr(library(), f"{source}_to_{target}")
    run(DIRECTIONS.index(direction), ctypes.c_long(result.size), _address(values), _address(result))
    return result


def half(name: str, kind: str, operands: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """add, sub, mul by torch in the same type, as float64 values."""
    a, b = (torch.from_numpy(bits.ravel().copy()).view(HALVES[kind]) for bits in operands)
    return getattr(torch, name)(a, b).double().numpy()


def narrowed(kind: str, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """float32 values to nearest in a narrower type, by ml_dtypes (bf16), numpy (f16) and torch (8 bits, saturating)."""
    with np.errstate(all="ignore"):
        if kind == "f16":
            return values.astype(np.float16).astype(np.float64)
        if kind == "bf16":
            return values.astype(ml_dtypes.bfloat16).astype(np.float64)
    largest = float(torch.finfo(EIGHT[kind]).max)
    return torch.from_numpy(values.copy()).clamp(-largest, largest).to(EIGHT[kind]).double().numpy()


def directed(kind: str, direction: str, bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """float32 patterns in f16 in a direction, cut to bf16, or to tf32 with ties away from zero, as float64 values."""
    values = bits.view(np.float32)
    nan = np.isnan(values)
    if kind == "f16":
        with np.errstate(all="ignore"):
            near, exact = values.astype(np.float16), values.astype(np.float64)
            goal = {"rz": 0.0, "rm": -np.inf, "rp": np.inf}[direction]
            size = np.abs if direction == "rz" else np.negative if direction == "rp" else np.positive
            beyond = (size(near.astype(np.float64)) > size(exact)) & np.isfinite(exact)
            return np.where(beyond, np.nextafter(near, np.float16(goal)), near).astype(np.float64)
    if kind == "bf16":
        cut = bits & np.uint32(0xFFFF0000)
    else:
        cut = np.where(np.isinf(values), bits, (bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000))
    return np.where(nan, np.nan, cut.view(np.float32).astype(np.float64))
