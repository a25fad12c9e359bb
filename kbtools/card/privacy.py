"""What a card and a published lineage do not say: addresses of private servers, and where things lie on a machine.

A model keeps its name and a file its own; only where they were is left out. Everything else of a lineage is published.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import urlsplit

from kbtools.data.hub import datasets as from_hub
from kbtools.data.io.load import SAMPLE
from kbtools.data.io.source import Source
from kbtools.lineage import Lineage

SERVER = "private-server"
_PUBLIC = ("huggingface.co", "github.com", "api.openai.com", "openrouter.ai", "api.pinference.ai")
"""Hosts that everybody can name: of the Hub, and of the profiles that come with kbtools."""
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<place>(\[[0-9a-f:]*\])?[^\s'\"<>|#,;)\]}]*)")
_ADDRESS = re.compile(
    r"(?<![\w.])(\d{1,3}(\.\d{1,3}){3}|localhost|\[[0-9a-f:]*:[0-9a-f:]+(%\w+)?\]|[\w.-]+@[\w.-]+(?=:[/~]))(:\d+)?(?![\w.])",
    re.IGNORECASE,
)
_PATH = re.compile(
    r"(?<![\w./\\~-])(~[\w.-]*/|\.{1,2}/|/[^\s/'\"<>|,;:()#]+/)([^\s/'\"<>|,;:()#]+/)*(?P<name>[^\s/'\"<>|,;:()#]*)"
)
_WINDOWS = re.compile(r"(?<![\w\\])([A-Za-z]:\\|\\\\[^\s\\]+\\)[^\s'\"<>|,;]+")
_SCHEME = re.compile(r"^(?P<scheme>[a-z-]+:|https?://[^#]*#)(?P<rest>.+)$", re.DOTALL)
_ROOTED = re.compile(r"^(/[^/]+/|~|\.{1,2}/|[A-Za-z]:\\|\\\\)")
_HOME = re.compile(r"^((/home|/Users|[A-Za-z]:\\Users)[/\\][^/\\]+|~[^/\\]*)[/\\]*$")
"""A home folder, whose own name is that of its user."""


def public(lineage: Lineage) -> Lineage:
    """The lineage as it may be published."""
    source = public_source(lineage.source) if lineage.source else None
    whole = lineage.model_dump(mode="json", exclude={"source", "versions"})
    return Lineage.model_validate({**_cleaned(whole), "source": source, "versions": lineage.versions})


def public_source(source: Source) -> Source:
    """A source without the folder that a file is in."""
    if source.dataset == SAMPLE or from_hub.is_on_hub(source):
        return source
    return source.model_copy(update={"dataset": _file_name(source.dataset)})


def _cleaned(value: object) -> Any:
    if isinstance(value, dict):
        return {_text(key): _cleaned(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_cleaned(part) for part in value]
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    match = _SCHEME.match(text)
    scheme, rest = (match["scheme"], match["rest"]) if match else ("", text)
    if "\n" not in rest and _is_place(rest):
        return _text(scheme) + _file_name(rest) if scheme else _file_name(rest)
    for pattern, instead in ((_URL, _url), (_ADDRESS, _server), (_WINDOWS, _windows), (_PATH, _named)):
        text = pattern.sub(instead, text)
    host = socket.gethostname()
    return re.sub(rf"\b{re.escape(host)}\b", SERVER, text) if len(host) > 3 and host != "localhost" else text


def _is_place(text: str) -> bool:
    """Whether the whole text says where something lies on this machine or another."""
    if _ROOTED.match(text):
        return True
    return "/" in text and len(text) < 1_000 and Path(text).exists()


def _file_name(place: str) -> str:
    if _HOME.match(place):
        return "folder"
    name = PureWindowsPath(place).name if "\\" in place else Path(place.rstrip("/")).name
    return name or "folder"


def _url(match: re.Match[str]) -> str:
    if match["scheme"] == "hf":
        return match[0]
    if urlsplit(match[0]).hostname in _PUBLIC and "@" not in match["place"]:
        return match[0]
    return _file_name(match["place"]) if match["scheme"] == "file" else f"{match['scheme']}://{SERVER}"


def _server(match: re.Match[str]) -> str:
    return SERVER


def _windows(match: re.Match[str]) -> str:
    return _file_name(match[0])


def _named(match: re.Match[str]) -> str:
    return "folder" if _HOME.match(match[0]) else match["name"] or "folder"
