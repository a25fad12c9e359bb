"""Many HTTP calls at once on one event loop: connections that are kept, TLS, proxies, compression.

What a response means is read elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager, closing
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from kbtools.errors import ConfigError
from kbtools.models.backends.transport.plain import PlainCalls, is_plain
from kbtools.models.backends.transport.response import Lost, NoResponse, Response

if TYPE_CHECKING:
    from kbtools.models.backends.transport.curl import CurlCalls

__all__ = ["Lost", "NoResponse", "Response", "Transport", "ascii_url", "opened", "proxy_for"]


class Transport:
    """Calls of one event loop: straight to a server where its URL allows that, else by libcurl."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._plain = PlainCalls(headers)
        self._is_plain: dict[str, bool] = {}

    @cached_property
    def _curl(self) -> CurlCalls:
        from kbtools.models.backends.transport.curl import CurlCalls

        return CurlCalls(self._headers)

    def call(self, url: str, body: bytes | None, timeout: float, proxy: str | None = None) -> Awaitable[Response]:
        """POST the body, or GET without one, within so many seconds; raises NoResponse."""
        plain = self._is_plain.get(url)
        if plain is None:
            plain = self._is_plain[url] = is_plain(url)
        return (
            self._plain.call(url, body, timeout) if plain and not proxy else self._curl.call(url, body, timeout, proxy)
        )

    def close(self) -> None:
        """End what is under way; its calls are cancelled."""
        self._plain.close()
        if "_curl" in self.__dict__:
            self._curl.close()


@asynccontextmanager
async def opened(headers: Mapping[str, str]) -> AsyncIterator[Transport]:
    """A transport for the running event loop, whose calls all carry these headers; open calls end with it."""
    if wrong := [name for name, value in headers.items() if "\n" in value or "\r" in value]:
        raise ConfigError(f"the header {wrong[0]} holds a line end: look at the end of the key that it was made from")
    with closing(Transport({"User-Agent": "kbtools", **headers})) as transport:
        yield transport


def ascii_url(url: str) -> str:
    """The URL as it goes over the wire: other letters in it are written as the standards want it."""
    return str(URL(url))


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for a URL, looked up once instead of at each call."""
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    named = getproxies()
    return named.get(parts.scheme) or named.get("all")
