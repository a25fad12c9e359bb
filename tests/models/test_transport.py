"""The transport of model calls against a server that is written byte by byte."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from kbtools.errors import ConfigError
from kbtools.models import Kind
from kbtools.models.backends.http import Post
from kbtools.models.backends.transport import Lost, NoResponse, ascii_url, curl, http1, opened

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Wire:
    """A server that answers each request with the next of its texts, and counts connections."""

    user = ""

    def __init__(self, answers: list[bytes], *, close_after: bool = False, silent: bool = False) -> None:
        self.answers, self.close_after, self.silent = answers, close_after, silent
        self.connections = 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == _LENGTH), 0)
                self.bodies.append(await reader.readexactly(length))
                self.heads.append(head)
                if self.silent:
                    continue
                writer.write(self.answers[min(len(self.heads), len(self.answers)) - 1])
                await writer.drain()
                if self.close_after:
                    break
        except asyncio.IncompleteReadError:
            self.gone.set()
        writer.close()


_LENGTH = b"content-length:"


WAYS = {"plain": "", "libcurl": "somebody:secret@"}
"""What stands before the host of a URL that is asked this way."""


@pytest.fixture(params=WAYS.values(), ids=WAYS, autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """All that is true of one way is true of the other."""
    monkeypatch.setattr(Wire, "user", request.param)
    return str(request.param)


@asynccontextmanager
async def on_the_wire(wire: Wire):
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with opened({"X-Key": "k"}) as transport:
        yield transport, f"http://{wire.user}127.0.0.1:{port}"
    server.close()


def run(wire: Callable[[], Wire], body: Callable[..., Awaitable[None]]) -> None:
    async def main() -> None:
        made = wire()
        async with on_the_wire(made) as (transport, url):
            await asyncio.wait_for(body(made, transport, url), 60)

    asyncio.run(main())


def test_connections_are_kept_and_used_again():
    """A hundred calls, five at a time, need five connections."""

    async def body(wire, transport, url):
        for _ in range(20):
            await asyncio.gather(*(transport.call(url, b"{}", 30) for _ in range(5)))
        assert (len(wire.heads), wire.connections) == (100, 5)

    run(lambda: Wire([OK]), body)


def test_a_kept_connection_that_the_server_has_closed_is_no_fault():
    """The server hangs up after each reply without saying so."""

    async def body(wire, transport, url):
        for _ in range(3):
            assert (await transport.call(url, b"{}", 30)).status == 200
            await asyncio.sleep(0.05)
        assert wire.connections == 3

    run(lambda: Wire([OK], close_after=True), body)


def test_a_large_body_is_sent_without_asking_first():
    """Servers that know no `Expect: 100-continue` would cost a second each time."""

    async def body(wire, transport, url):
        sent = b"x" * 3_000_000
        assert (await transport.call(url, sent, 60)).body == b"{}"
        assert wire.bodies == [sent]
        assert b"expect" not in wire.heads[0].lower()
        assert b"X-Key: k" in wire.heads[0]

    run(lambda: Wire([OK]), body)


def test_interim_responses_are_not_the_response():
    """`103 Early Hints` comes before the reply; its headers are none of the reply's."""
    early = b"HTTP/1.1 103 Early Hints\r\nRetry-After: 99\r\n\r\n"
    late = b"HTTP/1.1 429 No\r\nRetry-After: 1\r\nretry-after: 2\r\nContent-Length: 0\r\n\r\n"

    async def body(wire, transport, url):
        response = await transport.call(url, b"{}", 30)
        assert (response.status, response.headers["retry-after"]) == (429, "2")

    run(lambda: Wire([early + late]), body)


def test_giving_up_a_call_closes_its_connection():
    """Else a server would go on to write a reply that nobody waits for, and the next call would read it."""

    async def body(wire, transport, url):
        call = asyncio.create_task(transport.call(url, b"{}", 30))
        while not wire.heads:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await wire.gone.wait()

    run(lambda: Wire([], silent=True), body)


