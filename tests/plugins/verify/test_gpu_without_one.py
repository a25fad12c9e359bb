"""The GPU tier as far as it goes without a GPU: guards, lock, taking turns, statistics, decisions."""

from __future__ import annotations

import importlib
import random
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from test_verify_pair import CANDIDATE, REFERENCE

from kbtools.errors import ConfigError
from kbtools_plugins.verify import Verification, VerifySettings, devices, verify
from kbtools_plugins.verify.host.child import Child, Outcome
from kbtools_plugins.verify.host.processes import WarmPair, warm_pairs
from kbtools_plugins.verify.protocol import wire
from kbtools_plugins.verify.protocol.compiling import COMPILE, CompileJob, Launch
from kbtools_plugins.verify.protocol.message import ProcessMessage
from kbtools_plugins.verify.protocol.replaying import (
    GPU,
    PTX,
    TIMING,
    ReplayJob,
    ReplayReply,
    ReplayRun,
    TimingReply,
)
from kbtools_plugins.verify.protocol.roles import Assignment, Role
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.settings import on_gpu
from kbtools_plugins.verify.worker.gpu import machine as device_machine
from kbtools_plugins.verify.worker.gpu import timing
from kbtools_plugins.verify.worker.reference.inputs import needed_bytes
from kbtools_plugins.verify.worker.replay.faults import OutsideBuffers

DEVICE = devices.Device(name="NVIDIA Imagined", capability=86, identity="GPU-0/1")
RUN = ReplayRun(trace=0, inputs=[], order="forward", shift=0, turn=0, optional=False)
no_device = pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU")


class OnCpu(device_machine.DeviceMachine):
    """Guard zones in ordinary memory."""

    device = "cpu"


def _machine(operator: str = "aten.clone.default") -> OnCpu:
    ref = {"storage": 0, "dtype": "float32", "offset": 0, "shape": [4], "stride": [1]}
    args = [{"ref": ref}]
    step = {"operator": operator, "args": {"tuple": args}, "kwargs": {"dict": []}, "results": [ref | {"storage": 1}],
            "line": 1, "tainted": True}  # fmt: skip
    storages = [{"size": 16, "origin": "input", "index": 0}, {"size": 16, "origin": "fresh"}]
    trace = Trace.read({"storages": storages, "steps": [step], "reads": [], "outputs": {"ref": ref | {"storage": 1}}})
    return OnCpu(trace, ModuleType("kernels"), {}, [], {})


def test_trace_runs_between_guards() -> None:
    """An operator's result is right and no guard is touched."""
    values = torch.arange(4.0)
    result = _machine().run([values], RUN)
    assert result.outputs["tensor"] == values.numpy().tobytes()


def test_memory_that_was_asked_for_is_poisoned() -> None:
    """What a candidate allocates holds NaN, a large number, a small one or zeros until a kernel writes it."""
    turns = [RUN.model_copy(update={"turn": turn}) for turn in range(4)]
    held = {_machine("aten.empty_like.default").run([torch.arange(4.0)], turn).outputs["tensor"] for turn in turns}
    assert held == {bytes([pattern]) * 16 for pattern in (0xFF, 0x7B, 0xFB, 0x00)}


@pytest.mark.parametrize("operator", ["aten.clone.default", "aten.empty_like.default"])
@pytest.mark.parametrize("buffer", [0, 1])
def test_broken_guard_is_out_of_bounds(operator: str, buffer: int) -> None:
    """One byte past an input, past memory that was asked for, or past an operator's result is enough."""
    machine = _machine(operator)
    machine.forget(0, 0)
    machine.place([torch.arange(4.0)], {})
    machine.execute()
    whole, size = machine._guarded[buffer]
    whole[device_machine.GUARD_BYTES + size] = 0
    with pytest.raises(OutsideBuffers, match="after a buffer of 16 bytes"):
        machine.check_memory()


def test_interval_holds_the_median_as_often_as_it_says() -> None:
    """Of 400 samples of a skewed distribution at least 93 % of the intervals hold its median."""
    chance = random.Random(5)
    held = 0
    for _ in range(400):
        _, low, high = timing.interval([chance.expovariate(1.0) for _ in range(40)])
        held += low <= 0.6931 <= high
    assert held >= 372


