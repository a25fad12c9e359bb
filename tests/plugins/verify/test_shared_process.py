"""Jobs of one pair that run no foreign code share a process, which ends with the pair."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from kbtools_plugins.verify import VerifySettings
from kbtools_plugins.verify.host.pair_processes import Deadline, PairProcesses
from kbtools_plugins.verify.host.processes import WarmPair
from kbtools_plugins.verify.host.warm import COMMON
from kbtools_plugins.verify.protocol.compiling import COMPILE, CompileJob, Launch
from kbtools_plugins.verify.protocol.computation import OPERATORS, OperatorsJob
from kbtools_plugins.verify.protocol.reading import KERNELS, READ, KernelsJob, ReadJob

TEXT = "import torch\nclass Model(torch.nn.Module):\n    def forward(self, x):\n        return x\n"
KERNEL = """
import triton
import triton.language as tl


@triton.jit
def copied(x, size: tl.constexpr):
    at = tl.arange(0, size)
    tl.store(x + size + at, tl.load(x + at))
"""
READING = ReadJob(reference=TEXT, candidate=TEXT, entry_point=None)
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux")


@pytest.fixture
def pair(processes: WarmPair) -> PairProcesses:
    """The processes of one pair."""
    processes.wait_until_ready()
    return PairProcesses(processes, VerifySettings(), Deadline())


def _kept(processes: WarmPair) -> list[int]:
    return [warm._kept.pid for warm in processes._warm.values() if warm._kept]


def test_reading_and_kernels_share_one_and_the_pair_ends_it(processes: WarmPair, pair: PairProcesses) -> None:
    """Processor time is counted for each of them, and all of it once."""
    first = pair.run(READ, READING)
    (pid,) = _kept(processes)
    second = pair.run(KERNELS, KernelsJob(code=TEXT, bindings=[]))
    assert (first.failed, second.failed, _kept(processes)) == ("", "", [pid])
    assert first.seconds > 0
    assert second.seconds > 0
    before = pair.used
    pair.close()
    assert before <= pair.used < before + 1
    assert not Path(f"/proc/{pid}").exists()


def test_what_has_read_a_pair_compiles_its_kernels(processes: WarmPair, pair: PairProcesses) -> None:
    """With its assembler, which nothing that runs foreign code may start."""
    pair.run(READ, READING)
    known = _kept(processes)
    names = {"x": {"ref": {"dtype": "float32", "offset": 0, "shape": [1]}}, "size": 32}
    launch = Launch(kernel="copied", clean_name="copied", bound=names, options={}, targets=[90], tuned=False)
    found = pair.run(COMPILE, CompileJob(source=KERNEL, launches=[launch])).known()
    assert (found.error, [usage.target for usage in found.resources], _kept(processes)) == ("", [90], known)
    pair.close()


def test_what_has_replied_is_dead_at_once_and_waited_for_at_the_end(processes: WarmPair, pair: PairProcesses) -> None:
    """One that runs foreign code does not go on while others work; what it takes to end is counted with the pair."""
    endless = TEXT + "def get_inputs():\n    return [torch.zeros(2)]\n"
    endless += "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
    assert pair.run(OPERATORS, OperatorsJob(code=endless, entry="Model")).known()
    (child,) = processes._warm[COMMON]._done
    assert _kept(processes) == []
    assert child.channel.fileno() == -1
    assert _state(child.pid) in ("Z", "X")
    before = pair.used
    pair.close()
    assert pair.used > before
    assert not Path(f"/proc/{child.pid}").exists()
    assert not child.folder.exists()


def _state(pid: int) -> str:
    """That of a process within a minute, once it is no more than a number."""
    for _ in range(600):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state in ("Z", "X"):
            break
        time.sleep(0.1)
    return state


def test_the_next_pair_has_another_process(processes: WarmPair, pair: PairProcesses) -> None:
    """Even if nobody has closed the one before."""
    pair.run(READ, READING)
    known = _kept(processes)
    other = PairProcesses(processes, VerifySettings(), Deadline())
    assert _kept(processes) == []
    other.run(READ, READING)
    assert _kept(processes) not in ([], known)
    other.close()


def test_a_process_outside_of_pairs_does_one_job(processes: WarmPair) -> None:
    """Who runs a single job need not close anything."""
    processes.end_pair()
    assert processes.run(READ, READING, VerifySettings()).known().name == "Model"
    assert _kept(processes) == []


def test_a_job_in_a_shared_process_has_its_own_time(processes: WarmPair, pair: PairProcesses) -> None:
    """One that stands still ends by the clock; the next one gets a new process."""
    pair.run(READ, READING)
    (pid,) = _kept(processes)
    os.kill(pid, signal.SIGSTOP)
    stopped = pair.run(READ, READING, 0.2)
    assert (stopped.failed, _kept(processes)) == ("timeout", [])
    assert pair.run(READ, READING).known().name == "Model"
    pair.close()


def test_other_jobs_leave_a_shared_process_alone(processes: WarmPair, pair: PairProcesses) -> None:
    """What a job leaves behind is killed at its end, and nothing else."""
    pair.run(READ, READING)
    (pid,) = _kept(processes)
    warm = processes._warm[COMMON]
    other = warm._fork("read")
    warm._end(other)
    assert Path(f"/proc/{pid}").exists()
    assert pair.run(READ, READING).known().name == "Model"
    assert _kept(processes) == [pid]
    pair.close()


def test_a_job_beside_another_has_its_own_process(processes: WarmPair, pair: PairProcesses) -> None:
    """One of both is kept for the next job, the other ends."""
    pair.run(READ, READING)
    (pid,) = _kept(processes)
    warm = processes._warm[COMMON]
    busy = warm._taken()
    assert busy is not None
    assert pair.run(READ, READING).known().name == "Model"
    assert _kept(processes) not in ([], [pid])
    assert not warm._keep(busy)
    warm._end(busy)
    assert not Path(f"/proc/{pid}").exists()
    pair.close()
    assert _kept(processes) == []
