"""Calls over TLS: what ends a reply there, and what may have cut it."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from kbtools.models import Answer, Kind
from kbtools.models.backends.http import Post
from kbtools.models.backends.transport import opened
from tests.servers.behaviours import GOOD, completion, sent

BODY = sent(completion(GOOD)).body({}, 1)
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
UNSIZED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate]
    names = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*made, *names], check=True, capture_output=True)
    return certificate, key


@contextmanager
def speaking(certificate: tuple[Path, Path], answer: Callable[[ssl.SSLSocket], None]) -> Iterator[str]:
    """A server that does so with each connection once a request is there; its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            with suppress(OSError):  # the end of the test
                while True:
                    connection = context.wrap_socket(listening.accept()[0], server_side=True)
                    connection.recv(65_536)
                    answer(connection)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://localhost:{listening.getsockname()[1]}/v1"
        listening.shutdown(socket.SHUT_RDWR)


def asked(url: str) -> Answer:
    async def main() -> Answer:
        async with opened({}) as transport:
            return await asyncio.wait_for(Post(transport, url)(b"{}", 30), 60)

    return asyncio.run(main())


def told(connection: ssl.SSLSocket) -> None:
    """Say that the connection ends, as TLS wants it."""
    with suppress(OSError):
        connection.unwrap()


@pytest.mark.parametrize(
    ("wire", "ends", "kind"),
    [
        (SIZED, told, Kind.OK),
        (SIZED, lambda connection: None, Kind.OK),
        (UNSIZED, told, Kind.OK),
        (UNSIZED, lambda connection: None, Kind.CONNECTION),
        (SIZED[:-1], told, Kind.CONNECTION),
    ],
    ids=["sized", "sized, not told", "told", "not told", "cut"],
)
def test_a_reply_ends_by_its_length_or_where_the_server_says_so(certificate, monkeypatch, wire, ends, kind):
    """Anybody on the way can close a connection: without a length, and without a word of the server, a reply is cut."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))

    def answer(connection: ssl.SSLSocket) -> None:
        connection.sendall(wire)
        ends(connection)

    with speaking(certificate, answer) as url:
        found = asked(url)
    assert found.kind is kind, found.error
    assert found.maybe_billed is (kind is Kind.CONNECTION)