def test_interval_narrows() -> None:
    """More samples, less between the ends."""
    few = timing.interval([float(n % 10) for n in range(20)])
    many = timing.interval([float(n % 10) for n in range(2000)])
    assert few[1] <= few[0] <= few[2]
    assert many[2] - many[1] <= few[2] - few[1]


def test_calls_are_timed_in_turn_until_all_are_known() -> None:
    """Each call is prepared each time; one that takes thrice as long is found to."""
    log: list[str] = []
    clock = {"one": 1.0, "three": 3.0}
    calls = {name: timing.Timed(lambda name=name: log.append(name), lambda name=name: name) for name in clock}
    times = timing.interleaved(calls, lambda call: clock[str(call())], 10.0)
    assert times == {"one": (1.0, 1.0, 1.0), "three": (3.0, 3.0, 3.0)}
    assert log[:6] == ["one", "three"] * 3
    assert log.count("one") == timing._FEWEST + 1


def test_sample_that_the_host_spoilt_is_taken_again() -> None:
    """A clock that says None has not measured."""
    said = iter([None, None, *[2.0] * 100])
    times = timing.interleaved({"call": timing.Timed(lambda: None, lambda: None)}, lambda call: next(said), 10.0)
    assert times == {"call": (2.0, 2.0, 2.0)}


def test_time_limit_ends_a_measurement_that_stays_wide() -> None:
    """What is known by then is the result."""
    chance = random.Random(1)
    calls = {"call": timing.Timed(lambda: None, lambda: None)}
    started = time.monotonic()
    _, low, high = timing.interleaved(calls, lambda call: chance.uniform(1, 9), 0.2)["call"]
    assert low < high
    assert time.monotonic() - started < 5


def test_flush_is_several_times_the_cache() -> None:
    """A cache of 126 MB takes half a gigabyte."""
    assert timing.flushed_bytes(SimpleNamespace(L2_cache_size=50 * 2**20)) == 2**28
    assert timing.flushed_bytes(SimpleNamespace(L2_cache_size=126 * 2**20)) == 4 * 126 * 2**20
    assert timing.flushed_bytes(SimpleNamespace()) == 2**28


def test_roofline_is_the_memory_bus() -> None:
    """An H100's 2,619 MHz and 5,120 bits are 3.35 TB/s."""
    hopper = SimpleNamespace(memory_clock_rate=2_619_000, memory_bus_width=5_120)
    assert timing.bytes_per_millisecond(hopper) == pytest.approx(3.352e9, rel=1e-3)
    assert timing.bytes_per_millisecond(SimpleNamespace()) > 10e9


def test_floor_counts_what_the_result_depends_on() -> None:
    """All of an input that is summed, none of one that is ignored, little of one whose first column is taken."""
    x, ignored = torch.randn(64, 64), torch.randn(1000)
    assert needed_bytes((x, ignored), lambda given: given[0].sum(1), 0) == 4 * 64 * 64
    assert needed_bytes((x, ignored), lambda given: given[0][:, 0], 0) < 4 * 64 * 64 / 4


class Holders:
    """Who holds the device, in the order in which they got it."""

    def __init__(self, folder: Path) -> None:
        self.order: list[str] = []
        self.release = threading.Event()
        self._folder = folder
        self._threads: list[threading.Thread] = []

    def begin(self, name: str, *, alone: bool) -> None:
        """Another one, who has had time to get the device if it was to be had."""
        self._threads.append(threading.Thread(target=self._hold, args=(name, alone)))
        self._threads[-1].start()
        time.sleep(0.2)

    def end(self) -> None:
        self.release.set()
        for thread in self._threads:
            thread.join()

    def _hold(self, name: str, alone: bool) -> None:
        with devices.lock(DEVICE, self._folder, alone=alone):
            self.order.append(name)
            self.release.wait()


def test_those_who_replay_share_the_device(tmp_path: Path) -> None:
    """None waits for another."""
    holders = Holders(tmp_path)
    holders.begin("one", alone=False)
    holders.begin("two", alone=False)
    assert holders.order == ["one", "two"]
    holders.end()


