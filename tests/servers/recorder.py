"""A relay on loopback that keeps every byte that a server sends, to be searched for what must not be there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress


class Recorder:
    """Hands connections on to a port; `sent` is all that came back. Usable in a thread as a context manager."""

    def __init__(self, port: Callable[[], int]) -> None:
        self._target = port
        self._ready = threading.Event()
        self.sent = bytearray()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Recorder:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(60), "the relay did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self._target())
            await asyncio.gather(self._pump(reader, back, keep=False), self._pump(there, writer, keep=True))
        writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, keep: bool) -> None:
        with suppress(OSError):
            while data := await source.read(1 << 16):
                if keep:
                    self.sent += data
                sink.write(data)
                await sink.drain()
        with suppress(OSError):
            sink.write_eof()
