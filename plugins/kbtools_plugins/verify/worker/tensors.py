"""Values that travel between processes and the tree they travel as; the side that has torch.

A tensor among them is the tree of a message.Tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch.utils._pytree import tree_flatten, tree_map_only

from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.outputs import Extent
from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.worker.paritybench import MockConfig

Inputs = tuple[Any, ...]
"""What a module is called with: tensors and plain values, nested in any way."""


class Unsendable(Exception):
    """A value that has no form outside its process."""


def encode(value: object) -> Tree:
    """The tree for a nested value of tensors, plain values, dtypes, devices and torch classes."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.Tensor):
        return encode_tensor(value).tree()
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [encode(item) for item in value]}
    if isinstance(value, MockConfig):
        return {"mock": encode(vars(value))}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, torch.dtype | torch.device | torch.memory_format | torch.layout):
        return {type(value).__name__: str(value).removeprefix("torch.")}
    if getattr(value, "__module__", "").startswith("torch") and hasattr(value, "__qualname__"):
        return {"torch": f"{value.__module__}:{value.__qualname__}"}
    if hasattr(value, "item") and type(value).__module__ == "numpy":
        return encode(value.item())
    raise Unsendable(f"a {type(value).__module__}.{type(value).__qualname__}")


def decode(tree: Tree) -> Any:
    """The value that `encode` made the tree from."""
    if not isinstance(tree, dict):
        return tree
    if "tensor" in tree:
        return decode_tensor(Tensor.read(tree))
    (kind, body), *_ = tree.items()
    if kind in ("list", "tuple"):
        items = [decode(item) for item in body]
        return items if kind == "list" else tuple(items)
    if kind == "dict":
        return {decode(key): decode(item) for key, item in body}
    if kind == "mock":
        return MockConfig(**decode(body))
    if kind == "torch":
        return _torch_attribute(body)
    return torch.device(body) if kind == "device" else getattr(torch, body)


def encode_tensor(tensor: torch.Tensor) -> Tensor:
    """What travels of one dense tensor; of one without memory, its form."""
    if tensor.is_meta:
        name = str(tensor.dtype).removeprefix("torch.")
        return Tensor(tensor=b"", dtype=name, shape=list(tensor.shape), stride=list(tensor.stride()))
    with torch._C.DisableTorchFunction():
        plain = tensor.detach().cpu().resolve_conj().resolve_neg()
        data = plain.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b""
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Tensor(tensor=data, dtype=dtype, shape=list(plain.shape), stride=list(plain.stride()))


def decode_tensor(sent: Tensor) -> torch.Tensor:
    """A fresh tensor with these elements, shape and strides."""
    dtype = getattr(torch, sent.dtype)
    result = torch.empty_strided(sent.shape, sent.stride, dtype=dtype)
    if sent.tensor:
        flat = torch.frombuffer(bytearray(sent.tensor), dtype=dtype).view(sent.shape)
        copy_values(flat, result)
    return result


def copy_values(source: torch.Tensor, target: torch.Tensor) -> None:
    """Write `source` into `target`, through a view that names each element of an expanded target once."""
    with torch._C.DisableTorchFunction():
        once = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in target.stride())
        target[once].copy_(source[once])


def _torch_attribute(path: str) -> object:
    import importlib

    module_name, _, qualified = path.partition(":")
    if module_name.split(".")[0] != "torch":
        raise Unsendable(path)
    value: object = importlib.import_module(module_name)
    for part in qualified.split("."):
        value = getattr(value, part)
    return value


def tensors_in(values: object) -> list[torch.Tensor]:
    """The tensors among nested values, in the order of torch's trees. Plain ones by hand: every call asks."""
    if isinstance(values, torch.Tensor):
        return [values]
    if type(values) in _PLAIN:
        return []
    if type(values) is dict:
        values = [*cast("dict[object, object]", values).values()]
    if type(values) in (tuple, list):
        return [tensor for value in cast("tuple[object, ...]", values) for tensor in tensors_in(value)]
    return [leaf for leaf in tree_flatten(values)[0] if isinstance(leaf, torch.Tensor)]


_PLAIN = frozenset({type(None), bool, int, float, str, torch.dtype, torch.device})


def clone_tree(value: object) -> Any:
    """The same structure with every tensor copied, strides kept."""
    if isinstance(value, torch.Tensor):
        return clone_strided(value)
    if type(value) in _PLAIN:
        return value
    if type(value) in (tuple, list):
        copies = [clone_tree(item) for item in cast("tuple[object, ...]", value)]
        return copies if type(value) is list else tuple(copies)
    return tree_map_only(torch.Tensor, clone_strided, value)


def clone_strided(tensor: torch.Tensor) -> torch.Tensor:
    """A copy with equal strides, which `Tensor.clone` only keeps for dense tensors."""
    with torch._C.DisableTorchFunction():
        copy = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device)
    copy_values(tensor, copy)
    return copy


def widened(tensor: torch.Tensor) -> torch.Tensor:
    """8-bit floats, on which torch knows few operators, as float32, which holds them exactly; others as they are."""
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() == 1 else tensor


def widely(change: Callable[[torch.Tensor], torch.Tensor], tensor: torch.Tensor) -> torch.Tensor:
    """The change made in float32 to 8-bit floats, which torch hardly computes with."""
    return change(widened(tensor)).to(tensor.dtype)


def all_finite(tensor: torch.Tensor) -> bool:
    """Whether a tensor has no infinity and no NaN."""
    return bool(widened(tensor).isfinite().all())


def memory_of(tensor: torch.Tensor) -> int:
    """The number of its memory."""
    return int(tensor.untyped_storage()._cdata)


def place_of(tensor: torch.Tensor) -> Extent:
    """Where it lies."""
    item = tensor.element_size()
    strides = [stride * item for stride in tensor.stride()]
    return Extent(memory_of(tensor), int(tensor.storage_offset()) * item, list(tensor.shape), strides)
