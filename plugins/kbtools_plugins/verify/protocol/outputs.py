"""Outputs as a process sends them (worker/tensors.py writes them): their structure, and tensors as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.wire import Tree

Array = npt.NDArray[Any]


def flatten(tree: Tree) -> tuple[Tree, list[Tensor]]:
    """The structure with a mark for each tensor, and the tensors. Lists and tuples are one, keys have no order."""
    if isinstance(tree, dict) and "tensor" in tree:
        return "tensor", [Tensor.read(tree)]
    if isinstance(tree, dict):
        (kind, body), *_ = tree.items()
        body = sorted(body, key=lambda item: repr(item[0])) if kind == "dict" else body
        items = [value for _, value in body] if kind == "dict" else body if isinstance(body, list) else []
        parts = [flatten(item) for item in items]
        names = [key for key, _ in body] if kind == "dict" else body if not isinstance(body, list) else []
        kind = "list" if kind == "tuple" else kind
        return [kind, names, [part for part, _ in parts]], [tensor for _, found in parts for tensor in found]
    return ["value", tree], []


def to_numpy(tensor: Tensor) -> Array:
    """The elements of a tensor; bfloat16 widened to float32."""
    if tensor.dtype == "bfloat16":
        wide = np.frombuffer(tensor.tensor, dtype=np.uint16).astype(np.uint32) << 16
        return wide.view(np.float32).reshape(tensor.shape)
    return np.frombuffer(tensor.tensor, dtype=_dtype(tensor.dtype)).reshape(tensor.shape)


def structure(tree: Tree) -> str:
    """In words: `a tuple of a tensor, 3`."""
    if isinstance(tree, dict) and "tensor" in tree:
        return "a tensor"
    if isinstance(tree, dict):
        (kind, body), *_ = tree.items()
        if kind == "dict":
            return f"a dict of {', '.join(f'{key!r}: {structure(value)}' for key, value in body) or 'nothing'}"
        items = body if isinstance(body, list) else []
        return f"a {kind} of {', '.join(map(structure, items)) or 'nothing'}"
    return repr(tree)


def is_float(dtype: str) -> bool:
    """Whether elements of this type are rounded: complex ones too."""
    return dtype.startswith(("float", "bfloat", "complex"))


def _dtype(name: str) -> np.dtype[Any]:
    """The type of this name; those of 8-bit floats come from a package of their own."""
    if not name.startswith("float8"):
        return np.dtype(name)
    import ml_dtypes

    found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return found
