"""Outputs as a process sends them (worker/tensors.py writes them): their structure, tensors as arrays, and which of
them are one memory or an input's, so that whoever changes one changes the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.wire import Tree

Array = npt.NDArray[Any]
_LOOKED_AT = 2**20
"""Elements of two results that are looked at one by one."""


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


def mixed(got: bytes, true: bytes, mask: npt.NDArray[np.bool_]) -> bytes:
    """Elements of one where the mask holds, of the other elsewhere."""
    if not mask.size:
        return got
    width = len(got) // mask.size
    ours, theirs = (np.frombuffer(data, np.uint8).reshape(-1, width) for data in (got, true))
    return np.where(mask.reshape(-1, 1), ours, theirs).tobytes()


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


@dataclass(frozen=True)
class Extent:
    """Where a tensor lies: the number of its memory, and its first element, sizes and strides, all in bytes."""

    memory: int
    start: int
    shape: Sequence[int]
    strides: Sequence[int]

    def overlaps(self, other: Extent) -> bool:
        """Whether some element belongs to both."""
        if self.memory != other.memory or 0 in (*self.shape, *other.shape):
            return False
        if max(np.prod(self.shape), np.prod(other.shape)) > _LOOKED_AT:
            return self.start == other.start
        return bool(np.intersect1d(self._starts(), other._starts()).size)

    def _starts(self) -> Array:
        found = np.array(self.start, dtype=np.int64)
        for size, stride in zip(self.shape, self.strides, strict=True):
            found = found[..., None] + np.arange(size) * stride
        return found.ravel()


def shared(inputs: Sequence[int], outputs: Sequence[Extent]) -> Iterator[str]:
    """What is shared; of inputs the number of their memory is enough."""
    for index, place in enumerate(outputs):
        if place.memory in inputs:
            yield f"output {index} is memory of input {inputs.index(place.memory)}"
        for earlier in range(index):
            if place.overlaps(outputs[earlier]):
                yield f"output {index} is memory of output {earlier}"
