"""A real HTTP server that speaks the OpenAI protocol and misbehaves as scripted.

It runs in a thread (`with OpenAIServer(...) as server`) or as a process (`python -m tests.servers.openai_server`).
Replies depend only on the request, so that two runs can be compared byte by byte. Every request is logged with
its time, its prompt, how often its body was seen, and what was done to it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tests.servers.openai_batches import Batches
from tests.servers.openai_replies import chat_completion, error_body, response_object

STATUS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


@dataclass(frozen=True)
class Call:
    """One request to a completion endpoint. `seen` counts earlier requests with the same body."""

    number: int
    path: str
    prompt: str
    digest: str
    seen: int
    body: dict[str, Any] = field(repr=False)
    headers: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class Logged:
    """A line of the log."""

    number: int
    time: float
    prompt: str
    digest: str
    seen: int
    fault: str


Script = Callable[[Call], str]
"""The fault for a call: "ok", a status ("429", "500", ...), "429:2" with a Retry-After, "429:date" with an HTTP date,
"hang", "reset", "truncated-json", "wrong-schema", "slow", "content-filter", "filter-400", "context-length", "length",
"quota", "error-in-200"."""


def always_ok(_: Call) -> str:
    return "ok"


def rates(shares: dict[str, float], seed: int = 0) -> Script:
    """Faults with given shares, drawn from the body and the attempt: the same in every run."""

    def script(call: Call) -> str:
        draw = random.Random(f"{seed} {call.digest} {call.seen}").random()
        for fault, share in shares.items():
            if draw < share:
                return fault
            draw -= share
        return "ok"

    return script


@dataclass
class Settings:
    """How the server answers; `delay` is seconds per reply."""

    script: Script = always_ok
    delay: float = 0.0
    slow: float = 1.0
    reply: Callable[[dict[str, Any]], str] | None = None
    """Content of a reply from the request body; without it, an instance of the schema asked for, or a fixed text."""
    reasoning_field: str | None = None
    key: str | None = None
    """Wanted as bearer token."""
    headers: dict[str, str] = field(default_factory=dict)
    """Further headers on every reply to a completion."""
    batch_polls: int = 1
    """How often a batch is shown as in progress."""
    log: TextIO | None = None


class OpenAIServer:
    """The server, listening on loopback; usable in a thread as a context manager."""

    def __init__(self, settings: Settings | None = None, port: int = 0, **fields: Any) -> None:
        self.settings = settings or Settings(**fields)
        self.port = port
        self.log: list[Logged] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.batches = Batches(self.complete, self.settings.batch_polls)
        self._seen: Counter[str] = Counter()
        self._ready = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> OpenAIServer:
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(60), "the test server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    async def serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._connections: set[Connection] = set()
        server = await self._loop.create_server(lambda: Connection(self), "127.0.0.1", self.port, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()
        for connection in list(self._connections):
            connection.transport.abort()

    def admit(self, connection: Connection) -> None:
        self._connections.add(connection)

    def forget(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def note(self, path: str, body: dict[str, Any], raw: bytes, headers: dict[str, str]) -> tuple[Call, str]:
        """Log a call and say what is to happen to it."""
        digest = hashlib.sha256(raw).hexdigest()[:16]
        turns = body.get("messages") or body.get("input") or [{"content": ""}]
        call = Call(len(self.log), path, turns[-1]["content"], digest, self._seen[digest], body, headers)
        self._seen[digest] += 1
        fault = self.settings.script(call)
        if self.settings.key and headers.get("authorization") != f"Bearer {self.settings.key}":
            fault = "401"
        entry = Logged(call.number, time.time(), call.prompt, digest, call.seen, fault)
        self.log.append(entry)
        if self.settings.log:
            self.settings.log.write(json.dumps(asdict(entry)) + "\n")
            self.settings.log.flush()
        return call, fault

    def complete(self, path: str, body: dict[str, Any], fault: str = "ok") -> tuple[int, dict[str, Any]]:
        """Status and body of a completion; also used for the lines of a batch."""
        if fault.split(":")[0].isdigit():
            status = int(fault.split(":")[0])
            return status, error_body(f"scripted {fault}", None)
        if fault in ("filter-400", "context-length", "quota"):
            return error_body_of(fault)
        if fault == "error-in-200":
            return 200, error_body("the upstream failed", 502)
        make = response_object if path.endswith("/responses") else chat_completion
        return 200, make(body, self.settings.reply, fault, self.settings.reasoning_field)


def error_body_of(fault: str) -> tuple[int, dict[str, Any]]:
    status, code = {
        "filter-400": (400, "content_filter"),
        "context-length": (400, "context_length_exceeded"),
        "quota": (429, "insufficient_quota"),
    }[fault]
    return status, error_body(f"scripted {fault}", code)


class Connection(asyncio.Protocol):
    """One client connection: HTTP/1.1 with keep-alive and Content-Length bodies, one request at a time."""

    transport: asyncio.Transport

    def __init__(self, server: OpenAIServer) -> None:
        self.server = server
        self.buffer = b""
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.admit(self)

    def connection_lost(self, _: Exception | None) -> None:
        self.server.forget(self)
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        method, target, _ = lines[0].split(" ", 2)
        self.task = asyncio.get_running_loop().create_task(self.answer(method, target, headers, rest[:length]))

    async def answer(self, method: str, target: str, headers: dict[str, str], raw: bytes) -> None:
        path = target.partition("?")[0]
        if method == "POST" and path.endswith(("/chat/completions", "/responses")):
            await self.complete(path, headers, raw)
        elif path == "/health":
            self.send(200, {})
        elif path.endswith("/models"):
            self.send(200, {"object": "list", "data": [{"id": "test-model"}]})
        elif (result := self.server.batches.answer(method, path, headers, raw)) is not None:
            await self.server.batches.hold(method, path)
            self.send(*result)
        else:
            self.send(404, error_body(f"no route {method} {path}", None))

    async def complete(self, path: str, headers: dict[str, str], raw: bytes) -> None:
        server = self.server
        body = json.loads(raw)
        _, fault = server.note(path, body, raw, headers)
        server.in_flight += 1
        server.most_in_flight = max(server.most_in_flight, server.in_flight)
        try:
            if server.settings.delay:
                await asyncio.sleep(server.settings.delay)
            await self.deliver(path, body, fault)
        finally:
            server.in_flight -= 1

    async def deliver(self, path: str, body: dict[str, Any], fault: str) -> None:
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "slow":
            await asyncio.sleep(self.server.settings.slow)
        status, payload = self.server.complete(path, body, fault)
        text = json.dumps(payload).encode()
        if fault == "truncated-json":
            text = text[: len(text) // 2]
        if fault == "reset":
            self.transport.write(head_of(200, len(text), {}) + text[: len(text) // 2])
            await asyncio.sleep(0.005)
            self.transport.abort()
            return
        extra = dict(self.server.settings.headers)
        if ":" in fault:
            extra["Retry-After"] = retry_after_value(fault.split(":", 1)[1])
        self.send(status, text, extra)

    def send(self, status: int, payload: Any, headers: dict[str, str] | None = None) -> None:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.transport.write(head_of(status, len(body), headers or {}) + body)


def head_of(status: int, length: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {STATUS.get(status, 'Status')}", "Content-Type: application/json",
             f"Content-Length: {length}", *(f"{name}: {value}" for name, value in headers.items())]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def retry_after_value(value: str) -> str:
    """`date` means an HTTP date one to two seconds from now; all else is sent as it is."""
    if value != "date":
        return value
    from email.utils import formatdate

    return formatdate(time.time() + 2, usegmt=True)


def main() -> None:
    """Serve until killed; the first line printed is the URL."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--slow", type=float, default=1.0)
    parser.add_argument("--faults", default="", help="shares, e.g. 429=0.2,500=0.05,reset=0.02,hang=0.02")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--key")
    arguments = parser.parse_args()
    shares = {
        name: float(share) for name, _, share in (part.partition("=") for part in arguments.faults.split(",") if part)
    }
    log = arguments.log.open("a") if arguments.log else None
    settings = Settings(rates(shares, arguments.seed), arguments.delay, arguments.slow, log=log, key=arguments.key)
    server = OpenAIServer(settings, arguments.port)

    async def run() -> None:
        serving = asyncio.ensure_future(server.serve())
        while not server.port or not server._ready.is_set():
            await asyncio.sleep(0.01)
        print(server.url, flush=True)  # noqa: T201
        await serving

    asyncio.run(run())


if __name__ == "__main__":
    main()
