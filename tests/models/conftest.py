"""Stores in the test's own folder, requests, and scripted servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kbtools.models import Options, Request, ResponseStore, chat
from kbtools.models.backends.http import HttpBackend
from tests.servers.openai_server import OpenAIServer


@pytest.fixture
def store(tmp_path) -> Iterator[ResponseStore]:
    with ResponseStore(tmp_path / "responses.sqlite") as opened:
        yield opened


@pytest.fixture
def ask():
    """Requests for numbered rows."""

    def requests(count: int, **fields) -> list[Request]:
        return [chat("test-model", [{"role": "user", "content": f"row {i}"}], **fields) for i in range(count)]

    return requests


@pytest.fixture
def serve():
    """Start scripted servers that end with the test; returns a server and a backend for it."""
    running: list[OpenAIServer] = []

    def start(**settings) -> tuple[OpenAIServer, HttpBackend]:
        server = OpenAIServer(**settings)
        running.append(server.__enter__())
        return server, HttpBackend(server.url, "test-model")

    yield start
    for server in running:
        server.__exit__()


@pytest.fixture
def quick() -> Options:
    """Retries without long waits."""
    return Options(timeout=3.0, backoff=0.01)
