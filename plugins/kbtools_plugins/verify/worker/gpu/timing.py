"""Times on the device: a trace against its reference, eager and compiled, in a process without the candidate's Python.

Each repetition starts from fresh inputs, poisoned memory and an empty L2 cache, after the whole device has been waited
for. The device is kept busy while the host queues the work, so that a time is the device's own: neither the trace's
interpretation nor Python's part of the reference is in it. What the last repetition computed is returned and compared.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map_only

from kbtools_plugins.verify.protocol.replaying import ReplayJob, Timing, TimingReply
from kbtools_plugins.verify.worker import loading
from kbtools_plugins.verify.worker.gpu.machine import DeviceMachine
from kbtools_plugins.verify.worker.replay.job import load_kernels
from kbtools_plugins.verify.worker.tensors import copy_values, decode, decode_tensor

_NARROW_ENOUGH = 0.02
_FEWEST, _MOST_SECONDS = 20, 10.0
_LEAST_FLUSHED = 256 * 2**20
_UNKNOWN_SPEED = 20e9
"""Bytes per millisecond where torch does not tell the memory's clock: faster than any device there is."""
_MOST_LEAD = 50.0
_SLEEP_CYCLES = 10_000_000

Interval = tuple[float, float, float]
"""Median, low and high end, in milliseconds."""
Call = Callable[[], object]


@dataclass(frozen=True)
class Timed:
    """What is timed, and what is done before it each time."""

    prepare: Call
    call: Call


class TimedMachine(DeviceMachine):
    """Memory that operators make stays where they made it: moving it between guards would be timed too."""

    def adopt(self, memory: torch.Tensor) -> torch.Tensor:
        """The memory itself."""
        return memory


class DeviceClock:
    """Milliseconds that the device takes for a call."""

    def __init__(self) -> None:
        properties = torch.cuda.get_device_properties(0)
        self._flushed = torch.empty(flushed_bytes(properties), dtype=torch.uint8, device="cuda")
        self._lead = 0.5
        self._between_events(lambda: _keep_busy(1000))
        self._cycles_per_ms = _SLEEP_CYCLES / self._between_events(lambda: _keep_busy(_SLEEP_CYCLES))[0]

    def __call__(self, call: Call) -> float | None:
        """None if the host was not done queueing when the device began: next time it gets a longer lead."""
        self._flushed.zero_()
        torch.cuda.synchronize()
        _keep_busy(int(self._lead * self._cycles_per_ms))
        taken, queueing = self._between_events(call)
        if queueing > self._lead and self._lead < _MOST_LEAD:
            self._lead = min(2 * queueing, _MOST_LEAD)
            return None
        return taken

    def _between_events(self, call: Call) -> tuple[float, float]:
        """What the device takes for a call, and what the host takes to queue it."""
        start: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        end: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        began = time.perf_counter()
        start.record()
        call()
        end.record()
        queueing = 1e3 * (time.perf_counter() - began)
        torch.cuda.synchronize()
        return start.elapsed_time(end), queueing


def _keep_busy(cycles: int) -> None:
    torch.cuda._sleep(cycles)  # type: ignore[no-untyped-call]


def flushed_bytes(properties: Any) -> int:
    """What is written to have nothing of a call's data left in the L2 cache: several times its size."""
    return max(_LEAST_FLUSHED, 4 * int(getattr(properties, "L2_cache_size", 0)))


def bytes_per_millisecond(properties: Any) -> float:
    """An upper bound of the device's memory speed: its bus at double data rate (the clock is in kHz)."""
    clock, width = getattr(properties, "memory_clock_rate", 0), getattr(properties, "memory_bus_width", 0)
    return 2.0 * clock * width / 8 if clock and width else _UNKNOWN_SPEED


class TimedTrace:
    """A candidate's trace on its inputs, run once: all that Triton makes of it on first use is there."""

    def __init__(self, job: ReplayJob) -> None:
        self._job = job
        self._inputs = [decode_tensor(tensor) for tensor in job.runs[0].inputs]
        self.machine = TimedMachine(job.traces[0], load_kernels(job.source), job.names, job.allow, job.state)
        self.prepare()
        self.machine.execute()

    def prepare(self) -> None:
        """Fresh inputs and memory."""
        self.machine.forget(self._job.runs[0].shift, 0)
        self.machine.place(self._inputs, self._job.state)


