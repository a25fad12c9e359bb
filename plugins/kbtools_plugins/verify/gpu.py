"""The replay on a CUDA device: the same traces and clean kernels, launched instead of interpreted; and their timing.

Nothing else of a check changes: the candidate's Python has already been left behind on a CPU. Correctness and timing
run in different processes, because a kernel can read any device memory of its own process: reference outputs must not
be there while outputs that count are made. One check at a time uses the device (`device_lock`).
"""

from __future__ import annotations

import contextlib
import fcntl
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from kbtools_plugins.verify import module
from kbtools_plugins.verify.bounds import OutOfBounds
from kbtools_plugins.verify.replay import POISON, Machine, load_kernels, replay
from kbtools_plugins.verify.trace import Step, read
from kbtools_plugins.verify.values import decode, decode_tensor
from kbtools_plugins.verify.wire import Tree

GUARD_BYTES = 4096
"""Poisoned bytes on both sides of every buffer; a kernel that changes one has written out of bounds."""
_NARROW_ENOUGH = 0.02
_FEWEST, _MOST_SECONDS = 20, 10.0


def warm_up() -> None:
    """The device is set up by the first job that uses it: a fork cannot inherit it."""


class DeviceMachine(Machine):
    """Executes one trace on the device, every buffer between two guard zones."""

    device = "cuda"

    def place(self, inputs: list[torch.Tensor]) -> None:
        """Forget the guards of an earlier run, then lay out memory."""
        self._guarded: list[tuple[torch.Tensor, int]] = []
        super().place([tensor.to(self.device) for tensor in inputs])

    def memory(self, size: int, content: bytes | None) -> torch.Tensor:
        """Poisoned device memory with the content, if any, in the middle."""
        whole = torch.full((size + 2 * GUARD_BYTES,), POISON, dtype=torch.uint8, device=self.device)
        middle = whole[GUARD_BYTES : GUARD_BYTES + size]
        if content:
            middle.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        self._guarded.append((whole, size))
        return middle

    def check_memory(self) -> None:
        """OutOfBounds if a byte around any buffer has changed."""
        for whole, size in self._guarded:
            for name, zone in (("before", whole[:GUARD_BYTES]), ("after", whole[GUARD_BYTES + size :])):
                if bool((zone != POISON).any()):
                    raise OutOfBounds(f"a kernel wrote {name} a buffer of {size} bytes")

    def launch_kernel(self, step: Step, kernel: Any, arguments: dict[str, Any]) -> None:
        """Launch with the options that the candidate gave."""
        kernel[tuple(step.grid)](**arguments, **step.options)


class TimedMachine(DeviceMachine):
    """The same without filling memory that a candidate asks for uninitialised."""

    poisons = False


@contextlib.contextmanager
def device_lock(device: int, folder: Path) -> Iterator[None]:
    """One process at a time on a device, across all runs on this machine that share the folder."""
    with (folder / f"kbtools-gpu-{device}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(job: dict[str, Tree], send: Callable[[Tree], None]) -> Tree:
    """Replay on the device, or with `job["timing"]` time the trace against the reference."""
    torch.backends.cuda.matmul.allow_tf32 = False
    with device_lock(torch.cuda.current_device(), Path(job["lock_folder"])):
        return _timing(job) if "timing" in job else replay(job, DeviceMachine)


def _timing(job: dict[str, Tree]) -> Tree:
    """Intervals in milliseconds of kernel, eager reference and compiled reference, and the roofline floor."""
    timing = job["timing"]
    machine = TimedMachine(read(job["traces"][0]), load_kernels(job["source"]), job["names"], job["allow"])
    inputs = [decode_tensor(tree) for tree in job["runs"][0]["inputs"]]
    loaded = module.load(timing["reference"], "reference")
    args, kwargs = decode(timing["init"])
    instance = module.construct(getattr(loaded, timing["entry"]), args, kwargs)
    instance = instance.cuda() if isinstance(instance, torch.nn.Module) else instance
    given = torch.utils._pytree.tree_map_only(torch.Tensor, lambda tensor: tensor.cuda(), decode(timing["arguments"]))
    compiled = torch.compile(instance)
    with torch.no_grad():
        times = interleaved({
            "kernel": (lambda: machine.place(inputs), machine.execute),
            "eager": (lambda: None, lambda: instance(*given)),
            "compiled": (lambda: None, lambda: compiled(*given)),
        })  # fmt: skip
    moved = sum(tensor.numel() * tensor.element_size() for tensor in inputs)
    return {"times": {name: list(found) for name, found in times.items()}, "floor_ms": moved / _bytes_per_millisecond()}


def interleaved(
    calls: dict[str, tuple[Callable[[], object], Callable[[], object]]],
) -> dict[str, tuple[float, float, float]]:
    """Median and interval per (preparation, call), in milliseconds, until all are narrow or the time is up.

    Before each call its inputs are laid out anew, the L2 cache is emptied and the whole device is waited for.
    """
    samples: dict[str, list[float]] = {name: [] for name in calls}
    cache = torch.empty(256 * 2**20, dtype=torch.uint8, device="cuda")
    for prepare, call in calls.values():
        prepare()
        call()
    deadline = time.monotonic() + _MOST_SECONDS
    while time.monotonic() < deadline and not all(_is_narrow(found) for found in samples.values()):
        for name, (prepare, call) in calls.items():
            prepare()
            cache.zero_()
            torch.cuda.synchronize()
            start: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            end: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            start.record()
            call()
            end.record()
            torch.cuda.synchronize()
            samples[name].append(start.elapsed_time(end))
    return {name: interval(found) for name, found in samples.items()}


def interval(samples: list[float]) -> tuple[float, float, float]:
    """Median with the order statistics that hold it with 95 % confidence."""
    ordered = sorted(samples)
    count = len(ordered)
    reach = int(0.98 * count**0.5) + 1  # half-width in ranks: 1.96 * sqrt(n) / 2
    low, high = max(0, count // 2 - reach), min(count - 1, count // 2 + reach)
    return statistics.median(ordered), ordered[low], ordered[high]


def _is_narrow(samples: list[float]) -> bool:
    if len(samples) < _FEWEST:
        return False
    middle, low, high = interval(samples)
    return high - low <= _NARROW_ENOUGH * middle


def _bytes_per_millisecond() -> float:
    """An upper bound of the device's memory speed: its bus at double data rate."""
    properties = torch.cuda.get_device_properties(0)
    clock, width = getattr(properties, "memory_clock_rate", 0), getattr(properties, "memory_bus_width", 0)
    return 2.0 * clock * width / 8 if clock and width else 10e9
