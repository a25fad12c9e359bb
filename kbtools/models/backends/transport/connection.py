"""One connection over plain TCP and the call that it carries, and the selector by which a loop watches them all.

The loop watches one file, that of the selector: told to asyncio one by one, each event of a socket costs more than what
it is about.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections.abc import Callable

from kbtools.models.backends.transport.http1 import BrokenResponse, ResponseReader
from kbtools.models.backends.transport.response import Lost, NoResponse, Response

PIECE = 2**18
"""Most bytes that are read at once."""
_READ, _BOTH = selectors.EVENT_READ, selectors.EVENT_READ | selectors.EVENT_WRITE


class HungUp(NoResponse):
    """A kept connection that the server closed before it answered at all."""


class Sockets:
    """The sockets of one running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._selector = selectors.DefaultSelector()
        self.room = memoryview(bytearray(PIECE))
        """Into which the one that is read from reads."""
        self._loop.add_reader(self._selector, self._act)

    def watch(self, file: socket.socket, events: int, act: Callable[[int], None]) -> None:
        """Call `act` with what is ready from now on."""
        self._selector.register(file, events, act)

    def change(self, file: socket.socket, events: int, act: Callable[[int], None]) -> None:
        """Look for other events."""
        self._selector.modify(file, events, act)

    def forget(self, file: socket.socket) -> None:
        """Look at it no more."""
        self._selector.unregister(file)

    def close(self) -> None:
        """Stop to look at any."""
        self._loop.remove_reader(self._selector)
        self._selector.close()

    def _act(self) -> None:
        for key, events in self._selector.select(0):
            key.data(events)


class OpenConnection:
    """An open connection. It ends its call in every case: with a response or with NoResponse."""

    def __init__(self, file: socket.socket, sockets: Sockets, left: Callable[[OpenConnection, bool], None]) -> None:
        file.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A reply may take minutes, in which a router on the way forgets a connection on which nothing moves.
        file.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.since = 0.0
        """Loop time from which on it has been idle."""
        self.closed = False
        self._file = file
        self._sockets = sockets
        self._left = left
        """Told at the end of each call whether the connection can carry another."""
        self._loop = asyncio.get_running_loop()
        self._unsent = memoryview(b"")
        self._answer: asyncio.Future[Response] | None = None
        self._reader = ResponseReader()
        self._used = 0
        sockets.watch(file, _READ, self._act)

    def ask(self, message: bytes) -> asyncio.Future[Response]:
        """Send a request; the response to it comes."""
        self._answer = answer = self._loop.create_future()
        self._reader.begin()
        self._used += 1
        try:
            sent = self._file.send(message)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lost(error)
            return answer
        if sent < len(message):
            self._unsent = memoryview(message)[sent:]
            self._sockets.change(self._file, _BOTH, self._act)
        return answer

    def fail(self, problem: NoResponse) -> None:
        """End the call and the connection."""
        answer, self._answer = self._answer, None
        self.close()
        if answer is not None and not answer.done():
            answer.set_exception(problem)

    def close(self) -> None:
        """Close it, whatever it does."""
        if not self.closed:
            self.closed = True
            self._sockets.forget(self._file)
            self._file.close()
            self._left(self, False)

    def _act(self, events: int) -> None:
        if self.closed:  # by what was ready beside it
            return
        try:
            if self._unsent and events & selectors.EVENT_WRITE:
                self._send_more()
            if events & selectors.EVENT_READ:
                self._receive(self._sockets.room[: self._file.recv_into(self._sockets.room)])
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error)

    def _send_more(self) -> None:
        self._unsent = self._unsent[self._file.send(self._unsent) :]
        if not self._unsent:
            self._sockets.change(self._file, _READ, self._act)

    def _receive(self, data: memoryview) -> None:
        if self._answer is None:
            self.close()  # the server hangs up, or says that it will: nobody has asked
            return
        if not data:
            self._lost(None)
            return
        try:
            if self._reader.feed(data):
                self._finish(self._reader.response())
        except BrokenResponse as error:
            self.fail(NoResponse(Lost.BROKE, str(error)))

    def _lost(self, error: OSError | None) -> None:
        """The other side has closed the connection, or it broke."""
        if not self._reader.begun and self._used > 1:
            self.fail(HungUp(Lost.BROKE, "a kept connection was closed"))
            return
        try:
            if error is not None:
                raise BrokenResponse(error.strerror or str(error))
            self._reader.closed()
            self._finish(self._reader.response())
        except BrokenResponse as problem:
            self.fail(NoResponse(Lost.BROKE, str(problem)))

    def _finish(self, response: Response) -> None:
        answer, self._answer = self._answer, None
        if self._reader.reusable and not self._unsent:
            self._left(self, True)
        else:
            self.close()
        if answer is not None and not answer.done():
            answer.set_result(response)


async def connected(host: str, port: int, delay: float) -> tuple[socket.socket, tuple[str, int] | None]:
    """A connection to a name, and the address at which it was found; others are tried after so many seconds (RFC 8305).

    Raises OSError.
    """
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, host, port, happy_eyeballs_delay=delay)
    try:
        number, port, *scope = transport.get_extra_info("peername")
        return transport.get_extra_info("socket").dup(), None if any(scope) else (number, port)
    finally:
        transport.abort()


async def connected_at(address: tuple[str, int]) -> socket.socket:
    """A connection to an address in numbers. Raises OSError."""
    file = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    file.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(file, address)
    except BaseException:
        file.close()
        raise
    return file
