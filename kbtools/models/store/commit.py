"""Group commit: one thread writes to the store, and many writes share one transaction.

The event loop hands in operations and gets futures; a future is done only after its transaction is on disk.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from kbtools.models.reply import Reply
from kbtools.models.store import CHUNK, ResponseStore, explained, put

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], Any]
Item = tuple[Operation | Reply, "asyncio.Future[Any]"]

LINGER = 0.001
"""Seconds to wait for company: a transaction for each reply costs more than the replies."""


class GroupCommit:
    """The writing end of a store for one event loop; use as an async context manager."""

    def __init__(self, store: ResponseStore) -> None:
        self._store = store
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="kbtools-store-writer", daemon=True)

    async def __aenter__(self) -> GroupCommit:
        self._loop = asyncio.get_running_loop()
        self._connection = self._store.connect()
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit all that was handed in, then end."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def submit(self, operation: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run `operation` in the next transaction. It is committed even if nobody awaits the future."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((operation, future))
        return future

    def put(self, reply: Reply) -> asyncio.Future[None]:
        """Store a reply in the next transaction. It is committed even if nobody awaits the future."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((reply, future))
        return future

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            time.sleep(LINGER)
            group = [first]
            while len(group) < CHUNK and not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    self._queue.put(None)  # for the outer loop, after this group
                    break
                group.append(item)
            self._deliver(self._commit(group))

    def _commit(self, group: list[Item]) -> list[_Outcome]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            if replies := [item for item, _ in group if isinstance(item, Reply)]:
                put(self._connection, replies)
            results = [None if isinstance(item, Reply) else item(self._connection) for item, _ in group]
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - handed to every waiter of the group
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            known = isinstance(error, (sqlite3.Error, OSError))
            reason = explained(error, "writing to", self._store.path) if known else error
            return [(future, None, reason) for _, future in group]
        return [(future, result, None) for (_, future), result in zip(group, results, strict=True)]

    def _deliver(self, outcomes: list[_Outcome]) -> None:
        # One call per group: waking the loop once for each reply costs more than the reply's commit.
        self._loop.call_soon_threadsafe(_settle, outcomes)


_Outcome = tuple["asyncio.Future[Any]", Any, Exception | None]


def _settle(outcomes: list[_Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