def test_who_times_is_alone_and_comes_before_those_who_ask_later(tmp_path: Path) -> None:
    """It waits for those who are there, others wait for it."""
    holders = Holders(tmp_path)
    holders.begin("replays", alone=False)
    holders.begin("times", alone=True)
    holders.begin("later", alone=False)
    assert holders.order == ["replays"]
    holders.end()
    assert holders.order == ["replays", "times", "later"]


def test_waiting_for_the_device_is_no_time_of_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that asks for the device gets its seconds when it has it, and holds it until its stack is closed."""
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    ours, theirs = socket.socketpair()

    def job() -> None:
        talk = wire.Talk(theirs, theirs.recv(32, socket.MSG_WAITALL))
        talk.receive()
        talk.send({"alone": False})
        assert talk.receive() == {"go": True}
        talk.send({"results": []})

    thread = threading.Thread(target=job)
    thread.start()
    with devices.lock(DEVICE, alone=True):
        held = threading.Event()
        release = threading.Timer(1.5, held.set)
        release.start()
        job_for_it = Assignment(role="gpu", timeout=0.3, memory_gb=1.0, job={})
        child = Child(0, tmp_path, ours)
        child.begin()
        waiting = threading.Thread(target=lambda: found.append(child.do(GPU, job_for_it, turn, DEVICE)))
        found: list[Outcome] = []
        turn = ExitStack()
        waiting.start()
        held.wait()
        assert found == []
    waiting.join()
    thread.join()
    assert found == [Outcome(ReplayReply(results=[]))]
    turn.close()
    ours.close()
    theirs.close()


class Imagined(WarmPair):
    """A device whose kernels run on the PTX machine and whose times are given."""

    def __init__(self, times: dict[str, list[float]], last: bytes | None = None) -> None:
        super().__init__()
        self.times, self.last = times, last
        self.jobs: list[ProcessMessage] = []

    def run(
        self,
        role: Role,
        job: ProcessMessage,
        settings: VerifySettings,
        seconds: float | None = None,
        addresses_gb: float = 0,
    ) -> Outcome:
        """The job elsewhere."""
        self.jobs.append(job)
        if role.name != "gpu":
            return super().run(role, job, settings, seconds, addresses_gb)
        assert isinstance(job, ReplayJob)
        outcome = super().run(PTX, job, settings, seconds)
        if role is not TIMING:
            return outcome
        (last,) = outcome.known().results
        if self.last:
            size = len(last.outputs["tensor"]) // len(self.last)
            last = last.model_copy(update={"outputs": last.outputs | {"tensor": self.last * size}})
        assert job.timing is not None
        floor = job.timing.needed_bytes / 1e6
        return Outcome(TimingReply(times=dict(self.times), floor_ms=floor, not_compiled="", last=last))


def _timed(
    monkeypatch: pytest.MonkeyPatch, times: dict[str, list[float]], last: bytes | None = None
) -> tuple[Verification, Imagined]:
    monkeypatch.setattr(devices, "found", lambda: ((DEVICE,), ""))
    with Imagined(times, last) as pair:
        return verify(REFERENCE, CANDIDATE, settings=VerifySettings(time=True), processes=pair), pair


def test_speedup_is_against_the_faster_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eager takes 4 ms, compiled 3, the kernel 2; the device's own target is compiled ahead."""
    times = {"kernel": [2.0, 1.9, 2.1], "eager": [4.0, 3.9, 4.1], "compiled": [3.0, 2.9, 3.1]}
    verdict, pair = _timed(monkeypatch, times)
    assert (verdict.verdict, verdict.tier, verdict.speedup, verdict.reward) == ("pass", "gpu", 1.5, 1.5)
    assert verdict.ref_ms == (3.0, 2.9, 3.1)
    assert {found.target for found in verdict.resources} == {80, 86, 90}
    assert verdict.fingerprint["device"] == "NVIDIA Imagined (sm_86)"
    assert pair.jobs[-1].timing.mode == "train"


_FOR_NEWER_DEVICES = """
import triton
import triton.language as tl
from triton.language.target_info import cuda_capability_geq

@triton.jit
def kernel(x, SIZE: tl.constexpr):
    tl.static_assert(cuda_capability_geq(9, 0))
    tl.store(x + tl.arange(0, SIZE), 1.0)
"""


