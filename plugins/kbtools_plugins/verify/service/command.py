"""The command `kbtools serve-verify`."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import get_args

import click

from kbtools.errors import ConfigError
from kbtools.paths import PathType
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.tiers import Tier

TOKEN = "KBTOOLS_SERVE_TOKEN"


@click.command("serve-verify")
@click.option("--dataset", required=True, help="Where the references are: a Hub id, a file, or `sample`.")
@click.option("--split", help="Split of the dataset.")
@click.option("--task-column", default="module_name", show_default=True, help="Column with the names of the tasks.")
@click.option("--host", default="127.0.0.1", show_default=True, help=f"Other than loopback needs {TOKEN}.")
@click.option("--port", default=8377, show_default=True, help="0 for any that is free.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1), help="Checks at a time.")
@click.option(
    "--queue", default=256, show_default=True, type=click.IntRange(1), help="Questions on their way; more get a 429."
)
@click.option("--wait", default=120.0, show_default=True, help="Seconds until a question is answered `not yet` (202).")
@click.option(
    "--tier",
    type=click.Choice(get_args(Tier)),
    default="auto",
    show_default=True,
    help="Where kernels run.",
)
@click.option("--timeout", default=60.0, show_default=True, help="Seconds that each process of a check may take.")
@click.option("--require-sandbox", is_flag=True, help="Fail where the sandbox cannot be enforced.")
@click.option("--store", type=PathType(), help="File that keeps verdicts, as for the stage verify.")
def serve_verify_command(
    dataset: str,
    split: str | None,
    task_column: str,
    host: str,
    port: int,
    workers: int,
    queue: int,
    wait: float,
    tier: Tier,
    timeout: float,
    require_sandbox: bool,
    store: Path | None,
) -> None:
    """Answer verdicts over HTTP; the references stay here. Ends on Ctrl-C or SIGTERM when all admitted have answers."""
    import kbtools as kb
    from kbtools.data.tasks import tasks_of
    from kbtools_plugins.verify.service.serve import Service, serve

    token = os.environ.get(TOKEN, "")
    if not token and not _is_loopback(host):
        raise ConfigError(f"--host {host} can be reached from other machines: set {TOKEN} to a secret first.")
    rows = kb.load(dataset, split=split)
    if isinstance(rows, dict):
        raise kb.errors.UsageError(f"{dataset} has the splits {', '.join(rows)}: choose one with --split.")
    settings = VerifySettings(tier=tier, timeout=timeout, require_sandbox=require_sandbox)
    serve(Service(settings, workers, queue, host, port, token, wait, store), tasks_of(rows, task_column))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
