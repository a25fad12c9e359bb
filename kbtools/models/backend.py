"""What a backend is: the thing that turns a request into a raw reply.

Online backends answer one request at a time on an event loop; chunk backends answer many at once and block.
Neither retries, stores nor judges: the engine does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kbtools.models.kinds import ReplyFailure
from kbtools.models.reply import Answer, Reply
from kbtools.models.request import Request
from kbtools.models.store import ResponseStore

Send = Callable[[Request, float], Awaitable[Answer]]
"""Makes one attempt within so many seconds. Returns faults as answers; raises only on defects."""

Review = Callable[[Request, Reply], "Request | ReplyFailure | None"]
"""Looks at an ok reply: None accepts it, a Request is sent as its follow-up, a ReplyFailure is counted as failed."""


class ModelBackend(Protocol):
    """What every backend has."""

    @property
    def model(self) -> str:
        """The model's identity, which goes into requests and so into their keys."""

    @property
    def endpoint(self) -> str:
        """Where replies come from, recorded with each."""

    def close(self) -> None:
        """Release what outlives a run, such as a server or loaded weights. May be called twice."""


@runtime_checkable
class OnlineBackend(ModelBackend, Protocol):
    """Answers requests concurrently on the engine's event loop."""

    def connect(self) -> AbstractAsyncContextManager[Send]:
        """Open connections for one run."""


@runtime_checkable
class Waiting(Protocol):
    """A backend that can say what it waits for while no replies come, such as a server that loads weights."""

    def waiting_for(self) -> str:
        """What is being waited for, in a few words; empty if nothing is. Called often, and from another thread."""


@dataclass(frozen=True, slots=True)
class ChunkRun:
    """What a chunk backend may use of the run it works for."""

    store: ResponseStore
    stopping: Callable[[], bool]


@runtime_checkable
class ChunkBackend(ModelBackend, Protocol):
    """Answers a chunk of requests at a time, in a thread of the engine."""

    @property
    def chunk_size(self) -> int:
        """How many requests it wants at once; as many replies can be lost by a kill, so no more than it needs."""

    def complete(self, requests: Sequence[Request], run: ChunkRun) -> Iterator[tuple[Request, Answer]]:
        """Answer the requests in any order; those left out stay unanswered when the run is stopping."""