@pytest.mark.parametrize(("present", "error"), [([90], ""), ([], "for sm_80")])
def test_a_kernel_for_newer_devices_alone_needs_one(processes: WarmPair, present: list[int], error: str) -> None:
    """Where such a device runs it, what the PTX machine would see of it is not looked for."""
    bound = {"x": {"ref": {"dtype": "float32", "offset": 0, "shape": [1]}}, "SIZE": 32}
    launch = Launch(kernel="kernel", clean_name="kernel", bound=bound, options={}, targets=[90], tuned=False)
    job = CompileJob(source=_FOR_NEWER_DEVICES, launches=[launch], runs=True, devices=present)
    reply = processes.run(COMPILE, job, VerifySettings()).known()
    assert (error in reply.error, bool(reply.error)) == (True, bool(error))
    assert not any(reply.programs)


def test_time_below_the_floor_is_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six rows of fifty floats cannot be read in less than the floor."""
    verdict, _ = _timed(monkeypatch, {"kernel": [1e-6, 1e-6, 1e-6], "eager": [4.0, 3.9, 4.1]})
    assert verdict.verdict == "hack:impossible_speed"


@pytest.mark.slow
def test_wrong_output_while_timed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that skip their work when nobody seems to look leave poison behind."""
    verdict, _ = _timed(monkeypatch, {"kernel": [2.0, 1.9, 2.1], "eager": [4.0, 3.9, 4.1]}, b"\xff\xff\xff\xff")
    assert verdict.verdict == "hack:timing_detection"


@no_device
def test_missing_gpu_is_said() -> None:
    """--tier gpu without one is an error of configuration, auto falls back."""
    assert not on_gpu(VerifySettings())
    with pytest.raises(ConfigError, match="no NVIDIA device"):
        on_gpu(VerifySettings(tier="gpu"))
    for tier in ("auto", "cpu"):
        with pytest.raises(ConfigError, match="--time needs a GPU"):
            on_gpu(VerifySettings(tier=tier, time=True))


@pytest.mark.slow
@no_device
def test_benchmark_says_what_it_needs_and_does_what_needs_nothing() -> None:
    """The command for GPU machines ends with status 3 here, after the vectors have run on the PTX machine."""
    script = Path(__file__).parents[3] / "benchmarks" / "verify_gpu.py"
    some = "mma .*16 near|^(add|ex2|cvt.rn).*f32$|case (add|softmax)"
    run = subprocess.run([sys.executable, script, "--vectors", some], capture_output=True, text=True, check=False)
    assert run.returncode == 3
    assert "no NVIDIA device" in run.stderr
    assert re.match(r"no device: [1-9]\d* vectors ran on the PTX machine alone, [1-9]\d+ candidates", run.stdout)


@pytest.mark.slow
def test_golden_vectors_are_compared_with_what_another_machine_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here with the same machine, one result of each moved by one unit: the device's part is all that is left out."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "benchmarks"))
    vectors = importlib.import_module("gpu_vectors")

    def moved(prepared):
        vectors.on_machine(prepared)
        vectors.buffers(prepared.arguments)[0].data[0] ^= 1

    names = ["add.rn.f32", "rem.u32", "cvt.rn.satfinite.e4m3x2.f32", "case add_float32"]
    rows = [vectors.compared(name, moved) for name in names]
    assert [(row.differ, row.error) for row in rows] == [(1, "")] * len(names)
    assert rows[0].most_steps == rows[1].most_steps == 1


def test_workers_on_one_device_are_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process sees of devices is settled when it starts, so each device has one that the others there copy."""
    monkeypatch.setattr(devices, "found", lambda: ((DEVICE, DEVICE), ""))
    pairs = warm_pairs(5)
    for pair in pairs:
        pair.close()
    assert [pair._like for pair in pairs] == [None, None, pairs[0], pairs[1], pairs[0]]


def test_visible_devices_are_counted_in_torchs_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of those that the user lets be seen."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert devices.visible(1) == "5"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert devices.visible(1) == "1"
