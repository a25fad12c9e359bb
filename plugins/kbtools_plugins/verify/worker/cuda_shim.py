"""Lets code that was written for one CUDA device run where there is none: every tensor says it is on `cuda:0`.

A torch function mode maps device arguments to the CPU and answers `.is_cuda`, `.device`, `.cuda()`; functions of
`torch.cuda` and Triton's driver answer as one of two cards would. The table of what is answered is in docs/verify.md.
Streams and events do nothing; the ones a candidate makes are counted, because work on a side stream is a known trick.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from types import FunctionType, SimpleNamespace
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.torch_version import TorchVersion

from kbtools_plugins.verify.worker.cards import MACHINES, CudaUtils
from kbtools_plugins.verify.worker.compiler import named

CUDA = torch.device("cuda", 0)


class Default:
    """Where tensors are made that name no device, and which card is the current one of how many."""

    is_cuda = False
    card = CUDA
    cards = 1
    asked = False
    """Whether anybody wanted to know which card it is."""


class CudaMode(TorchFunctionMode):
    """Maps every mention of a CUDA device to the CPU and back."""

    def __torch_function__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        kwargs = kwargs or {}
        answer = _ANSWERS.get(func)
        if answer is not None:
            return answer(*args, **kwargs)
        if "device" in kwargs:
            kwargs = kwargs | {"device": to_cpu(kwargs["device"])}
        if kwargs.get("pin_memory"):
            kwargs = kwargs | {"pin_memory": False}
        if func in _TAKES_DEVICE:
            args = tuple(to_cpu(item) if index and _is_device(item) else item for index, item in enumerate(args))
        return func(*args, **kwargs)


def to_cpu(device: object) -> object:
    """The CPU for anything that names a CUDA device; other values unchanged."""
    if isinstance(device, int) and not isinstance(device, bool):
        return torch.device("cpu")
    return torch.device("cpu") if _is_device(device) else device


def _is_device(value: object) -> bool:
    if isinstance(value, str):
        return value.startswith("cuda")
    return isinstance(value, torch.device) and value.type == "cuda"


def _cuda(tensor: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
    return tensor


def _cpu(tensor: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
    return tensor.clone()


_ANSWERS: dict[object, Callable[..., object]] = {
    torch.Tensor.is_cuda.__get__: lambda tensor, *_: True,  # type: ignore[attr-defined]
    torch.Tensor.is_cpu.__get__: lambda tensor, *_: False,  # type: ignore[attr-defined]
    torch.Tensor.device.__get__: lambda tensor, *_: Default.card,
    torch.Tensor.get_device: lambda tensor: Default.card.index,
    torch.Tensor.cuda: _cuda,
    torch.Tensor.cpu: _cpu,
    torch.Tensor.pin_memory: _cuda,
    torch.Tensor.is_pinned: lambda tensor, *_: False,
}
_TAKES_DEVICE = {torch.Tensor.to, torch.Tensor.new_tensor}


class Stream:
    """A stream or event that does nothing; `made` counts the side streams a candidate created."""

    made = 0
    joined = 0
    cuda_stream = 0
    device = CUDA

    def __init__(self, *_: object, **__: object) -> None:
        Stream.made += 1

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def wait_stream(self, *_: object) -> None:
        """Counts as the side stream's work being waited for."""
        Stream.joined += 1

    wait_event = synchronize = wait_stream

    def record_event(self, *_: object) -> Event:
        """An event that has happened."""
        return Event()

    def query(self) -> bool:
        """Always done."""
        return True


class Event:
    """A CUDA event that has happened."""

    milliseconds = 0.0
    """Between any two; 0 for what a device might say."""

    def __init__(self, *_: object, **__: object) -> None:
        self.made = True

    def record(self, *_: Any) -> None:
        """Nothing to record."""

    synchronize = wait = record

    def query(self) -> bool:
        """Always done."""
        return True

    def elapsed_time(self, _: Event) -> float:
        """What a device would say of nearly nothing: a little, and never the same."""
        return Event.milliseconds or random.uniform(0.002, 0.02)


class CudaGraphUsed(Exception):
    """A candidate tried to capture or replay a CUDA graph."""


class CudaGraph:
    """Refuses: a replayed graph hides what runs."""

    used = False

    def __init__(self, *_: object, **__: object) -> None:
        CudaGraph.used = True
        raise CudaGraphUsed("CUDA graphs are not allowed in a candidate")


