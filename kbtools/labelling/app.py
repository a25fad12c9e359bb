"""The server behind the page: rows out, labels in. It listens on loopback and answers only who knows its token.

A judge's verdict is sent when it is asked for, not before: who labels has to judge alone first.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp import web
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, ValidationError

from kbtools.data import labels
from kbtools.data.columns import column_type
from kbtools.data.labels import LabelFile, Value
from kbtools.data.table import column, row_names
from kbtools.data.writable import writable
from kbtools.errors import reason
from kbtools.report.page import asset

if TYPE_CHECKING:
    from datasets import Dataset

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:"
_HOSTS = ("127.0.0.1", "localhost")


class Given(BaseModel):
    """What the page sends: a label, or None to take one back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Value | None


@dataclass
class Labelling:
    """Rows to be labelled, and the file that takes the labels."""

    ds: Dataset
    file: LabelFile
    title: str
    columns: dict[str, str]
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @cached_property
    def keys(self) -> list[str]:
        """The key of every row."""
        return labels.keys(self.ds, self.file.question.shown)

    @cached_property
    def names(self) -> list[str]:
        """How every row is called."""
        return [writable(name) for name in row_names(self.ds, range(self.ds.num_rows), self.columns)]

    @property
    def judged(self) -> bool:
        """Whether the dataset has a verdict of what is labelled."""
        return column_type(self.ds.features, self.file.question.column) is not None

    @property
    def done(self) -> int:
        """Rows that have a label."""
        return sum(key in self.file.values for key in self.keys)

    def page(self) -> str:
        """The page, which asks for the rows by itself."""
        environment = Environment(autoescape=True, undefined=StrictUndefined)
        names = {"style": "style.css", "dom": "dom.js", "highlight": "highlight.js"}
        parts = {name: Markup(asset(file)) for name, file in names.items()}
        own = {name: Markup(asset(f"label.{name}", "kbtools.labelling")) for name in ("css", "js")}
        template = environment.from_string(asset("label.html.j2", "kbtools.labelling"))
        return template.render(title=self.title, policy=_POLICY, own=own, **parts)

    def overview(self) -> dict[str, object]:
        """What is asked, and every row with its label."""
        rows = [
            {"name": name, "value": self.file.values.get(key)} for name, key in zip(self.names, self.keys, strict=True)
        ]
        return {"question": self.file.question.model_dump(), "judged": self.judged, "rows": rows}

    def texts(self, row: int) -> list[dict[str, str | None]]:
        """The texts of a row, with their columns."""
        shown = self.file.question.shown
        (found,) = labels.shown_texts(self.ds.select([row]), shown)
        return [
            {"column": name, "text": None if text is None else writable(text)}
            for name, text in zip(shown, found, strict=True)
        ]

    def verdict(self, row: int) -> str:
        """What the dataset says of a row in the column that is labelled."""
        (value,) = column(self.ds.select([row]), self.file.question.column).to_pylist()
        return "no verdict" if value is None else writable(str(value))

    def label(self, row: int, value: Value | None) -> None:
        """Write a label."""
        self.file.add(self.keys[row], self.names[row], value)


def application(labelling: Labelling) -> web.Application:
    """The routes, all below the token."""
    app = web.Application(middlewares=[_only_from_here])

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=labelling.page(), content_type="text/html")

    async def overview(_: web.Request) -> web.Response:
        return web.json_response(labelling.overview())

    async def texts(request: web.Request) -> web.Response:
        return web.json_response(labelling.texts(_row(request, labelling)))

    async def verdict(request: web.Request) -> web.Response:
        if not labelling.judged:
            raise web.HTTPNotFound(text="the dataset has no such column")
        return web.json_response(labelling.verdict(_row(request, labelling)))

    async def label(request: web.Request) -> web.Response:
        row, value = _row(request, labelling), _given(await request.text(), labelling)
        try:
            labelling.label(row, value)
        except OSError as error:
            raise web.HTTPInsufficientStorage(text=f"the label was not written: {reason(error)}") from error
        return web.json_response({"done": labelling.done})

    base = f"/{labelling.token}"
    app.add_routes(
        [
            web.get(f"{base}/", page),
            web.get(f"{base}/rows", overview),
            web.get(f"{base}/rows/{{row}}", texts),
            web.get(f"{base}/rows/{{row}}/verdict", verdict),
            web.put(f"{base}/rows/{{row}}/label", label),
        ]
    )
    return app


@web.middleware
async def _only_from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a foreign page reaches under a name of its own, and let nothing be kept."""
    if request.url.host not in _HOSTS:
        raise web.HTTPForbidden(text=f"this page is at {' or '.join(_HOSTS)}")
    response = await handler(request)
    response.headers.update({"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    return response


def _row(request: web.Request, labelling: Labelling) -> int:
    text = request.match_info["row"]
    if not (text.isascii() and text.isdigit() and int(text) < labelling.ds.num_rows):
        raise web.HTTPNotFound(text=f"there is no row {text}")
    return int(text)


def _given(text: str, labelling: Labelling) -> Value | None:
    values = labelling.file.question.values
    try:
        value = Given.model_validate(json.loads(text)).value
    except (ValidationError, ValueError) as error:
        raise web.HTTPBadRequest(text=f"this is not a label: {error}") from error
    if value is not None and value not in values:
        raise web.HTTPBadRequest(text=f"{value!r} is not one of the labels {', '.join(map(str, values))}")
    return value
