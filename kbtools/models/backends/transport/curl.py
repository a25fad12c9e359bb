"""Calls by libcurl: TLS, proxies and compression of any kind.

Nothing is sent twice once an answer has begun, no redirect is followed, and no cookie is kept.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import certifi
import pycurl

from kbtools.models.backends.transport.multi import Multi
from kbtools.models.backends.transport.response import MOST_BODY, Lost, NoResponse, Response

_TLS = "error:"
"""How OpenSSL begins to say what is wrong with the other side; a connection that breaks has no such number."""
_LOST = {
    pycurl.E_OPERATION_TIMEDOUT: Lost.TIMEOUT,
    pycurl.E_COULDNT_CONNECT: Lost.UNREACHED,
    pycurl.E_COULDNT_RESOLVE_HOST: Lost.UNREACHED,
    pycurl.E_COULDNT_RESOLVE_PROXY: Lost.UNREACHED,
    pycurl.E_PEER_FAILED_VERIFICATION: Lost.UNTRUSTED,
    pycurl.E_SSL_CACERT_BADFILE: Lost.UNTRUSTED,
    pycurl.E_SSL_ISSUER_ERROR: Lost.UNTRUSTED,
}
"""What libcurl's errors mean; all others are broken connections."""


@dataclass(slots=True)
class _Heard:
    """What has come of one response."""

    lines: list[bytes] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def body(self, part: bytes) -> int:
        """Take a part of the body, already unpacked; libcurl breaks off where less is taken than it gave."""
        self.size += len(part)
        if self.size > MOST_BODY:
            return 0
        self.parts.append(part)
        return len(part)

    def header(self, line: bytes) -> None:
        """Take a line; a status line begins the headers anew, as after `100 Continue`."""
        if line.startswith(b"HTTP/"):
            self.lines.clear()
        else:
            self.lines.append(line)

    def response(self, status: int) -> Response:
        """All of it."""
        pairs = (line.decode("latin-1").partition(":") for line in self.lines)
        headers = {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}
        return Response(status, headers, b"".join(self.parts))


class CurlCalls:
    """Calls of one event loop. Handles are used again, so that a call sets only what is its own."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._multi = Multi()
        # Without `Expect`, else servers that do not know it cost a second for each body of more than 1 MB.
        self._headers = [b"Expect:", *(f"{name}: {value}".encode() for name, value in headers.items())]
        self._trusted = _trusted_files()
        self._idle: list[pycurl.Curl] = []

    async def call(self, url: str, body: bytes | None, timeout: float, proxy: str | None = None) -> Response:
        """POST the body, or GET without one, within so many seconds; raises NoResponse."""
        handle, heard = self._idle.pop() if self._idle else self._handle(), _Heard()
        self._address(handle, url, body, timeout, proxy)
        handle.setopt(pycurl.WRITEFUNCTION, heard.body)
        handle.setopt(pycurl.HEADERFUNCTION, heard.header)
        try:
            await self._multi.perform(handle)
        except pycurl.error as error:
            code, words = error.args
            raise NoResponse(_lost(code, words), words, handle.getinfo(pycurl.HTTP_CONNECTCODE)) from error
        self._idle.append(handle)
        return heard.response(handle.getinfo(pycurl.RESPONSE_CODE))

    def close(self) -> None:
        """End what is under way; its calls are cancelled."""
        self._multi.close()

    def _handle(self) -> pycurl.Curl:
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
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.PROXY, proxy or "")  # an empty one keeps libcurl from looking at the environment itself
        handle.setopt(pycurl.TIMEOUT_MS, max(1, round(timeout * 1000)))
        if body is None:
            handle.setopt(pycurl.HTTPGET, 1)
        else:
            handle.setopt(pycurl.POSTFIELDS, body)


def _lost(code: int, words: str) -> Lost:
    if code == pycurl.E_SSL_CONNECT_ERROR and _TLS in words:
        return Lost.UNTRUSTED
    return _LOST.get(code, Lost.BROKE)


@dataclass(frozen=True, slots=True)
class _Trusted:
    """Files of the authorities whose certificates are trusted; a libcurl from a wheel knows none by itself."""

    cafile: str | None
    capath: str | None


def _trusted_files() -> _Trusted:
    """What Python trusts, SSL_CERT_FILE and SSL_CERT_DIR included, or else the list of certifi."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())):
        return _Trusted(paths.cafile, paths.capath)
    return _Trusted(certifi.where(), None)
