"""Jobs in verify's sandbox, several at a time: each worker has warm processes of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

from kbtools_plugins.verify.host.child import Outcome, WorkerDied
from kbtools_plugins.verify.host.processes import WarmPair, warm_pairs
from kbtools_plugins.verify.protocol.message import ProcessMessage
from kbtools_plugins.verify.protocol.roles import Role
from kbtools_plugins.verify.settings import VerifySettings

_SETTINGS = VerifySettings(tier="cpu", timeout=20.0, memory_gb=2.0)
_ATTEMPTS = 3

J = TypeVar("J", bound=ProcessMessage)
R = TypeVar("R", bound=ProcessMessage)
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Sandbox:
    """One worker."""

    processes: WarmPair

    def ask(self, role: Role[J, R], job: J) -> Outcome[R]:
        """The outcome of a job; one that is killed from outside is tried again."""
        for _ in range(_ATTEMPTS):
            try:
                return self.processes.run(role, job, _SETTINGS)
            except WorkerDied as error:
                killed = str(error)
        return Outcome(failed="killed", error=killed)


@dataclass(frozen=True)
class Sandboxes:
    """Workers that take turns."""

    _idle: SimpleQueue[Sandbox]
    _threads: ThreadPoolExecutor

    @classmethod
    @contextmanager
    def opened(cls, workers: int) -> Iterator[Sandboxes]:
        """So many workers, until the end of the block."""
        idle: SimpleQueue[Sandbox] = SimpleQueue()
        with ExitStack() as open_ones:
            for processes in warm_pairs(workers):
                idle.put(Sandbox(open_ones.enter_context(processes)))
            yield cls(idle, open_ones.enter_context(ThreadPoolExecutor(workers)))

    def each(self, work: Callable[[T, Sandbox], U], items: Iterable[T]) -> list[U]:
        """What the work gives for each item, in order."""

        def one(item: T) -> U:
            sandbox = self._idle.get()
            try:
                return work(item, sandbox)
            finally:
                self._idle.put(sandbox)

        return list(self._threads.map(one, items))
