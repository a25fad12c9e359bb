"""The backend that starts `vllm serve`, uses it like any other server, and ends it when kbtools ends."""

from __future__ import annotations

import asyncio
import atexit
import secrets
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from kbtools.errors import ConfigError
from kbtools.models.backend import Send
from kbtools.models.backends.http import HttpBackend
from kbtools.models.backends.supervise import Supervised, vllm_command
from kbtools.models.backends.transport import NoResponse, opened
from kbtools.models.kinds import Kind
from kbtools.models.reply import Answer
from kbtools.models.request import Request

STARTUP = 1800.0
POLL = 0.5


class ServeBackend:
    """`vllm serve MODEL OPTIONS...` on a free local port. Started with the first requests, kept until `close`."""

    def __init__(self, path: str, model: str, options: Sequence[str] = (), startup: float = STARTUP) -> None:
        self.model = model
        self.endpoint = f"serve:{model}"
        self._path = path
        self._options = tuple(options)
        self._startup = startup
        self._server: Supervised | None = None
        self._http: HttpBackend | None = None
        self._began: float | None = None
        """When the start began that is under way."""

    def waiting_for(self) -> str:
        """Since when the server is starting, and the last line of its log."""
        server, began = self._server, self._began
        if server is None or began is None:
            return ""
        return f"vllm serve {self._path} is starting, {time.monotonic() - began:.0f} s so far: {server.last_line()}"

    def close(self) -> None:
        """Stop the server if it runs."""
        if self._server is not None:
            self._server.stop()
            self._server.log.unlink(missing_ok=True)
        self._server = self._http = None
        atexit.unregister(self.close)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Send]:
        """Start the server unless it runs, and open connections to it."""
        server, http = self._server, self._http
        if server is None or http is None or server.ended() is not None:
            server, http = await self._start()
        async with http.connect() as send:

            async def watched(request: Request, timeout: float) -> Answer:
                answer = await send(request, timeout)
                if answer.kind is Kind.CONNECTION and server.ended() is not None:
                    raise ConfigError(self._ended(server, "while it was answering requests"))
                return answer

            yield watched

    async def _start(self) -> tuple[Supervised, HttpBackend]:
        self.close()
        port, key = _free_port(), secrets.token_hex(16)
        command = [vllm_command(), "serve", self._path, "--host", "127.0.0.1", "--port", str(port), *self._options]
        # The key goes by the environment, where other users of the machine cannot read it.
        self._server = server = Supervised(command, {"VLLM_API_KEY": key})
        atexit.register(self.close)
        url = f"http://127.0.0.1:{port}"
        self._began = time.monotonic()
        try:
            await self._healthy(server, url)
        finally:
            self._began = None
        name = self._served_name()
        headers = {"Authorization": f"Bearer {key}"}
        self._http = http = HttpBackend(
            f"{url}/v1", self.model, headers, served_as=name, credentials="made up per server"
        )
        return server, http

    async def _healthy(self, server: Supervised, url: str) -> None:
        deadline = time.monotonic() + self._startup
        async with opened({}) as transport:
            while time.monotonic() < deadline:
                if server.ended() is not None:
                    raise ConfigError(self._ended(server, "before it was ready"))
                try:
                    if (await transport.call(f"{url}/health", None, timeout=5)).status == 200:
                        return
                except NoResponse:
                    pass  # not listening yet
                await asyncio.sleep(POLL)
        server.stop()  # and not close, which removes the log that the error names
        self._server = None
        raise ConfigError(
            f"vllm serve {self._path} was not ready after {self._startup:g} s; "
            f"its log {server.log} ends:\n{server.tail()}"
        )

    def _ended(self, server: Supervised, when: str) -> str:
        code = server.ended()
        self._server = self._http = None  # its log stays, since the error names it
        return f"vllm serve {self._path} ended with code {code} {when}; its log {server.log} ends:\n{server.tail()}"

    def _served_name(self) -> str:
        for flag, value in zip(self._options, self._options[1:], strict=False):
            if flag == "--served-model-name":
                return value
        return self._path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
