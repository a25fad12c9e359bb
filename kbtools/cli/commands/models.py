"""`kbtools models`: which servers are known, which model would be asked and why, and whether it answers."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from kbtools.cli.ui.consoles import console
from kbtools.cli.ui.text import printable
from kbtools.errors import KbError
from kbtools.models.choice import chosen_model, model_backend
from kbtools.models.profiles import BUILT_IN, Profile, read_config

if TYPE_CHECKING:
    from kbtools.models.backends.http import HttpBackend
    from kbtools.models.backends.transport import Response

_PATIENCE = 10.0
"""Seconds that a server has for its list of models."""


@click.command()
@click.argument("spec", required=False)
def models_command(spec: str | None) -> int:
    """List the profiles of servers, say which model would be used and why, and ask its server whether it is there.

    SPEC is asked for instead of the default model. Nothing is generated and nothing is paid for. Exit code 3 when the
    model cannot be used.
    """
    table = Table("profile", "server", "key")
    for name, profile in sorted({**BUILT_IN, **read_config().profiles}.items()):
        table.add_row(name, Text(printable(profile.base_url)), _key(profile))
    console().print(table)
    model, why = (spec, "as given") if spec else chosen_model()
    if not model:
        click.echo("no model is configured: set KBTOOLS_MODEL or DATA_MODEL, or [model] default in kbtools.toml.")
        return 3
    click.echo(printable(f"model: {model} ({why})"))
    said, works = _state(model)
    click.echo(printable(said))
    return 0 if works else 3


def _key(profile: Profile) -> str:
    if profile.key_env is None:
        return "none needed"
    return f"{profile.key_env} is set" if os.environ.get(profile.key_env) else f"{profile.key_env} is not set"


def _state(spec: str) -> tuple[str, bool]:
    """What is known of a model, and whether it can be used as far as that shows."""
    from kbtools.models.backends.http import HttpBackend

    try:
        backend = model_backend(spec)
    except KbError as error:
        return f"it cannot be used: {error}", False
    try:
        if not isinstance(backend, HttpBackend):
            return "it is started for a run, so there is no server to ask now.", True
        return _answer(backend)
    finally:
        backend.close()


def _answer(backend: HttpBackend) -> tuple[str, bool]:
    """What a server says to the question for its models."""
    from kbtools.models.backends.http import shown
    from kbtools.models.backends.transport import NoResponse

    asked = backend.address("/models")
    url = shown(asked)
    try:
        answer = asyncio.run(_get(asked, dict(backend.headers)))
    except NoResponse as error:
        return f"{url} does not answer ({error}). Is the server up, and the address right?", False
    if answer.status in (401, 403):
        return f"{url} refuses the key (HTTP {answer.status}). The key is {backend.credentials}.", False
    if answer.status != 200:
        said = f"{url} answers HTTP {answer.status}, so it cannot be told whether the model is there."
        return said, answer.status == 404
    names = sorted(_names(answer.body))
    if backend.model in names or not names:
        return f"{url} answers, and {backend.model} is there." if names else f"{url} answers.", True
    return f"{url} answers, but has no {backend.model}. It has: {', '.join(names[:20])}.", False


async def _get(url: str, headers: dict[str, str]) -> Response:
    """As a run calls: the same certificates, proxies and headers."""
    from kbtools.models.backends.transport import ascii_url, opened, proxy_for

    async with opened(headers) as transport:
        return await transport.call(ascii_url(url), None, _PATIENCE, proxy_for(url))


def _names(body: bytes) -> Iterator[str]:
    """The names in a list of models; none of what is no such list."""
    try:
        listed = json.loads(body)
    except ValueError:
        return
    entries = listed.get("data") if isinstance(listed, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("id"), str):
            yield entry["id"]
