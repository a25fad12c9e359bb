"""Running a verification server: workers, store and network, from start to a graceful end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from kbtools.data.tasks import Task
from kbtools.serving import serving
from kbtools.wording import counted
from kbtools_plugins.verify.cache import VerdictStore, default_path
from kbtools_plugins.verify.pool import started
from kbtools_plugins.verify.service.app import application
from kbtools_plugins.verify.service.desk import Desk
from kbtools_plugins.verify.settings import VerifySettings, on_gpu


@dataclass(frozen=True)
class Service:
    """How a server runs."""

    settings: VerifySettings
    workers: int
    places: int
    """Questions that may be on their way."""
    host: str
    port: int
    token: str
    wait: float
    """Seconds until a question is answered with 202."""
    store: Path | None


def serve(service: Service, tasks: Mapping[str, Task]) -> None:
    """Answer until Ctrl-C or SIGTERM; questions that were admitted by then are answered first."""
    on_gpu(service.settings)
    verdicts = VerdictStore((service.store or default_path()).expanduser())
    try:
        with started(service.workers, service.settings) as submit:
            desk = Desk(submit, service.workers, service.places, service.settings, verdicts)
            asyncio.run(_serve(service, desk, tasks))
    finally:
        verdicts.close()


async def _serve(service: Service, desk: Desk, tasks: Mapping[str, Task]) -> None:
    routes = application(desk, tasks, service.token, service.wait)
    async with serving(routes, service.host, service.port, patience=service.wait) as server:
        click.echo(
            f"serving verdicts on {counted(len(tasks), 'task')} at {server.url} with "
            f"{counted(service.workers, 'worker')}"
        )
        await server.ended.wait()
        click.echo(f"stopping: {desk.waiting} questions are answered first")
