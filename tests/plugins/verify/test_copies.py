"""Further workers' processes are copies of the first's: what was imported is not imported again."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from kbtools_plugins.verify import VerifySettings
from kbtools_plugins.verify.host.processes import WarmPair
from kbtools_plugins.verify.host.warm import COMMON
from kbtools_plugins.verify.protocol.reading import READ, ReadJob

TEXT = "import torch\nclass Model(torch.nn.Module):\n    def forward(self, x):\n        return x\n"
READING = ReadJob(reference=TEXT, candidate=TEXT, entry_point=None)
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux")


def _reads(processes: WarmPair) -> bool:
    return processes.run(READ, READING, VerifySettings()).known().name == "Model"


def _folder(pid: int) -> Path:
    return Path(f"/proc/{pid}/cwd").readlink()


def _copied(processes: WarmPair) -> int:
    process = processes._warm[COMMON]._process
    return process._pid if hasattr(process, "_pid") else 0


def test_a_copy_works_in_its_own_folder_and_ends_with_its_pair(processes: WarmPair) -> None:
    """The first one goes on, with and without it."""
    with WarmPair(1, like=processes) as other:
        assert _reads(other)
        pid = _copied(other)
        assert _folder(pid) == other._scratch
        assert _reads(processes)
    assert _ends(pid)
    assert not other._scratch.exists()
    assert _reads(processes)


def test_a_copy_outlives_the_process_that_it_is_of() -> None:
    """Who has lost a process starts one of its own, and the other worker notices nothing."""
    with WarmPair() as first, WarmPair(1, like=first) as second:
        assert _reads(first)
        assert _reads(second)
        os.kill(first._warm[COMMON]._process._process.pid, signal.SIGKILL)
        assert _reads(second)
        assert _copied(second)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_copy_of_a_process_that_is_gone_is_one_that_starts_itself(when: str) -> None:
    """A worker does not depend on another one."""
    with WarmPair() as first, WarmPair(1, like=first) as second:
        first.wait_until_ready()
        if when == "after":
            assert _reads(second)
            os.kill(_copied(second), signal.SIGKILL)
            with pytest.raises(Exception, match="died"):
                _reads(second)
        os.kill(first._warm[COMMON]._process._process.pid, signal.SIGKILL)
        assert _reads(second)
        assert not _copied(second)


def test_a_process_that_is_given_up_while_it_starts_is_not_copied() -> None:
    """As when a worker has found its own dead and closes it, while another waits to copy it."""
    with WarmPair() as first, WarmPair(1, like=first) as second:
        first._warm[COMMON].close()
        assert _reads(second)
        assert not _copied(second)


def test_copies_end_when_their_caller_is_killed() -> None:
    """Nothing is left that nobody owns."""
    with WarmPair() as first:
        first.wait_until_ready()
        second = WarmPair(1, like=first)
        assert _reads(second)
        pid = _copied(second)
        second._warm[COMMON]._control.close()  # as the system closes it for a process that ends
        assert _ends(pid)
        assert not second._scratch.exists()


def _ends(pid: int) -> bool:
    """Whether a process is gone within a minute, or a zombie: its parent asks for it late."""
    for _ in range(600):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False
