"""Many HTTP calls at once on one event loop, by libcurl: connections that are kept, TLS, proxies, compression.

Nothing is sent twice once an answer has begun, no redirect is followed, and no cookie is kept; what a response means is
read elsewhere.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from kbtools.errors import ConfigError
from kbtools.models.backends.multi import Multi

if TYPE_CHECKING:
    import pycurl


class NoResponse(Exception):
    """A call to which no whole response came: by the number and the words of libcurl."""

    def __init__(self, code: int, words: str, proxy_status: int = 0) -> None:
        super().__init__(words)
        self.code = code
        self.proxy_status = proxy_status
        """HTTP status with which a proxy refused to connect; 0 if none did."""


@dataclass(slots=True)
class Response:
    """What came back. Names of headers are in small letters; of several with one name the last counts."""

    status: int = 0
    lines: list[bytes] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def headers(self) -> Mapping[str, str]:
        pairs = (line.decode("latin-1").partition(":") for line in self.lines)
        return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}

    def header(self, line: bytes) -> None:
        """Take a line; a status line begins the headers anew, as after `100 Continue`."""
        if line.startswith(b"HTTP/"):
            self.lines.clear()
        else:
            self.lines.append(line)


class Transport:
    """Calls of one event loop. Handles are used again, so that a call sets only what is its own."""

    def __init__(self, multi: Multi, headers: Mapping[str, str]) -> None:
        self._multi = multi
        # Without `Expect`, else servers that do not know it cost a second for each body of more than 1 MB.
        self._headers = [b"Expect:", *(f"{name}: {value}".encode() for name, value in headers.items())]
        self._trusted = _trusted_files()
        self._idle: list[pycurl.Curl] = []

    async def call(self, url: str, body: bytes | None, timeout: float, proxy: str | None = None) -> Response:
        """POST the body, or GET without one, within so many seconds; raises NoResponse."""
        import pycurl

        handle, response = self._idle.pop() if self._idle else self._handle(), Response()
        self._address(handle, url, body, timeout, proxy)
        handle.setopt(pycurl.WRITEFUNCTION, response.parts.append)
        handle.setopt(pycurl.HEADERFUNCTION, response.header)
        try:
            await self._multi.perform(handle)
        except pycurl.error as error:
            code, words = error.args
            raise NoResponse(code, words, handle.getinfo(pycurl.HTTP_CONNECTCODE)) from error
        response.status = handle.getinfo(pycurl.RESPONSE_CODE)
        self._idle.append(handle)
        return response

    def _handle(self) -> pycurl.Curl:
        import pycurl

        handle = pycurl.Curl()
        handle.setopt(pycurl.HTTPHEADER, self._headers)
        handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        handle.setopt(pycurl.ACCEPT_ENCODING, "")  # all that it can unpack
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.TCP_KEEPALIVE, 1)
        for option, path in ((pycurl.CAINFO, self._trusted.cafile), (pycurl.CAPATH, self._trusted.capath)):
            if path:
                handle.setopt(option, path)
        return handle

    def _address(self, handle: pycurl.Curl, url: str, body: bytes | None, timeout: float, proxy: str | None) -> None:
        import pycurl

        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.PROXY, proxy or "")  # an empty one keeps libcurl from looking at the environment itself
        handle.setopt(pycurl.TIMEOUT_MS, max(1, round(timeout * 1000)))
        if body is None:
            handle.setopt(pycurl.HTTPGET, 1)
        else:
            handle.setopt(pycurl.POSTFIELDS, body)


@dataclass(frozen=True, slots=True)
class _Trusted:
    """Files of the authorities whose certificates are trusted; a libcurl from a wheel knows none by itself."""

    cafile: str | None
    capath: str | None


def _trusted_files() -> _Trusted:
    """What Python trusts, SSL_CERT_FILE and SSL_CERT_DIR included, or else the list of certifi."""
    import certifi

    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())):
        return _Trusted(paths.cafile, paths.capath)
    return _Trusted(certifi.where(), None)


@asynccontextmanager
async def opened(headers: Mapping[str, str]) -> AsyncIterator[Transport]:
    """A transport for the running event loop, whose calls all carry these headers; open calls end with it."""
    if wrong := [name for name, value in headers.items() if "\n" in value or "\r" in value]:
        raise ConfigError(f"the header {wrong[0]} holds a line end: look at the end of the key that it was made from")
    with closing(Multi()) as multi:
        yield Transport(multi, {"User-Agent": "kbtools", **headers})


def ascii_url(url: str) -> str:
    """The URL as it goes over the wire: other letters in it are written as the standards want it."""
    return str(URL(url))


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for a URL, looked up once instead of at each call."""
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)