class TimedCalls:
    """What is timed, compiled and tried: the trace, and its reference, eager and compiled."""

    def __init__(self, trace: TimedTrace, timing: Timing) -> None:
        self._trace = trace
        self._needed_bytes = timing.needed_bytes
        reference = _Reference(timing)
        self._calls = {
            "kernel": Timed(trace.prepare, trace.machine.execute),
            "eager": Timed(reference.fresh, lambda: reference.call(reference.instance)),
        }
        self._not_compiled = ""
        with torch.no_grad():
            try:
                compiled = torch.compile(reference.instance)
                reference.call(compiled)
                self._calls["compiled"] = Timed(reference.fresh, lambda: reference.call(compiled))
            except Exception as error:  # noqa: BLE001 - not every reference is one that the compiler takes
                self._not_compiled = f"{type(error).__name__}: {error}"[:300]

    def measured(self) -> TimingReply:
        """Intervals, the roofline floor, and what the kernels computed last."""
        with torch.no_grad():
            times = interleaved(self._calls, DeviceClock(), _MOST_SECONDS)
        return TimingReply(
            times={name: list(found) for name, found in times.items()},
            floor_ms=self._needed_bytes / bytes_per_millisecond(torch.cuda.get_device_properties(0)),
            not_compiled=self._not_compiled,
            last=self._trace.machine.results(),
        )


class _Reference:
    """The reference on the device, in the state and the mode of the comparison."""

    def __init__(self, timing: Timing) -> None:
        loaded = loading.load(timing.reference, "reference")
        args, kwargs = decode(timing.init)
        self.instance: Any = loading.construct(getattr(loaded, timing.entry), args, kwargs)
        if isinstance(self.instance, torch.nn.Module):
            self.instance.load_state_dict({name: decode_tensor(sent) for name, sent in timing.state.items()})
            loading.set_mode(self.instance.cuda(), timing.mode)
        self._first = tree_map_only(torch.Tensor, lambda tensor: tensor.cuda(), decode(timing.arguments))
        self._given = tree_map_only(torch.Tensor, torch.clone, self._first)

    def fresh(self) -> None:
        """Inputs as they were: a reference may change them."""
        for first, given in zip(tree_flatten(self._first)[0], tree_flatten(self._given)[0], strict=True):
            if isinstance(first, torch.Tensor):
                copy_values(first, given)

    def call(self, instance: Any) -> object:
        """One forward."""
        with torch.device("cuda"):
            return instance(*self._given)


def interleaved(
    calls: Mapping[str, Timed], clock: Callable[[Call], float | None], seconds: float
) -> dict[str, Interval]:
    """Median and interval of each call, all in turn, until every interval is narrow or the time is up."""
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for timed in calls.values():
        timed.prepare()
        timed.call()
    deadline = time.monotonic() + seconds
    while not all(is_narrow(found) for found in samples.values()):
        if time.monotonic() > deadline and all(samples.values()):
            break
        for name, timed in calls.items():
            timed.prepare()
            if (taken := clock(timed.call)) is not None:
                samples[name].append(taken)
    return {name: interval(found) for name, found in samples.items()}


def interval(samples: list[float]) -> Interval:
    """Median with the order statistics that hold it with 95 % confidence."""
    ordered = sorted(samples)
    count = len(ordered)
    reach = int(0.98 * count**0.5) + 1  # half-width in ranks: 1.96 * sqrt(n) / 2
    low, high = max(0, count // 2 - reach), min(count - 1, count // 2 + reach)
    return statistics.median(ordered), ordered[low], ordered[high]


def is_narrow(samples: list[float]) -> bool:
    """Whether there are enough samples to know the median to 2 %."""
    if len(samples) < _FEWEST:
        return False
    middle, low, high = interval(samples)
    return high - low <= _NARROW_ENOUGH * middle
