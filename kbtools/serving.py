"""A web server of this process, from its first answer to a graceful end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web


@dataclass(frozen=True)
class Serving:
    """A server that answers."""

    url: str
    """Scheme, host and port: the port that was found where any free one was wanted."""
    ended: asyncio.Event
    """Set by Ctrl-C or SIGTERM."""


@asynccontextmanager
async def serving(application: web.Application, host: str, port: int, *, patience: float) -> AsyncIterator[Serving]:
    """Answer while the body runs; afterwards what is under way has `patience` seconds to end.

    OSError where the address is taken or not one of this machine.
    """
    from aiohttp import web

    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    runner = web.AppRunner(application, shutdown_timeout=patience, access_log=None)  # paths of pages hold tokens
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        found, at = runner.addresses[0][:2]
        yield Serving(f"http://{found}:{at}", ended)
    finally:
        await runner.cleanup()
