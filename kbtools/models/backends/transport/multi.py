"""libcurl's transfers on an asyncio loop: the loop watches one selector, and that the sockets of all transfers.

A socket changes hands several times in a call; told to the loop itself, each time costs more than libcurl's own work.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Iterable

import pycurl


class Multi:
    """Transfers of one running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._multi = pycurl.CurlMulti(close_handles=True)
        self._under_way: dict[pycurl.Curl, asyncio.Future[None]] = {}
        self._sockets = selectors.DefaultSelector()
        self._masks = {
            pycurl.POLL_IN: selectors.EVENT_READ,
            pycurl.POLL_OUT: selectors.EVENT_WRITE,
            pycurl.POLL_INOUT: selectors.EVENT_READ | selectors.EVENT_WRITE,
        }
        self._due: float | None = None
        """Loop time at which libcurl wants to be called; None for never."""
        self._alarm: asyncio.TimerHandle | None = None
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_due)
        self._loop.add_reader(self._sockets, self._act_on_sockets)

    async def perform(self, handle: pycurl.Curl) -> None:
        """Bring a transfer to its end; raises pycurl.error. A transfer whose call is cancelled ends at once."""
        self._under_way[handle] = done = self._loop.create_future()
        self._multi.add_handle(handle)
        try:
            await done
        finally:
            if self._under_way.pop(handle, None):
                self._multi.remove_handle(handle)

    def close(self) -> None:
        """End what is under way; its calls are cancelled."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._loop.remove_reader(self._sockets)
        for handle in list(self._under_way):
            if done := self._finish(handle):
                done.cancel()
        self._multi.close()
        self._sockets.close()

    def _watch(self, what: int, socket: int, *_: object) -> None:
        """Libcurl says what it waits for at a socket."""
        mask, known = self._masks.get(what), socket in self._sockets.get_map()
        if mask is None:
            if known:
                self._sockets.unregister(socket)
        elif known:
            self._sockets.modify(socket, mask)
        else:
            self._sockets.register(socket, mask)

    def _set_due(self, milliseconds: int) -> None:
        """Libcurl says when it wants to be called. An alarm that comes too early is set again then."""
        if milliseconds < 0:
            self._due = None
            return
        self._due = self._loop.time() + milliseconds / 1000
        if self._alarm is not None and self._alarm.when() > self._due:
            self._alarm.cancel()
            self._alarm = None
        if self._alarm is None:
            self._alarm = self._loop.call_at(self._due, self._act_on_time)

    def _act_on_time(self) -> None:
        self._alarm = None
        if self._due is None:
            return
        if self._due > self._loop.time():
            self._alarm = self._loop.call_at(self._due, self._act_on_time)
            return
        self._due = None
        self._act([(pycurl.SOCKET_TIMEOUT, 0)])

    def _act_on_sockets(self) -> None:
        self._act([(key.fd, mask) for key, mask in self._sockets.select(0)])  # libcurl's bits are the selector's

    def _act(self, events: Iterable[tuple[int, int]]) -> None:
        try:
            for socket, mask in events:
                self._multi.socket_action(socket, mask)
        except pycurl.error as error:  # of all transfers, for a single one's errors come with its end
            for handle in list(self._under_way):
                if done := self._finish(handle):
                    done.set_exception(error)
            return
        self._tell()

    def _tell(self) -> None:
        """End the calls whose transfers are at their end."""
        _, good, bad = self._multi.info_read()
        for handle in good:
            if done := self._finish(handle):
                done.set_result(None)
        for handle, code, words in bad:
            if done := self._finish(handle):
                done.set_exception(pycurl.error(code, words))

    def _finish(self, handle: pycurl.Curl) -> asyncio.Future[None] | None:
        """The call of a transfer that libcurl has done with; None where nobody waits any more."""
        self._multi.remove_handle(handle)
        done = self._under_way.pop(handle, None)
        return done if done is not None and not done.done() else None
