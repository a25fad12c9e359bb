"""Responses as servers write them, well and badly, read in whatever pieces they come."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbtools.models.backends.transport.http1 import MOST_HEAD, BrokenResponse, ResponseReader

BODY = b'{"choices": []}'
RAW_DEFLATE = zlib.compressobj(wbits=-zlib.MAX_WBITS)
PACKED = {
    "gzip": gzip.compress(BODY, mtime=0),
    "X-GZIP": gzip.compress(BODY[:4], mtime=0) + gzip.compress(BODY[4:]),
    "deflate": zlib.compress(BODY),
    "Deflate": RAW_DEFLATE.compress(BODY) + RAW_DEFLATE.flush(),
    "deflate, gzip": gzip.compress(zlib.compress(BODY)),
    "identity": BODY,
}


def head(*fields: str, line: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join((line, *fields, "", "")).encode()


def sized(body: bytes, *fields: str, line: str = "HTTP/1.1 200 OK") -> bytes:
    return head(f"Content-Length: {len(body)}", *fields, line=line) + body


CHUNKS = b"4;name=value\r\n" + BODY[:4] + b"\r\n00b \r\n" + BODY[4:] + b"\r\n0\r\nX-Check: 1\r\n%s\r\n"
WHOLE = {
    "length": sized(BODY),
    "chunks and trailers": head("Transfer-Encoding: Chunked") + CHUNKS % b"Content-Length: 9\r\n",
    "chunks beat a length": head("Content-Length: 3", "Transfer-Encoding: chunked") + CHUNKS % b"",
    "bare line feeds": sized(BODY).replace(b"\r\n", b"\n"),
    "a folded field": sized(BODY, "X-Long: one", "\ttwo"),
    "interim responses": head(line="HTTP/1.1 100 Continue") + head("Link: a", line="HTTP/1.1 103 Early") + sized(BODY),
    "no reason": sized(BODY, line="HTTP/1.1 200"),
    "HTTP/1.0 that keeps": sized(BODY, "Connection: Keep-Alive", line="HTTP/1.0 200 OK"),
}
"""Responses that end by themselves with BODY."""


def read(pieces: list[bytes]) -> ResponseReader:
    reader = ResponseReader()
    ends = [reader.feed(piece) for piece in pieces]
    assert ends == [False] * (len(pieces) - 1) + [True]
    return reader


@pytest.mark.parametrize("wire", WHOLE.values(), ids=WHOLE)
def test_a_response_is_the_same_in_whatever_pieces_it_comes(wire: bytes):
    for size in (len(wire), 1, 7, len(wire) - 1):
        response = read([wire[i : i + size] for i in range(0, len(wire), size)]).response()
        assert (response.status, response.body) == (200, BODY)
        assert "x-check" not in response.headers


@given(st.binary(max_size=300), st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_any_body_comes_through_any_chunks(body: bytes, sizes: list[int]):
    """Bodies that look like heads, chunks or ends are bodies."""
    chunks, at, turn = b"", 0, 0
    while at < len(body):
        part = body[at : at + sizes[turn % len(sizes)]]
        chunks += b"%x\r\n%s\r\n" % (len(part), part)
        at, turn = at + len(part), turn + 1
    wire = head("Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n"
    cut = min(len(wire) - 1, sizes[0] * 3)
    assert read([wire[:cut], wire[cut:]]).response().body == body


def test_what_follows_a_response_is_no_part_of_it():
    """As of a server that answers twice; the connection is not used again."""
    second = sized(b"another body")
    assert read([sized(BODY) + second]).response().body == BODY
    reader = read([sized(BODY)])
    reader.feed(second)
    assert (reader.response().body, reader.reusable) == (BODY, False)


@pytest.mark.parametrize("coding", PACKED)
def test_packed_bodies_are_unpacked(coding: str):
    assert read([sized(PACKED[coding], f"Content-Encoding: {coding}")]).response().body == BODY


@pytest.mark.parametrize("line", ["HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified"])
def test_some_statuses_have_no_body_whatever_they_say(line: str):
    assert read([head("Content-Length: 5", line=line)]).response().body == b""


def test_what_has_no_length_ends_with_its_connection():
    reader = ResponseReader()
    assert not reader.feed(head(line="HTTP/1.0 200 OK") + BODY[:5])
    assert not reader.feed(BODY[5:])
    reader.closed()
    assert reader.response().body == BODY


@pytest.mark.parametrize(
    ("wire", "reusable"),
    [
        (sized(BODY), True),
        (sized(BODY, "Connection: close"), False),
        (sized(BODY, line="HTTP/1.0 200 OK"), False),
        (WHOLE["HTTP/1.0 that keeps"], True),
        (WHOLE["chunks and trailers"], True),
        (WHOLE["chunks beat a length"], False),
        (sized(BODY) + b"more", False),
    ],
)
def test_only_a_connection_that_is_certain_to_be_free_is_used_again(wire: bytes, reusable: bool):
    assert read([wire]).reusable is reusable


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"),
        (head(line="HTTP/2 200"), "not HTTP/1.1"),
        (head(line="HTTP/1.1 2000 OK"), "not HTTP/1.1"),
        (head(line="HTTP/1.1 101 Switching Protocols"), "another protocol"),
        (head("no field"), "Invalid header"),
        (head("Content-Length: 5", "Content-Length: 5"), "Duplicate Content-Length"),
        (head("Content-Length: 5, 5"), "in Content-Length"),
        (head("Content-Length: -5"), "in Content-Length"),
        (head("Content-Length: 0x5"), "in Content-Length"),
        (head("Content-Length: "), "Empty Content-Length"),
        (head("Transfer-Encoding: gzip, chunked"), "transfer coding"),
        (head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), "transfer coding"),
        (head("Transfer-Encoding: chunked") + b"zz\r\n", "in chunk size"),
        (head("Transfer-Encoding: chunked") + b"-1\r\n", "in chunk size"),
        (head("Transfer-Encoding: chunked") + b"1\r\nab\r\n", "after chunk data"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * (MOST_HEAD + 1), "more than 131,072 bytes"),
        (head("Transfer-Encoding: chunked") + b"0\r\nX: " + b"a" * (MOST_HEAD + 1), "more than 131,072 bytes"),
        (head("Transfer-Encoding: chunked") + b"1" * 17, "Chunk size overflow"),
        (sized(b"no gzip", "Content-Encoding: gzip"), "cannot be unpacked"),
        (sized(gzip.compress(BODY, mtime=0)[:-9], "Content-Encoding: gzip"), "has no end"),
        (sized(gzip.compress(b"", mtime=0) * 1001, "Content-Encoding: gzip"), "more than 1,000 parts"),
        (sized(BODY, "Content-Encoding: br"), "'br', which was not offered"),
    ],
)
def test_what_is_no_certain_response_is_refused(wire: bytes, words: str):
    with pytest.raises(BrokenResponse, match=words):
        read([wire]).response()


@pytest.mark.parametrize("wire", [b"", b"HTTP/1.1 2", sized(BODY)[:-1], WHOLE["chunks and trailers"][:-1]])
def test_a_connection_that_closes_early_leaves_no_response(wire: bytes):
    reader = ResponseReader()
    if wire:
        reader.feed(wire)
    with pytest.raises(BrokenResponse):
        reader.closed()
