"""The response to one request over HTTP/1.1, read as its bytes come (RFC 9112), and its body unpacked.

What does not say for certain where it ends is not guessed at: it is a broken response.
"""

from __future__ import annotations

import re
import zlib

from kbtools.models.backends.transport.response import MOST_BODY, Response
from kbtools.wording import counted

MOST_HEAD = 2**17
"""Bytes of a head, of a chunk's size or of trailers; no server that means well sends more."""
ACCEPTED = "gzip, deflate"
"""What is unpacked here, as a header says it."""
TOO_LARGE = f"the body has more than {MOST_BODY:,} bytes"
_STATUS = re.compile(r"HTTP/1\.([01]) +([1-9]\d\d)(?: .*)?")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(r"\n[ \t]+")
"""Where a field goes on in the next line, as old servers write it."""
_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?")
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_NO_BODY = (204, 304)


class BrokenResponse(Exception):
    """Bytes that are no response, or not a whole one."""


class ResponseReader:
    """One response. `feed` it until it says that the response is there."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.reusable = False
        """Whether the connection can carry a further request."""
        self.begun = False
        """Whether anything has come."""
        self._step = self._head
        self._unread = bytearray()
        self._parts: list[bytes] = []
        self._size_so_far = 0
        self._left = 0
        """Bytes of the body, or of the chunk, that are still to come."""
        self._done = self._until_closed = False

    def feed(self, data: bytes) -> bool:
        """Take what came; True once the response is whole. Raises BrokenResponse."""
        self.begun = True
        self._unread += data
        while not self._done and self._step():
            pass
        if self._done and self._unread:
            self.reusable = False  # nobody asked for what follows
        return self._done

    def closed(self) -> None:
        """Take the end of the connection; raises BrokenResponse unless the response is whole with it."""
        if not self.begun:
            raise BrokenResponse("Empty reply from server")
        if not self._until_closed:
            missing = counted(self._left, "byte") if self._left else "more"
            raise BrokenResponse(f"closed in the middle of the response, with {missing} to come")

    def response(self) -> Response:
        """What has come, unpacked; raises BrokenResponse for what cannot be."""
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        if coding := self.headers.get("content-encoding"):
            body = _unpacked(body, coding)
        return Response(self.status, self.headers, body)

    def _head(self) -> bool:
        found = _END_OF_HEAD.search(self._unread)
        if found is None:
            if not b"HTTP/".startswith(self._unread[:5]):
                raise BrokenResponse("what came is not HTTP/1.1")
            self._refuse_more_than(MOST_HEAD)
            return False
        head = self._unread[: found.start()].decode("latin-1").replace("\r\n", "\n")
        del self._unread[: found.end()]
        line, _, fields = head.partition("\n")
        status = _STATUS.fullmatch(line)
        if status is None:
            raise BrokenResponse("what came is not HTTP/1.1")
        self.status, self.headers = int(status[2]), _headers(_FOLD.sub(" ", fields))
        if self.status >= 200:
            self._frame(status[1] == "1")
        elif self.status == 101:
            raise BrokenResponse("the server changes to another protocol, which it was not asked for")
        return True

    def _frame(self, keeps: bool) -> None:
        """Find out where the response ends, and whether the connection can be used after it."""
        said = self.headers.get("connection")
        self.reusable = (
            keeps if said is None else ("close" not in said.lower() if keeps else "keep-alive" in said.lower())
        )
        coding, length = self.headers.get("transfer-encoding"), self.headers.get("content-length")
        if self.status in _NO_BODY:
            self._done = True
        elif coding is not None:
            if coding.lower() != "chunked":
                raise BrokenResponse(f"the server uses the transfer coding {coding!r}, which it was not asked for")
            self.reusable = self.reusable and length is None  # both may be an attack on what is behind a proxy
            self._step = self._size
        elif length is not None:
            self._left, self._step = _length(length), self._body
        else:
            self.reusable, self._until_closed, self._step = False, True, self._rest

    def _body(self) -> bool:
        self._take()
        self._done = not self._left
        return False

    def _rest(self) -> bool:
        self._left = len(self._unread)
        self._take()
        return False

    def _size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        size = _SIZE.fullmatch(line)
        if size is None:
            raise BrokenResponse("a chunk has no size")
        self._left = int(size[1], 16)
        self._step = self._chunk if self._left else self._trailer
        return True

    def _chunk(self) -> bool:
        self._take()
        if not self._left:
            self._step = self._after_chunk
        return not self._left

    def _after_chunk(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if line:
            raise BrokenResponse("a chunk is longer than it says")
        self._step = self._size
        return True

    def _trailer(self) -> bool:
        """Pass over the lines behind the last chunk, to the empty one."""
        line = self._line()
        self._done = line is not None and not line
        return line is not None

    def _take(self) -> None:
        if len(self._unread) <= self._left:  # nearly always all of it: nothing is asked for before it is answered
            part, self._unread = bytes(self._unread), bytearray()
        else:
            part = bytes(self._unread[: self._left])
            del self._unread[: self._left]
        if part:
            self._parts.append(part)
            self._size_so_far += len(part)
            if self._size_so_far > MOST_BODY:
                raise BrokenResponse(TOO_LARGE)
            self._left -= len(part)

    def _line(self) -> bytes | None:
        end = self._unread.find(b"\n")
        if end < 0:
            self._refuse_more_than(MOST_HEAD)
            return None
        line = bytes(self._unread[:end]).removesuffix(b"\r")
        del self._unread[: end + 1]
        return line

    def _refuse_more_than(self, most: int) -> None:
        if len(self._unread) > most:
            raise BrokenResponse(f"a line or a head has more than {counted(most, 'byte')}")


def _headers(text: str) -> dict[str, str]:
    """The fields of a head. Of several with one name the last counts, but lengths have to agree."""
    found: dict[str, str] = {}
    for line in text.split("\n") if text else ():
        name, colon, value = line.partition(":")
        name, value = name.lower(), value.strip()
        if not colon:
            raise BrokenResponse(f"a line of the head is no field: {line[:80]!r}")
        if name in found and name == "content-length" and found[name] != value:
            raise BrokenResponse("the head gives two lengths")
        if name in found and name == "transfer-encoding":
            value = f"{found[name]}, {value}"
        found[name] = value
    return found


def _length(text: str) -> int:
    """A length, which some servers say twice in one field."""
    if text.isdecimal() and text.isascii():
        return int(text)
    said = {part.strip() for part in text.split(",")}
    (one, *others) = said
    if others or not one.isdecimal() or not one.isascii():
        raise BrokenResponse(f"the head gives the length {text!r}")
    return int(one)


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
    parts, left = [], MOST_BODY
    while True:
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