class _Driver:
    """As much of Triton's active driver as host code asks for; kernels are never launched through it."""

    def __init__(self, card: SimpleNamespace) -> None:
        self._properties = card
        known = {
            "max_num_regs": card.regs_per_multiprocessor,
            "multiprocessor_count": card.multi_processor_count,
            "warpSize": card.warp_size,
            "sm_clock_rate": 1_410_000,
            "mem_clock_rate": 1_215_000,
            "mem_bus_width": 5_120,
        }
        self.utils = CudaUtils(
            get_device_properties=lambda device: {"max_shared_mem": self._card.shared_memory_per_block_optin, **known}
        )

    @property
    def _card(self) -> SimpleNamespace:
        Default.asked = True
        return self._properties

    def get_current_device(self) -> int:
        """The current one."""
        return int(Default.card.index)

    def set_current_device(self, device: int) -> None:
        """There is only one."""

    def get_current_stream(self, device: int | None = None) -> int:
        """The default stream's, or another one's where the surroundings say so."""
        return Stream.cuda_stream

    def get_current_target(self) -> object:
        """That of the card."""
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", 10 * self._card.major + self._card.minor, 32)

    def get_active_torch_device(self) -> torch.device:
        """The current one."""
        return Default.card

    def get_device_interface(self) -> object:
        """The module whose functions this shim replaced."""
        return torch.cuda

    def get_device_capability(self, device: int = 0) -> tuple[int, int]:
        """That of the card."""
        return (self._card.major, self._card.minor)


_Driver.__name__, _Driver.__module__ = "CudaDriver", CudaUtils.__module__  # as on a device


@contextlib.contextmanager
def installed(card: SimpleNamespace = MACHINES[0]) -> Iterator[None]:
    """Inside the block this process looks like one with this CUDA device; made for a process that ends afterwards."""
    Default.cards, Default.card = card.cards, torch.device("cuda", card.cards - 1)
    _patch_torch_cuda(card)
    from triton.runtime import driver

    driver.set_active(_Driver(card))
    with CudaMode():
        yield


_MEMORY_COUNTERS = ("memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved")


def _patch_torch_cuda(card: SimpleNamespace) -> None:
    def asked() -> SimpleNamespace:
        Default.asked = True
        return card

    side = Stream()
    Stream.made = 0
    nothing = lambda *_, **__: None  # noqa: E731 - one no-op under many names
    answers: dict[str, object] = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: Default.cards,
        "init": nothing,
        "current_device": lambda: Default.card.index,
        "set_device": nothing,
        "synchronize": nothing,
        "empty_cache": nothing,
        "get_device_properties": lambda *_: asked(),
        "get_device_name": lambda *_: asked().name,
        "get_device_capability": lambda *_: (asked().major, asked().minor),
        "manual_seed": nothing,
        "manual_seed_all": nothing,
        "is_bf16_supported": lambda *_, **__: True,
        "current_stream": lambda *_: side,
        "default_stream": lambda *_: side,
        "Stream": Stream,
        "Event": Event,
        "CUDAGraph": CudaGraph,
        "graph": CudaGraph,
        "device": contextlib.nullcontext,
        "stream": contextlib.nullcontext,
        "device_of": contextlib.nullcontext,
        "_DeviceGuard": contextlib.nullcontext,
        "make_graphed_callables": CudaGraph,
        **dict.fromkeys(_MEMORY_COUNTERS, lambda *_: random.randrange(2**12, 2**20) * 512),
        "mem_get_info": lambda *_: (card.total_memory - random.randrange(2**12, 2**20) * 512, card.total_memory),
        "reset_peak_memory_stats": nothing,
        "is_current_stream_capturing": lambda: False,
        "can_device_access_peer": lambda *_: True,
        "get_arch_list": lambda: ["sm_80", "sm_86", "sm_90"],
        "_is_compiled": lambda: True,
    }
    for name, answer in answers.items():
        setattr(torch.cuda, name, named(answer, name) if isinstance(answer, FunctionType) else answer)
    torch.cuda.streams.Stream, torch.cuda.streams.Event = Stream, Event  # type: ignore[misc, assignment]
    for name in ("range_push", "range_pop", "mark", "range_start", "range_end"):
        setattr(torch.cuda.nvtx, name, nothing)
    torch.Tensor.record_stream = nothing  # type: ignore[method-assign]
    torch._C._cuda_getCurrentRawStream = lambda *_: 0
    torch._C._dynamo.guards.__dict__["_empty_strided_cuda"] = _empty_strided
    torch.cuda.graphs.CUDAGraph = CudaGraph  # type: ignore[misc, assignment]
    torch.set_default_device = _default_device_stays
    Event.milliseconds = 0.0 if card.cuda_version else 1.0
    torch.version.cuda = card.cuda_version
    if card.cuda_version:
        _say_built_with_cuda(card.cuda_version)


def _say_built_with_cuda(version: str) -> None:
    build = f"{torch.__version__.partition('+')[0]}+cu{version.replace('.', '')}"
    torch.__version__ = torch.version.__version__ = TorchVersion(build)
    torch.backends.cuda.is_built = lambda: True
    torch.backends.cudnn.is_available = lambda: True
    torch.backends.cudnn.version = lambda: 91_002


def _empty_strided(size: Any, stride: Any, dtype: torch.dtype) -> torch.Tensor:
    return torch.empty_strided(size, stride, dtype=dtype, device=CUDA)


def _default_device_stays(device: object) -> None:
    """The CPU stands for the device already."""
    Default.is_cuda = _is_device(device)
