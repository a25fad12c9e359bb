"""Lets code that was written for one CUDA device run where there is none: every tensor says it is on `cuda:0`.

A torch function mode maps device arguments to the CPU and answers `.is_cuda`, `.device`, `.cuda()`; functions of
`torch.cuda` and Triton's driver answer as one of two cards would. The table of what is answered is in docs/verify.md.
Streams and events do nothing; the ones a candidate makes are counted, because work on a side stream is a known trick.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

CUDA = torch.device("cuda", 0)
_COMMON = {
    "regs_per_multiprocessor": 65_536,
    "warp_size": 32,
    "gcnArchName": "",
    "shared_memory_per_block": 49_152,
    "is_integrated": False,
    "is_multi_gpu_board": False,
    "cuda_version": "12.8",
}
MACHINES = (
    SimpleNamespace(
        name="NVIDIA A100-SXM4-40GB",
        major=8,
        minor=0,
        total_memory=42_505_273_344,
        multi_processor_count=108,
        max_threads_per_multi_processor=2_048,
        shared_memory_per_block_optin=166_912,
        shared_memory_per_multiprocessor=167_936,
        L2_cache_size=41_943_040,
        **_COMMON,
    ),
    SimpleNamespace(
        name="NVIDIA RTX A6000",
        major=8,
        minor=6,
        total_memory=51_033_931_776,
        multi_processor_count=84,
        max_threads_per_multi_processor=1_536,
        shared_memory_per_block_optin=101_376,
        shared_memory_per_multiprocessor=102_400,
        L2_cache_size=6_291_456,
        **_COMMON,
    ),
    SimpleNamespace(
        name="",
        major=8,
        minor=0,
        total_memory=0,
        multi_processor_count=1,
        max_threads_per_multi_processor=1,
        shared_memory_per_block_optin=0,
        shared_memory_per_multiprocessor=0,
        L2_cache_size=0,
        **_COMMON | {"cuda_version": None},
    ),
)
"""What the device may claim to be. A candidate is recorded on the first two: it has to work on both. The last is what
nobody has: a build of torch without CUDA whose events all take one millisecond."""


class Default:
    """Where tensors are made that name no device."""

    is_cuda = False


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
    torch.Tensor.device.__get__: lambda tensor, *_: CUDA,
    torch.Tensor.get_device: lambda tensor: 0,
    torch.Tensor.cuda: _cuda,
    torch.Tensor.cpu: _cpu,
    torch.Tensor.pin_memory: _cuda,
    torch.Tensor.is_pinned: lambda tensor, *_: False,
    torch.Tensor.record_stream: lambda tensor, stream: None,
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
        self._card = card
        known = {
            "max_shared_mem": card.shared_memory_per_block_optin,
            "max_num_regs": card.regs_per_multiprocessor,
            "multiprocessor_count": card.multi_processor_count,
            "warpSize": card.warp_size,
            "sm_clock_rate": 1_410_000,
            "mem_clock_rate": 1_215_000,
            "mem_bus_width": 5_120,
        }
        self.utils = SimpleNamespace(get_device_properties=lambda device: dict(known))

    def get_current_device(self) -> int:
        """The only device."""
        return 0

    def set_current_device(self, device: int) -> None:
        """There is only one."""

    def get_current_stream(self, device: int | None = None) -> int:
        """The default stream."""
        return 0

    def get_current_target(self) -> object:
        """That of the card."""
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", 10 * self._card.major + self._card.minor, 32)

    def get_active_torch_device(self) -> torch.device:
        """The only device."""
        return CUDA

    def get_device_interface(self) -> object:
        """The module whose functions this shim replaced."""
        return torch.cuda

    def get_device_capability(self, device: int = 0) -> tuple[int, int]:
        """That of the card."""
        return (self._card.major, self._card.minor)


@contextlib.contextmanager
def installed(card: SimpleNamespace = MACHINES[0]) -> Iterator[None]:
    """Inside the block this process looks like one with this CUDA device; made for a process that ends afterwards."""
    _patch_torch_cuda(card)
    from triton.runtime import driver

    driver.set_active(_Driver(card))
    with CudaMode():
        yield


def _patch_torch_cuda(card: SimpleNamespace) -> None:
    side = Stream()
    Stream.made = 0
    nothing = lambda *_, **__: None  # noqa: E731 - one no-op under many names
    answers: dict[str, object] = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 1,
        "init": nothing,
        "current_device": lambda: 0,
        "set_device": nothing,
        "synchronize": nothing,
        "empty_cache": nothing,
        "get_device_properties": lambda *_: card,
        "get_device_name": lambda *_: card.name,
        "get_device_capability": lambda *_: (card.major, card.minor),
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
        "memory_allocated": lambda *_: 0,
        "max_memory_allocated": lambda *_: 0,
        "reset_peak_memory_stats": nothing,
    }
    for name, answer in answers.items():
        setattr(torch.cuda, name, answer)
    torch.cuda.graphs.CUDAGraph = CudaGraph  # type: ignore[misc, assignment]
    torch.set_default_device = _default_device_stays
    Event.milliseconds = 0.0 if card.cuda_version else 1.0
    torch.version.cuda = card.cuda_version


def _default_device_stays(device: object) -> None:
    """The CPU stands for the device already."""
    Default.is_cuda = _is_device(device)
