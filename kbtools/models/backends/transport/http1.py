"""The responses of a connection over HTTP/1.1, read as their bytes come by llhttp (Node's parser), and unpacked.

What does not say for certain where it ends is not guessed at: it is a broken response.
"""

from __future__ import annotations

import zlib

from httptools import HttpParserError, HttpResponseParser

from kbtools.models.backends.transport.response import MOST_BODY, Response
from kbtools.wording import counted

MOST_HEAD = 2**17
"""Bytes of a head, or of trailers; no server that means well sends more."""
ACCEPTED = "gzip, deflate"
"""What is unpacked here, as a header says it."""
MOST_MEMBERS = 1000
"""Of a body by gzip: what lies behind each is copied once more."""
TOO_LARGE = f"the body has more than {MOST_BODY:,} bytes"
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_NO_BODY = (204, 304)
_LISTS = ("transfer-encoding", "content-encoding")
"""Fields of which each counts."""


class BrokenResponse(Exception):
    """Bytes that are no response, or not a whole one."""


class ResponseReader:
    """The responses of one connection. After `begin`, `feed` it until it says that the response is there."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,  # as old servers write them: folded
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
            lenient_chunked_length=True,  # chunks beside a length: that connection is not used again
        )
        self.begin()

    def begin(self) -> None:
        """Expect the next response, of a connection that could be used again after the last."""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.reusable = False
        """Whether the connection can carry a further request."""
        self.begun = False
        """Whether anything has come."""
        self._parts: list[bytes] = []
        self._size = 0
        self._outside = 0
        """Bytes that came since the last of the body did."""
        self._done = self._until_closed = False
        self._problem: BrokenResponse | None = None

    def feed(self, data: bytes | memoryview) -> bool:
        """Take what came; True once the response is whole. Raises BrokenResponse."""
        self.begun = True
        size = self._size
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            if not self._done:
                raise self._problem or BrokenResponse(f"what came is not HTTP/1.1: {error}") from error
            self.reusable = False  # nobody asked for what follows
        self._outside = self._outside + len(data) if self._size == size else 0
        if self._outside > MOST_HEAD and not self._done:
            raise BrokenResponse(f"a head or trailers have more than {counted(MOST_HEAD, 'byte')}")
        return self._done

    def closed(self) -> None:
        """Take the end of the connection; raises BrokenResponse unless the response is whole with it."""
        if not self.begun:
            raise BrokenResponse("Empty reply from server")
        if not self._until_closed:
            length = self.headers.get("content-length") if self.status else None
            missing = counted(int(length) - self._size, "byte") if length else "more"
            raise BrokenResponse(f"closed in the middle of the response, with {missing} to come")

    def response(self) -> Response:
        """What has come, unpacked; raises BrokenResponse for what cannot be."""
        parts, self._parts = self._parts, []
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        if coding := self.headers.get("content-encoding"):
            body = _unpacked(body, coding)
        return Response(self.status, self.headers, body)

    def on_message_begin(self) -> None:
        """Of a response, or of what follows it."""
        if self._done:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; what comes behind a body does not count. Of several with one name the last does."""
        if not self.status:
            key = name.decode("latin-1").lower()
            text = value.decode("latin-1")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers and key in _LISTS else text

    def on_headers_complete(self) -> None:
        """Find out where the response ends, and whether the connection can be used after it."""
        if self._done:
            return
        status = self._parser.get_status_code()
        if status == 101:
            self._refuse("the server changes to another protocol, which it was not asked for")
        if status < 200:
            self.headers.clear()
            return
        self.status, coding = status, self.headers.get("transfer-encoding")
        if coding is not None and coding.lower() != "chunked":
            self._refuse(f"the server uses the transfer coding {coding!r}, which it was not asked for")
        ends, sized = coding is not None or status in _NO_BODY, "content-length" in self.headers
        self._until_closed = not (ends or sized)
        self.reusable = self._parser.should_keep_alive() and ends != sized

    def on_body(self, part: bytes) -> None:
        """Some bytes of the body; those of a second response, which nobody asked for, are no part of the first."""
        if self._done:
            return
        self._parts.append(part)
        self._size += len(part)
        if self._size > MOST_BODY:
            self._refuse(TOO_LARGE)

    def on_message_complete(self) -> None:
        """The end of a response, if not of one that only says that another is to come."""
        self._done = bool(self.status)

    def _refuse(self, words: str) -> None:
        """What is raised in here comes out of llhttp as an error of its own, so it is kept."""
        self._problem = BrokenResponse(words)
        raise self._problem


def _unpacked(body: bytes, coding: str) -> bytes:
    """The body as it was before these codings, the last of which was the last to be used."""
    for name in reversed([part.strip().lower() for part in coding.split(",")]):
        if name in ("gzip", "x-gzip"):
            body = _inflated(body, _GZIP)
        elif name == "deflate":
            body = _inflated(body, _ZLIB if _is_zlib(body) else _RAW)
        elif name not in ("", "identity"):
            raise BrokenResponse(f"the body is packed as {name!r}, which was not offered")
    return body


def _is_zlib(body: bytes) -> bool:
    """Whether a body begins with zlib's header; many servers send `deflate` without it."""
    return len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def _inflated(body: bytes, window: int) -> bytes:
    parts: list[bytes] = []
    left = MOST_BODY
    while len(parts) < MOST_MEMBERS:
        unpacker = zlib.decompressobj(window)
        try:
            parts.append(unpacker.decompress(body, left + 1))
        except zlib.error as error:
            raise BrokenResponse(f"the body cannot be unpacked ({error})") from error
        left -= len(parts[-1])
        if left < 0:
            raise BrokenResponse(TOO_LARGE)
        if not unpacker.eof:
            raise BrokenResponse("the packed body has no end")
        body = unpacker.unused_data
        if window != _GZIP or not body.startswith(b"\x1f\x8b"):  # gzip may have several members
            return b"".join(parts)
    raise BrokenResponse(f"the packed body has more than {counted(MOST_MEMBERS, 'part')}")
