"""Calls over plain HTTP, straight to a server: one connection for each call under way, kept for the next.

A server on this machine or in the cluster is asked thousands of times a second, and any general client costs more than
all that a run does besides. What needs TLS, a proxy or a password in its address goes by libcurl.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from kbtools.models.backends.transport.connection import HungUp, OpenConnection, Sockets, connected, connected_at
from kbtools.models.backends.transport.http1 import ACCEPTED
from kbtools.models.backends.transport.response import Lost, NoResponse, Response

STALE = 110.0
"""Seconds after which a connection is not used again: what lies between may have forgotten it."""
HAPPY_EYEBALLS = 0.25
"""Seconds until another address of a name is tried beside the first."""


class _Place(NamedTuple):
    """Where a URL leads."""

    host: str
    port: int


class _Asked(NamedTuple):
    """What all requests to a URL have in common."""

    place: _Place
    head: bytes
    """Of a POST up to its length."""


def is_plain(url: str) -> bool:
    """Whether a URL can be asked this way."""
    parts = urlsplit(url)
    return parts.scheme == "http" and bool(parts.hostname) and "@" not in parts.netloc


class PlainCalls:
    """Calls of one event loop."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = Sockets()
        self._fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._asked = lru_cache(self._asked_of)
        self._idle: list[OpenConnection] = []
        self._open: dict[OpenConnection, _Place] = {}
        self._numbers: dict[_Place, tuple[str, int]] = {}
        """The address at which a name's server was found."""
        self._looking = asyncio.Lock()
        self._due: dict[asyncio.Future[Response], tuple[float, OpenConnection]] = {}
        """When each call under way has to have its response, by the loop's time."""
        self._alarm: asyncio.TimerHandle | None = None

    async def call(self, url: str, body: bytes | None, timeout: float) -> Response:
        """POST the body, or GET without one, within so many seconds; raises NoResponse."""
        place, head = self._asked(url, body is None)
        message = head if body is None else b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)
        now = self._loop.time()
        due, connection = now + timeout, self._kept(place, now)
        while True:
            if connection is None:
                connection = await self._connected(place, due)
            answer = connection.ask(message)
            self._due[answer] = due, connection
            if self._alarm is None or due < self._alarm.when():
                self._set_alarm(due)
            try:
                return await answer
            except HungUp:  # nothing had begun, so it is asked once more, as libcurl does
                connection = None
            except asyncio.CancelledError:
                connection.close()
                raise
            finally:
                del self._due[answer]

    def close(self) -> None:
        """End what is under way; its calls are cancelled."""
        if self._alarm is not None:
            self._alarm.cancel()
        for answer in self._due:
            answer.cancel()
        for connection in list(self._open):
            connection.close()
        self._sockets.close()

    def _kept(self, place: _Place, now: float) -> OpenConnection | None:
        """The connection that was used last."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and now - connection.since < STALE and self._open[connection] == place:
                return connection
            connection.close()
        return None

    def _left(self, connection: OpenConnection, usable: bool) -> None:
        """Keep a connection that has carried a call for the next, or forget one that is closed."""
        if usable:
            connection.since = self._loop.time()
            self._idle.append(connection)
        else:
            self._open.pop(connection, None)

    async def _connected(self, place: _Place, due: float) -> OpenConnection:
        try:
            async with asyncio.timeout_at(due):
                file = await self._connect(place)
        except UnicodeError as error:  # of the name, which cannot be looked up
            raise NoResponse(Lost.UNREACHED, f"no name of a host ({place.host}: {error})") from error
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:  # ours, not that of the network
                words = f"connecting to {place.host} port {place.port} timed out"
                raise NoResponse(Lost.TIMEOUT, words) from None
            words = error.strerror or str(error)
            raise NoResponse(Lost.UNREACHED, f"{words} ({place.host} port {place.port})") from error
        connection = OpenConnection(file, self._sockets, self._left)
        self._open[connection] = place
        return connection

    async def _connect(self, place: _Place) -> socket.socket:
        """A name is looked up by the first connection, and again when its server is no longer where it was."""
        if place in self._numbers:
            with suppress(OSError):
                return await connected_at(self._numbers[place])
            self._numbers.pop(place, None)
        async with self._looking:
            if place in self._numbers:
                return await connected_at(self._numbers[place])
            file, found = await connected(*place, HAPPY_EYEBALLS)
            if found is not None:
                self._numbers[place] = found
            return file

    def _set_alarm(self, when: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(when, self._end_the_late)

    def _end_the_late(self) -> None:
        """One alarm serves all calls: it is set for the first of them, and looks at all when it rings."""
        self._alarm, now = None, self._loop.time()
        for due, connection in list(self._due.values()):
            if due <= now:
                connection.fail(NoResponse(Lost.TIMEOUT, "the call timed out"))
        if left := [due for due, _ in self._due.values() if due > now]:
            self._set_alarm(min(left))

    def _asked_of(self, url: str, get: bool) -> _Asked:
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        line = f"{'GET' if get else 'POST'} {path} HTTP/1.1\r\nHost: {_host(parts)}\r\n"
        fields = f"{self._fields}Accept: */*\r\nAccept-Encoding: {ACCEPTED}\r\n"
        head = (line + fields).encode()
        return _Asked(_Place(parts.hostname or "", parts.port or 80), head + b"\r\n" if get else head)


def _host(parts: SplitResult) -> str:
    """What the header `Host` says: the name as it stands in the URL, with its port unless it is the usual one."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else str(parts.hostname)
    return host if parts.port in (None, 80) else f"{host}:{parts.port}"
