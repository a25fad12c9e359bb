"""With a core to spare, jobs of one pair that need nothing of each other run at once; the verdict is the same."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from verify_suite import read

from kbtools_plugins.verify import VerifySettings, verify
from kbtools_plugins.verify.host.child import Outcome
from kbtools_plugins.verify.host.pair_processes import Deadline, PairProcesses
from kbtools_plugins.verify.host.processes import WarmPair, spare_cores
from kbtools_plugins.verify.protocol.reading import READ, ReadJob

HERE = Path(__file__).parent
JOBS = [ReadJob(reference=name, candidate=None, entry_point=None) for name in ("first", "second")]


class Imagined:
    """Processes whose jobs are a function of the test."""

    def __init__(self, job: Callable[[str], None], *, spare_core: bool) -> None:
        self.spare_core = spare_core
        self._job = job

    def run(self, role: object, job: ReadJob, *rest: object) -> Outcome[ReadJob]:
        """Do it; the reply is the question."""
        self._job(job.reference)
        return Outcome(job, seconds=1.0)

    def begin_pair(self) -> None:
        """Nothing is kept."""

    def end_pair(self) -> float:
        """Nothing was kept."""
        return 0.0

    def stop(self) -> None:
        """Nothing runs on."""


def _pair(job: Callable[[str], None], *, spare_core: bool) -> PairProcesses:
    return PairProcesses(cast(WarmPair, Imagined(job, spare_core=spare_core)), VerifySettings(), Deadline())


def test_a_job_that_was_begun_ahead_runs_beside_the_next() -> None:
    """Each waits until the other runs."""
    meeting = threading.Barrier(2)
    pair = _pair(lambda name: cast(None, meeting.wait(60)), spare_core=True)
    begun = pair.ahead(READ, JOBS[0])
    assert pair.run(READ, JOBS[1]).known().reference == "second"
    assert begun().known().reference == "first"
    pair.close()
    assert pair.used == 2.0


def test_without_a_spare_core_it_runs_when_it_is_asked_for() -> None:
    """And not at all if it is not: work that nobody wants is not done."""
    order: list[str] = []
    pair = _pair(order.append, spare_core=False)
    begun = pair.ahead(READ, JOBS[0])
    pair.ahead(READ, JOBS[0])
    pair.run(READ, JOBS[1])
    begun()
    assert order == ["second", "first"]
    pair.close()


def test_a_core_is_spare_where_each_worker_has_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cores that this process may use count."""
    monkeypatch.setattr(sys, "platform", "other")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert [spare_cores(workers) for workers in (1, 2, 3)] == [True, True, False]


@pytest.mark.slow
@pytest.mark.verify
def test_verdicts_are_the_same_and_what_nobody_wants_is_ended() -> None:
    """One that passes, and one that fails here while it hangs there."""
    passing = read(HERE / "innocent" / "two_kernels.py")
    hanging = passing.code.replace(
        "import torch\n", "import os\nimport torch\nwhile os.getuid() == 1234:\n    pass\nraise ValueError('here')\n", 1
    )
    with WarmPair(spare_core=True) as processes:
        right = verify(passing.reference, passing.code, processes=processes)
        wrong = verify(passing.reference, hanging, settings=VerifySettings(timeout=600), processes=processes)
        again = verify(passing.reference, passing.code, processes=processes)
    assert (right.verdict, again.verdict) == ("pass", "pass")
    assert (wrong.verdict, "here" in wrong.error) == ("runtime_error", True)
    assert wrong.processor_seconds < 300
