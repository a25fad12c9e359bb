"""The server that all clients of the throughput benchmark ask: OpenAI's protocol on loopback, replies made beforehand.

It does as little as it can, because it shares the machine with the client that is measured: a request is looked at only
for its row mark (`# row 17`), from which the label follows, so that the client's labels can be checked.
`GET /stats` tells how many rows were asked, how many at once, and the processor time that serving took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections.abc import Mapping
from typing import Any

LABELS = ("low", "medium", "high")
MARK = re.compile(rb"# row (\d+)")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def label_of(row: int) -> str:
    """What the server says of this row."""
    return LABELS[row % len(LABELS)]


def http(payload: Mapping[str, Any]) -> bytes:
    """A whole reply with status 200."""
    body = json.dumps(payload).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def completion(content: Mapping[str, Any]) -> bytes:
    """A chat completion that holds this object as its text."""
    message = {"role": "assistant", "content": json.dumps(content)}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 400, "completion_tokens": 30, "total_tokens": 430}
    return http(
        {"id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": "test-model", "choices": [choice]}
        | {"usage": usage}
    )


VERDICTS = tuple(
    completion({"difficulty_reason": "It fuses a few operations, none of them hard.", "difficulty": label})
    for label in LABELS
)
NO_ROW = completion({"text": "This request names no row."})
"""What tools get that ask something of their own first, such as for rate limits."""


class Stats:
    """What the server has seen."""

    def __init__(self) -> None:
        self.rows = self.others = self.in_flight = self.most_in_flight = 0
        self.first = b""

    def entered(self, body: bytes) -> None:
        """A row is asked for."""
        self.first = self.first or body
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def left(self) -> None:
        """A row's reply is sent."""
        self.in_flight -= 1
        self.rows += 1

    def shown(self) -> dict[str, Any]:
        """The figures, the processor time, and the first body as the client sent it."""
        figures = {name: getattr(self, name) for name in ("rows", "others", "most_in_flight")}
        return {**figures, "cpu_seconds": round(time.process_time(), 2), "first": json.loads(self.first or b"null")}


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, Content-Length bodies, one request at a time."""

    transport: asyncio.Transport

    def __init__(self, stats: Stats, delay: float) -> None:
        self.stats, self.delay = stats, delay
        self.loop = asyncio.get_running_loop()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        size = int(length[1]) if length else 0
        if found and len(rest) >= size:
            self.buffer = rest[size:]
            self.answer(head, rest[:size])

    def answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET"):
            self.transport.write(http(self.stats.shown()))
        elif mark := MARK.search(body):
            self.stats.entered(body)
            self.loop.call_later(self.delay, self.deliver, VERDICTS[int(mark[1]) % len(VERDICTS)])
        else:
            self.stats.others += 1
            self.transport.write(NO_ROW)

    def deliver(self, reply: bytes) -> None:
        self.stats.left()
        self.transport.write(reply)


async def serve(delay: float) -> None:
    """Serve until killed; the first line printed is the URL."""
    stats = Stats()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(stats, delay), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.1, help="seconds until a reply")
    asyncio.run(serve(parser.parse_args().delay))
