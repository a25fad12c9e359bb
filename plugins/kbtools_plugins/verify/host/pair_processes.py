"""The processes that check one pair, with one budget of processor time and one deadline for all of its jobs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Lock

from kbtools_plugins.verify.host.child import Outcome
from kbtools_plugins.verify.host.processes import WarmPair
from kbtools_plugins.verify.protocol.roles import J, R, Role
from kbtools_plugins.verify.settings import VerifySettings

_TIMEOUTS_PER_PAIR = 12
"""So many times --timeout for a pair: about so many jobs there are."""


class DeadlinePassed(Exception):
    """Nobody waits for the verdict any more: nothing is known of the candidate."""


@dataclass
class Deadline:
    """Until when a verdict is wanted, on the clock of `time.monotonic`; who asks the same later may put it off."""

    at: float = math.inf

    @property
    def left(self) -> float:
        """Seconds; 0 or less when it has passed."""
        return self.at - time.monotonic()

    def require(self) -> None:
        """DeadlinePassed if it has."""
        if self.left <= 0:
            raise DeadlinePassed("the verdict was not there by the deadline of the question")


class PairProcesses:
    """Runs jobs of one pair; what one has used is not there for the next, and none is begun after the deadline."""

    def __init__(self, processes: WarmPair, settings: VerifySettings, deadline: Deadline) -> None:
        self._processes = processes
        processes.begin_pair()
        self._deadline = deadline
        self._settings = settings
        self._left = settings.timeout * _TIMEOUTS_PER_PAIR
        self._counting = Lock()
        self._beside: ThreadPoolExecutor | None = None
        self.used = 0.0
        """Seconds of processor time so far."""

    def run(self, role: Role[J, R], job: J, seconds: float | None = None, addresses_gb: float = 0) -> Outcome[R]:
        """Run a job for so many `seconds` of processor time, --timeout unless given, at most what is left.

        It may map `addresses_gb` more than it has memory.
        """
        self._deadline.require()
        wanted = min(seconds or self._settings.timeout, self._left)
        if wanted <= 0:
            return Outcome(failed="timeout", error="the processor time for the whole pair was used up")
        outcome = self._processes.run(role, job, self._settings, wanted, addresses_gb)
        with self._counting:
            self._left -= max(outcome.seconds, 0.001)
            self.used += outcome.seconds
        return outcome

    def ahead(self, role: Role[J, R], job: J, seconds: float | None = None) -> Callable[[], Outcome[R]]:
        """A function that waits for a job's outcome; without a spare core the job begins only then."""
        if not self._processes.spare_core:
            return partial(self.run, role, job, seconds)
        self._beside = self._beside or ThreadPoolExecutor(1)
        return self._beside.submit(self.run, role, job, seconds).result

    def close(self) -> None:
        """The pair is done; a job that was begun ahead and is not wanted any more is ended."""
        if self._beside:
            self._processes.stop()
            self._beside.shutdown(cancel_futures=True)
        self.used += self._processes.end_pair()
