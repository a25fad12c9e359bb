"""Which memory is the host's: here all of it is, so that what a device would refuse has to be remembered.

A tensor that is made without a device is in the host's memory, and so is what comes of it, until it is moved. A kernel
cannot read it, and only such a tensor becomes a numpy array. Inputs, and parameters once they are moved as every
program moves them, are the device's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from kbtools_plugins.verify.worker import cuda_shim
from kbtools_plugins.verify.worker.tensors import tensors_in

_HOST = torch.device("cpu")
_HOST_ANSWERS: dict[object, object] = {
    torch.Tensor.is_cuda.__get__: False,  # type: ignore[attr-defined]
    torch.Tensor.is_cpu.__get__: True,  # type: ignore[attr-defined]
    torch.Tensor.device.__get__: _HOST,
    torch.Tensor.get_device: -1,
}
_TO_NUMPY: set[Any] = {torch.Tensor.numpy, torch.Tensor.__array__}


class Placement(TorchFunctionMode):
    """Remembers the storages that are the host's; entered after the shim, so that it sees devices as they are named."""

    def __init__(self) -> None:
        super().__init__()
        self._host: dict[int, torch.UntypedStorage] = {}  # kept alive: what is freed could come back as another's
        self._paused = False

    def __torch_function__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        kwargs = kwargs or {}
        if self._paused:
            return func(*args, **kwargs)
        given = tensors_in((args, kwargs))
        on_host = bool(given) and all(self.on_host(tensor) for tensor in given)
        if on_host and func in _HOST_ANSWERS:
            return _HOST_ANSWERS[func]
        if func in _TO_NUMPY and not on_host:
            raise TypeError(
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory"
            )
        result = _deepcopied(*args) if func is torch.Tensor.__deepcopy__ else func(*args, **kwargs)
        named = _named_device(func, args, kwargs)
        goes_to_host = named.type == "cpu" if named else on_host if given else not cuda_shim.Default.is_cuda
        return self._placed(result, goes_to_host)

    def on_host(self, tensor: torch.Tensor) -> bool:
        """Whether a kernel cannot read this tensor."""
        with torch._C.DisableTorchFunction():
            return _has_memory(tensor) and self.holds(tensor.untyped_storage())

    def holds(self, storage: torch.UntypedStorage) -> bool:
        """Whether this memory is the host's."""
        return storage._cdata in self._host

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What is made inside is the device's."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def move_to_device(self, tensors: Iterable[torch.Tensor]) -> None:
        """What `.cuda()` does to a module."""
        with torch._C.DisableTorchFunction():
            for tensor in tensors:
                self._host.pop(tensor.untyped_storage()._cdata, None)

    def _placed(self, result: object, on_host: bool) -> object:
        if isinstance(result, torch.Tensor) and not on_host and self.on_host(result):
            with torch._C.DisableTorchFunction():  # a move makes new memory
                return result.clone()
        if on_host:
            with torch._C.DisableTorchFunction():
                storages = [tensor.untyped_storage() for tensor in tensors_in(result) if _has_memory(tensor)]
                self._host |= {storage._cdata: storage for storage in storages}
        return result


def _deepcopied(tensor: torch.Tensor, known: dict[int, object]) -> object:
    """What `copy.deepcopy` makes of a tensor, by operators: torch copies memory past all of them."""
    if id(tensor) not in known:
        if tensor.grad_fn is not None:
            raise RuntimeError("Only Tensors created explicitly by the user support the deepcopy protocol")
        known[id(tensor)] = tensor.detach().clone().requires_grad_(tensor.requires_grad)
    return known[id(tensor)]


def _has_memory(tensor: torch.Tensor) -> bool:
    """Not what a function transform passes around."""
    return not torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def _named_device(func: Any, args: Any, kwargs: Any) -> torch.device | None:
    """The device that a call names, if any."""
    if func in (torch.Tensor.cuda, torch.Tensor.cpu):
        return cuda_shim.CUDA if func is torch.Tensor.cuda else _HOST
    named = [kwargs["device"]] if kwargs.get("device") is not None else []
    if func is torch.Tensor.to:
        named += [value for value in args[1:] if isinstance(value, str | torch.device | int) and value is not True]
    for value in named:
        return cuda_shim.CUDA if isinstance(value, int) else torch.device(value)
    return None