@pytest.mark.parametrize(
    ("sent", "kind", "words"),
    [
        (b"", Kind.CONNECTION, "broke: Empty reply from server"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", Kind.CONNECTION, "broke"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", Kind.CONNECTION, "broke"),
        (b"not HTTP at all", Kind.CONNECTION, "HTTP/"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", Kind.CONNECTION, "broke"),
    ],
)
def test_half_a_response_is_a_broken_connection_that_may_have_cost_something(sent, kind, words):
    async def body(wire, transport, url):
        answer = await Post(transport, url)(b"{}", 30)
        assert answer.kind is kind
        assert words in answer.error
        assert answer.maybe_billed

    run(lambda: Wire([sent], close_after=True), body)


def test_a_proxy_that_refuses_is_named_with_its_status():
    """What an office proxy says to a call without a password; the password of the URL is not shown."""

    async def body(wire, transport, url):
        url = url.replace(wire.user, "")
        proxy = url.replace("http://", "http://me:secret@")
        answer = await Post(transport, "https://models.invalid/v1", proxy)(b"{}", 30)
        assert answer.kind is Kind.CONNECTION
        assert f"the proxy {url} refused with HTTP 407" in answer.error
        assert "secret" not in answer.error

    run(lambda: Wire([b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"]), body)


def test_no_answer_in_time_is_told_from_a_broken_connection():
    async def body(wire, transport, url):
        with pytest.raises(NoResponse) as told:
            await transport.call(url, b"{}", 0.2)
        assert "timed out" in str(told.value)
        assert (await Post(transport, url)(b"{}", 0.2)).kind is Kind.TIMEOUT

    run(lambda: Wire([], silent=True), body)


def test_the_time_of_each_call_is_its_own():
    """A call of little time ends beside one of much, whichever came first."""

    async def body(wire, transport, url):
        long = asyncio.create_task(transport.call(url, b"{}", 60))
        for seconds in (0.3, 0.1):
            with pytest.raises(NoResponse, match="timed out"):
                await transport.call(url, b"{}", seconds)
        together = [transport.call(url, b"{}", seconds) for seconds in (0.4, 0.2, 0.3)]
        ended = await asyncio.gather(*together, return_exceptions=True)
        assert [type(error) for error in ended] == [NoResponse] * 3
        assert not long.done()
        long.cancel()

    run(lambda: Wire([], silent=True), body)


def test_calls_under_way_are_cancelled_with_their_transport():
    """Nobody waits for ever for a call whose transport is closed."""

    async def main() -> None:
        wire = Wire([], silent=True)
        async with on_the_wire(wire) as (transport, url):
            calls = [asyncio.create_task(transport.call(url, b"{}", 60)) for _ in range(5)]
            while len(wire.heads) < 5:
                await asyncio.sleep(0.01)
        ended = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 60)
        assert [type(error) for error in ended] == [asyncio.CancelledError] * 5

    asyncio.run(main())


def test_a_key_with_a_line_end_is_refused_before_any_call():
    """Copied with its line end, it would end the header, and what follows would be another."""

    async def main() -> None:
        async with opened({"Authorization": "Bearer abc\r\nX-Evil: 1"}):
            raise AssertionError("such a header was taken")

    with pytest.raises(ConfigError, match="line end") as told:
        asyncio.run(main())
    assert "abc" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://exämple.com/v1", "https://xn--exmple-cua.com/v1"),
        ("http://h/modelle/größe", "http://h/modelle/gr%C3%B6%C3%9Fe"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_addresses_are_written_as_the_wire_wants_them(url, sent):
    assert ascii_url(url) == sent


def test_a_reply_that_comes_before_the_request_is_sent_ends_the_connection():
    """What is left of the request would be read as the next one."""

    async def body(wire, transport, url):
        response = await transport.call(url, b"x" * 30_000_000, 60)
        assert response.status == 413
        assert (await transport.call(url, b"{}", 60)).status == 413

    class Hasty(Wire):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            while await reader.read(1 << 20):  # to close with something unread would end what was answered, too
                pass

    run(lambda: Hasty([]), body)


@pytest.mark.parametrize("packed", [True, False])
def test_a_body_that_would_fill_the_memory_is_broken_off(packed, monkeypatch):
    """A packed body of 300 kB can be 300 MB; one in chunks need not end at all. Here both are smaller."""
    for transport in (curl, http1):
        assert transport.MOST_BODY == 256 * 2**20
        monkeypatch.setattr(transport, "MOST_BODY", 2**20)
    zeros = b"\0" * 2**12
    if packed:
        packer = zlib.compressobj(wbits=31)
        bomb = b"".join([*(packer.compress(zeros) for _ in range(300)), packer.flush()])
        sent = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(bomb), bomb)
    else:
        sent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"1000\r\n" + zeros + b"\r\n") * 300

    async def body(wire, transport, url):
        with pytest.raises(NoResponse) as told:
            await transport.call(url, b"{}", 60)
        assert told.value.lost is Lost.BROKE

    run(lambda: Wire([sent]), body)


def test_a_server_that_comes_back_elsewhere_is_found_by_its_name():
    """The address of `localhost` is looked up again when nothing listens where it was."""

    async def body(wire, transport, url):
        url = url.replace("127.0.0.1", "localhost")
        assert (await transport.call(url, b"{}", 30)).status == 200
        with pytest.raises(NoResponse) as told:
            await transport.call("http://localhost:1/v1", b"{}", 30)
        assert told.value.lost is Lost.UNREACHED
        calls = [transport.call(url, b"{}", 30) for _ in range(20)]
        assert [response.status for response in await asyncio.gather(*calls)] == [200] * 20

    run(lambda: Wire([OK]), body)


def test_a_request_on_a_kept_connection_is_sent_once_more_and_no_oftener():
    """The server takes the request and hangs up: on a kept connection that may be its idle time, on a new one not."""

    class Rude(Wire):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            for _ in range(2):
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                self.heads.append(head)
                if len(self.heads) > 1:
                    break
                writer.write(OK)
            writer.close()

    async def body(wire, transport, url):
        assert (await transport.call(url, b"{}", 30)).status == 200
        with pytest.raises(NoResponse) as told:
            await transport.call(url, b"{}", 30)
        assert told.value.lost is Lost.BROKE
        assert (len(wire.heads), wire.connections) == (3, 2)

    run(lambda: Rude([]), body)


@pytest.mark.parametrize("host", ["a" * 64, "a..b", "nobody.invalid"])
def test_a_name_that_cannot_be_looked_up_is_a_server_that_is_not_reached(host):
    """Whatever is wrong with it, rows fail one by one and by the same kind."""

    async def body(wire, transport, url):
        answer = await Post(transport, f"http://{wire.user}{host}:1/v1")(b"{}", 30)
        assert answer.kind is Kind.CONNECTION
        assert "cannot connect" in answer.error
        assert not answer.maybe_billed

    run(lambda: Wire([]), body)


def test_an_address_of_ipv6_is_asked(way):
    """It stands in brackets in the URL, and in the header `Host`."""

    async def main() -> None:
        wire = Wire([OK])
        try:
            server = await asyncio.start_server(wire.serve, "::1", 0)
        except OSError:
            pytest.skip("no IPv6 here")
        port = server.sockets[0].getsockname()[1]
        async with opened({}) as transport:
            response = await transport.call(f"http://{way}[::1]:{port}/v1", b"{}", 30)
        server.close()
        assert response.status == 200
        assert b"Host: [::1]:%d\r\n" % port in wire.heads[0]

    asyncio.run(main())
