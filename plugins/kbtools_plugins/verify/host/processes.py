"""The warm processes of workers: which of them does a job, and a new one in the place of one that has died."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType

from kbtools.data.cores import usable_cores
from kbtools.errors import ConfigError
from kbtools_plugins.verify import devices
from kbtools_plugins.verify.host.child import J, Outcome, R, WorkerDied
from kbtools_plugins.verify.host.warm import COMMON, ROLES, Warm
from kbtools_plugins.verify.protocol.roles import Role
from kbtools_plugins.verify.settings import VerifySettings

_START_ATTEMPTS = 10


class WarmPair:
    """The warm processes that one worker needs: one with torch and Triton, and those of other machines.

    Workers take turns on the machine's GPUs by their `number`, where it has any. With a `spare_core`, jobs of one pair
    that need nothing of each other run at once. One that is `like` another on its GPU has copies of its processes.
    """

    def __init__(self, number: int = 0, *, spare_core: bool = False, like: WarmPair | None = None) -> None:
        self._number = number
        self._like = like
        self.spare_core = spare_core
        self._scratch = Path(tempfile.mkdtemp(prefix="kbtools-verify-"))
        for name in ("triton", "inductor"):
            (self._scratch / name).mkdir()
        self._keeps = False
        self._warm: dict[str, Warm] = {}
        if self._like is None:
            self._warm = {COMMON: self._started(COMMON)}

    def run(
        self,
        role: Role[J, R],
        job: J,
        settings: VerifySettings,
        seconds: float | None = None,
        addresses_gb: float = 0,
    ) -> Outcome[R]:
        """Run a job in the process that knows its role; WorkerDied if it was killed, and a new one is started.

        `seconds` of processor time are --timeout unless given; `addresses_gb` are mapped, but never touched.
        """
        kind = next(kind for kind, roles in ROLES.items() if role.name in roles)
        self._start(kind)
        warm = self._warm[kind]
        try:
            limit = seconds or settings.timeout
            return warm.run(role, job, settings, limit, addresses_gb, keep=self._keeps)
        except WorkerDied:
            if warm is self._warm[kind]:  # another job of the pair may have found it out
                self._replace(kind)
            raise

    def stop(self) -> None:
        """What jobs run beside this one's caller would say is not wanted any more."""
        for warm in self._warm.values():
            warm.stop()

    def begin_pair(self) -> None:
        """Jobs that run no foreign code share a fork from now on, until the pair is done."""
        self.end_pair()
        self._keeps = True

    def end_pair(self) -> float:
        """End what was forked for a pair; seconds of its processor time that were not counted yet."""
        self._keeps, seconds = False, 0.0
        for warm in self._warm.values():
            with suppress(WorkerDied):  # who needs it next finds out, and starts another one
                seconds += warm.end_pair()
        return seconds

    def _start(self, kind: str) -> None:
        """Wait for a warm process; one that is killed before it had any job says nothing about a candidate."""
        for _ in range(_START_ATTEMPTS):
            try:
                if kind not in self._warm:
                    self._warm[kind] = self._copied(kind) or self._started(kind)
                return self._warm[kind].wait_until_ready()
            except WorkerDied:
                self._replace(kind)
        raise ConfigError(f"The process that runs kernels was killed {_START_ATTEMPTS} times while it started.")

    def _started(self, kind: str) -> Warm:
        return Warm(kind, self._scratch, self._number)

    def _copied(self, kind: str) -> Warm | None:
        """A copy of the other pair's process; none of one that is not there or has died."""
        template = self._like._warm.get(kind) if self._like else None
        try:
            return Warm(kind, self._scratch, self._number, template) if template else None
        except WorkerDied:
            return None

    def _replace(self, kind: str) -> None:
        self._warm[kind].close()
        self._warm[kind] = self._started(kind)

    def wait_until_ready(self) -> None:
        """Block until jobs can be taken."""
        for kind in {COMMON, *self._warm}:
            self._start(kind)

    def close(self) -> None:
        """End them and remove their folder."""
        for warm in self._warm.values():
            warm.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> WarmPair:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def spare_cores(workers: int) -> bool:
    """Whether each of so many workers has a second core to itself."""
    return usable_cores() >= 2 * workers


def warm_pairs(workers: int) -> list[WarmPair]:
    """One for each worker, all like the first on their GPU, if there are any: torch is imported once for each."""
    spare, gpus = spare_cores(workers), max(1, len(devices.found()[0]))
    pairs: list[WarmPair] = []
    for number in range(workers):  # what a process sees of GPUs is settled when it starts
        pairs.append(WarmPair(number, spare_core=spare, like=pairs[number % gpus] if number >= gpus else None))
    return pairs


@cache
def shared_pair() -> WarmPair:
    """The pair for checks that bring none: it is kept until the interpreter exits."""
    processes = WarmPair(spare_core=spare_cores(1))
    atexit.register(processes.close)
    return processes
