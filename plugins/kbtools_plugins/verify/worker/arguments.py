"""Arguments of a launch for a compiler: what stands for tensors, numbers and types as they are."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
import triton.language as tl

from kbtools_plugins.verify.protocol.trace import ITEM_BYTES
from kbtools_plugins.verify.protocol.wire import Tree


class _Pointer:
    """Stands for a tensor: the compiler wants its type and the alignment of its address."""

    def __init__(self, dtype: Any, address: int) -> None:
        self.dtype = dtype
        self._address = address

    def data_ptr(self) -> int:
        """An address of the same alignment."""
        return self._address

    def ptr_range(self) -> int:
        """Small enough for 32-bit offsets."""
        return 0


def argument(tree: Tree, kernels: ModuleType | None = None) -> Any:
    """The argument that a tree describes; functions are those of the module of `kernels`."""
    if not isinstance(tree, dict):
        return tree
    (kind, body), *_ = tree.items()
    if kind == "ref":
        dtype = getattr(tl, tree["as"]) if "as" in tree else getattr(torch, body["dtype"])
        return _Pointer(dtype, body["offset"] * ITEM_BYTES[body["dtype"]])
    if kind == "tuple":
        return tuple(argument(item, kernels) for item in body)
    if kind == "triton":
        return tl.str_to_ty(body, None)
    if kind == "function":
        return getattr(kernels, tree["clean_name"])
    if kind == "descriptor":
        return _descriptor(body)
    return getattr(torch, body)


def _descriptor(fields: Tree) -> Any:
    from triton.tools.tensor_descriptor import TensorDescriptor

    base = torch.empty(fields["base"]["ref"]["shape"], dtype=getattr(torch, fields["base"]["ref"]["dtype"]))
    return TensorDescriptor(base, fields["shape"], fields["strides"], fields["block_shape"], fields["padding"])
