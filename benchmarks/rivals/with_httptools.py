"""llhttp under asyncio and uvloop, a connection for each place, nothing stored: the least that Python can take."""

from __future__ import annotations

from benchmarks.rivals import runner  # isort: skip - its clock starts before the tool is imported

import asyncio
import json
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop


class Connection(asyncio.Protocol):
    """One request after the other on a connection that is kept."""

    transport: asyncio.Transport
    answered: asyncio.Future[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_exception(error or ConnectionError("closed"))

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        self.answered.set_result(b"".join(self.parts))

    def post(self, host: str, path: str, body: bytes) -> asyncio.Future[bytes]:
        """Send the body; the answer's comes."""
        self.parts: list[bytes] = []
        self.parser = httptools.HttpResponseParser(self)
        self.answered = asyncio.get_running_loop().create_future()
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self.transport.write(head.encode() + b"\r\n\r\n" + body)
        return self.answered


def prepare(job: runner.Job) -> runner.Call:
    rows, url = iter(job.read_rows()), urlsplit(job.url)

    async def ask_on_one() -> list[tuple[int, str]]:
        loop, found = asyncio.get_running_loop(), []
        _, connection = await loop.create_connection(Connection, url.hostname, url.port)
        for row in rows:
            body = json.dumps(job.body(row["messages"])).encode()
            reply = json.loads(await connection.post(url.netloc, f"{url.path}/chat/completions", body))
            found.append((row["row"], runner.parsed(reply["choices"][0]["message"]["content"])))
        connection.answered = loop.create_future()
        connection.answered.cancel()
        connection.transport.close()
        return found

    async def ask_all() -> list[tuple[int, str]]:
        parts = await asyncio.gather(*(ask_on_one() for _ in range(job.in_flight)))
        return [answer for part in parts for answer in part]

    return lambda: uvloop.run(ask_all())


if __name__ == "__main__":
    runner.main(prepare)
