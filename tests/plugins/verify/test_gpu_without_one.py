"""The GPU replay as far as it goes without a GPU: its guards, its lock, its statistics; launches need a device."""

from __future__ import annotations

import threading
from pathlib import Path
from types import ModuleType

import pytest
import torch

from kbtools.errors import ConfigError
from kbtools_plugins.verify import VerifySettings, gpu
from kbtools_plugins.verify.bounds import OutOfBounds
from kbtools_plugins.verify.settings import on_gpu
from kbtools_plugins.verify.trace import read


class OnCpu(gpu.DeviceMachine):
    """Guard zones in ordinary memory."""

    device = "cpu"


def _machine() -> OnCpu:
    ref = {"storage": 0, "dtype": "float32", "offset": 0, "shape": [4], "stride": [1]}
    step = {"operator": "aten.clone.default", "args": {"tuple": [{"ref": ref}]}, "kwargs": {"dict": []},
            "results": [ref | {"storage": 1}], "line": 1, "tainted": True}  # fmt: skip
    storages = [{"size": 16, "origin": "input", "index": 0}, {"size": 16, "origin": "fresh"}]
    trace = read({"storages": storages, "steps": [step], "reads": [], "outputs": {"ref": ref | {"storage": 1}}})
    return OnCpu(trace, ModuleType("kernels"), {}, [])


def test_trace_runs_between_guards() -> None:
    """An operator's result is right and no guard is touched."""
    values = torch.arange(4.0)
    result = _machine().run([values], "forward")
    assert result["outputs"]["tensor"] == values.numpy().tobytes()


def test_broken_guard_is_out_of_bounds() -> None:
    """One byte past a buffer is enough."""
    machine = _machine()
    machine.place([torch.arange(4.0)])
    whole, size = machine._guarded[0]
    whole[gpu.GUARD_BYTES + size] = 0
    with pytest.raises(OutOfBounds, match="after a buffer of 16 bytes"):
        machine.check_memory()


def test_interval_holds_the_median() -> None:
    """Order statistics around the middle, narrower with more samples."""
    few, many = gpu.interval([float(n % 10) for n in range(20)]), gpu.interval([float(n % 10) for n in range(2000)])
    assert few[1] <= few[0] <= few[2]
    assert many[2] - many[1] <= few[2] - few[1]


def test_device_is_used_by_one_at_a_time(tmp_path: Path) -> None:
    """A second holder waits for the first."""
    order: list[str] = []

    def second() -> None:
        with gpu.device_lock(0, tmp_path):
            order.append("second")

    with gpu.device_lock(0, tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU")
def test_missing_gpu_is_said() -> None:
    """--tier gpu without one is an error of configuration, auto falls back."""
    assert not on_gpu(VerifySettings())
    with pytest.raises(ConfigError, match="no NVIDIA device"):
        on_gpu(VerifySettings(tier="gpu"))
