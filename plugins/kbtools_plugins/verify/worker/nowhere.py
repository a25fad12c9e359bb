"""Large tensors that have an address but no memory: for a recording at sizes that no machine's memory holds.

Nobody looks at values where kernels do not run. Operators on such tensors give others of the right form.
"""

from __future__ import annotations

import mmap
import warnings
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from kbtools_plugins.verify.worker.tensors import tensors_in

_LARGE = 2**24
"""Bytes above which a tensor has no memory."""
_NO_RESERVE = 0x4000
"""MAP_NORESERVE of Linux: pages that are never touched are not promised either."""


class Nowhere(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Calls operators; what large tensors hold is never written and reads as zeros."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ours: dict[int, torch.UntypedStorage] = {}

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> Any:
        return self.call(func, args, kwargs or {})

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor has no memory."""
        return not tensor.is_meta and tensor.untyped_storage()._cdata in self._ours

    def call(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """What an operator gives."""
        given = tensors_in((args, kwargs))
        takes_device = any(argument.name == "device" for argument in func._schema.arguments)
        ours = any(map(self.holds, given))
        if not (ours or takes_device) or func.is_view:
            return func(*args, **kwargs)
        if func._schema.is_mutable:
            return _written(func, args, kwargs) if ours else func(*args, **kwargs)
        args_of_form, kwargs_of_form = tree_map_only(torch.Tensor, _form, (args, kwargs))
        if takes_device:
            kwargs_of_form["device"] = torch.device("meta")
        made = func(*args_of_form, **kwargs_of_form)
        if not ours and all(_size(tensor) < _LARGE for tensor in tensors_in(made)):
            return func(*args, **kwargs)
        return tree_map_only(torch.Tensor, self._with_address, made)

    def _with_address(self, form: torch.Tensor) -> torch.Tensor:
        if _size(form) < _LARGE:
            return torch.zeros_like(form, device="cpu")
        tensor = view_of(mapped(_size(form), mmap.PROT_READ), form)
        self._ours[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
        return tensor


def _written(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """What an operator would change, which is what it gives; ValueError if that is not one tensor."""
    arguments = func._schema.arguments
    names = [argument.name for argument in arguments if argument.alias_info and argument.alias_info.is_write]
    given = dict(zip((argument.name for argument in arguments), args, strict=False)) | kwargs
    (changed,) = (given[name] for name in names)
    return changed


def mapped(size: int, access: int, kind: int = mmap.MAP_PRIVATE) -> torch.Tensor:
    """So many bytes of zeros, which take memory only where something is stored."""
    memory = mmap.mmap(-1, max(1, size), flags=kind | mmap.MAP_ANONYMOUS | _NO_RESERVE, prot=access)
    with warnings.catch_warnings(action="ignore"):  # that it is not writable, which is what it is for
        return torch.frombuffer(memory, dtype=torch.uint8)


def view_of(memory: torch.Tensor, form: torch.Tensor) -> torch.Tensor:
    """This memory as a tensor of another one's form."""
    return torch.empty(0, dtype=form.dtype).set_(
        memory.untyped_storage(), form.storage_offset(), form.shape, form.stride()
    )


def _form(tensor: torch.Tensor) -> torch.Tensor:
    """The same tensor without values."""
    form = torch.empty(0, dtype=tensor.dtype, device="meta")
    whole = torch.empty(tensor.untyped_storage().nbytes(), dtype=torch.uint8, device="meta")
    return form.set_(whole.untyped_storage(), tensor.storage_offset(), tensor.shape, tensor.stride())


def _size(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage().nbytes())
