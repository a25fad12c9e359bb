"""What else says that there is a device: printed tensors, types, addresses, and functions that only a device answers.

Whatever of these told a check from a device would let a candidate do its work there by other means.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.worker import cuda_shim
from kbtools_plugins.verify.worker.cards import MACHINES
from kbtools_plugins.verify.worker.record.lines import NO_CUDA
from kbtools_plugins.verify.worker.record.placement import Placement

_ALIGNMENT = 8
"""A device's memory begins at multiples of 512 bytes, the host's at multiples of 64."""
_LEFT_ALONE = {"is_current_stream_capturing", "is_bf16_supported", "is_tf32_supported", "check_error", "use_mem_pool"}


def install(placement: Placement) -> None:
    """From now on this process says so too."""
    _print_devices(placement)
    torch.Tensor.data_ptr = _address  # type: ignore[method-assign, assignment]
    for owner in (torch._C, torch.cuda):
        vars(owner)["_CudaDeviceProperties"] = type(MACHINES[0])
    for name in [name for name in vars(torch.cuda) if name.endswith("Tensor")]:
        setattr(torch.cuda, name, _KindOfTensors(name, (), {"__module__": "torch.cuda"}))
    torch.get_device_module = lambda *_: torch.cuda  # type: ignore[assignment]
    known: dict[str, object] = {
        "is_available": lambda: True,
        "device_count": lambda: cuda_shim.Default.cards,
        "current_accelerator": lambda *_, **__: torch.device("cuda"),
        "current_device_index": lambda: cuda_shim.Default.card.index,
        "current_device_idx": lambda: cuda_shim.Default.card.index,
        "current_stream": lambda *_: torch.cuda.current_stream(),
        "set_device_index": lambda *_: None,
        "synchronize": lambda *_: None,
        "empty_cache": lambda *_: None,
    }
    for name, answer in known.items():
        setattr(torch.accelerator, name, answer)
    for owner in (torch.cuda, torch.cuda.nccl):
        _refuse_the_rest(owner)


class _KindOfTensors(type):
    """`torch.cuda.FloatTensor` and the like: an instance is what says that it is of this type."""

    def __instancecheck__(cls, tensor: object) -> bool:
        return isinstance(tensor, torch.Tensor) and tensor.type() == f"{cls.__module__}.{cls.__name__}"


def _print_devices(placement: Placement) -> None:
    shown, typed = torch.Tensor.__repr__, torch.Tensor.type

    def show(tensor: torch.Tensor, **given: Any) -> str:
        with torch._C.DisableTorchFunction():
            text: str = shown(tensor, **given)  # type: ignore[no-untyped-call]
        return text if placement.on_host(tensor) else f"{text[:-1]}, device='{cuda_shim.Default.card}')"

    def kind(tensor: torch.Tensor, *args: Any, **given: Any) -> Any:
        if args or given:
            return typed(tensor, *args, **given)
        with torch._C.DisableTorchFunction():
            found = typed(tensor)
        return found if placement.on_host(tensor) else found.replace("torch.", "torch.cuda.")

    torch.Tensor.__repr__, torch.Tensor.type = show, kind  # type: ignore[method-assign, assignment]


_host_address: Callable[[torch.Tensor], int] = torch.Tensor.data_ptr


_asked: set[int] = set()


def _address(tensor: torch.Tensor) -> int:
    with torch._C.DisableTorchFunction():
        start = tensor.untyped_storage().data_ptr()
        found = start * _ALIGNMENT + _host_address(tensor) - start
    _asked.add(found)
    return found


def passes_addresses(trace: Trace) -> bool:
    """Whether a kernel is given a table of addresses that the candidate has asked for: they are others in a replay."""
    numbers = {value for step in trace.launches for value in step.bound.values() if type(value) is int}
    for storage in trace.storages:
        whole = (storage.content or b"")[: len(storage.content or b"") // 8 * 8]
        numbers |= set(np.frombuffer(whole, np.int64).tolist()) if _asked else set()
    return bool((_asked - {0}) & numbers)


def _refuse_the_rest(owner: Any) -> None:
    """Functions that the shim has no answer for say what is missing: who catches that has asked where it is."""
    for name, value in list(vars(owner).items()):
        own = isinstance(value, types.FunctionType) and value.__code__.co_filename.startswith(str(torch.__path__[0]))
        if own and not name.startswith("_") and name not in _LEFT_ALONE:
            setattr(owner, name, _refusing(f"{owner.__name__}.{name}"))


def _refusing(name: str) -> Callable[..., object]:
    def refuse(*_: object, **__: object) -> object:
        raise RuntimeError(f"{name}: torch is {NO_CUDA[1]}")

    return refuse
