"""Group commit: one thread writes to the store, and many writes share one transaction.

Replies and claims wait up to 10 ms for company. What became of them is told only after their transaction is on disk.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from kbtools.models.reply import Reply
from kbtools.models.store import CHUNK, ResponseStore, chunks, explained, put

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], Any]
Kept = Callable[[Exception | None], None]
"""Called on the event loop when a reply is on disk, or with the reason why it is not."""

LINGER = 0.01
"""Most seconds for which a reply or a claim waits for company: a transaction for each costs more than the replies."""


class _Group:
    """What goes to disk in one transaction."""

    def __init__(self) -> None:
        self.replies: list[tuple[Reply, Kept]] = []
        self.operations: list[tuple[Operation, asyncio.Future[Any]]] = []
        self.results: list[Any] = []

    def take(self, other: _Group) -> None:
        self.replies += other.replies
        self.operations += other.operations


class GroupCommit:
    """The writing end of a store for one event loop; use as an async context manager.

    `most` replies go to disk without waiting for more.
    """

    def __init__(self, store: ResponseStore, most: int = CHUNK) -> None:
        self._store = store
        self._most = most
        self._group = _Group()
        self._timer: asyncio.TimerHandle | None = None
        self._queue: queue.SimpleQueue[_Group | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="kbtools-store-writer", daemon=True)

    async def __aenter__(self) -> GroupCommit:
        self._loop = asyncio.get_running_loop()
        self._connection = self._store.connect()
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit all that was handed in, then end."""
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def submit(self, operation: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run `operation` in the next transaction. It is committed even if nobody awaits the future."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._group.operations.append((operation, future))
        self._hand_over_soon()
        return future

    def put(self, reply: Reply, kept: Kept = lambda error: None) -> None:
        """Store a reply in the next transaction, and tell when that is done."""
        self._group.replies.append((reply, kept))
        if len(self._group.replies) >= self._most:
            self._hand_over()
        else:
            self._hand_over_soon()

    def _hand_over_soon(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(LINGER, self._hand_over)

    def _hand_over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._group.replies or self._group.operations:
            self._queue.put(self._group)
            self._group = _Group()

    def _work(self) -> None:
        while (group := self._queue.get()) is not None:
            while not self._queue.empty():
                if (further := self._queue.get()) is None:
                    self._queue.put(None)  # for the outer loop, after this group
                    break
                group.take(further)
            # One call per group: waking the loop once for each reply costs more than the reply's commit.
            self._loop.call_soon_threadsafe(_tell, group, self._commit(group))

    def _commit(self, group: _Group) -> Exception | None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for chunk in chunks((reply for reply, _ in group.replies), CHUNK):
                put(self._connection, chunk)
            group.results = [operation(self._connection) for operation, _ in group.operations]
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - told to everybody of the group
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            known = isinstance(error, (sqlite3.Error, OSError))
            return explained(error, "writing to", self._store.path) if known else error
        return None


def _tell(group: _Group, error: Exception | None) -> None:
    for _, kept in group.replies:
        kept(error)
    for index, (_, future) in enumerate(group.operations):
        if future.done():
            continue
        if error is None:
            future.set_result(group.results[index])
        else:
            future.set_exception(error)
