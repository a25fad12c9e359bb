"""A server whose model name chooses how it misbehaves: replies as real servers, gateways and engines send them.

Each behaviour is a `Sent`: status, headers, bytes, and what is done to the connection. `table()` names them all.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD = '{"difficulty_reason": "a copy", "difficulty": "low"}'
CODE = "<answer>\nclass NetNew: pass\n</answer>"


@dataclass(frozen=True)
class Sent:
    """What goes over the wire. `body` may look at the request and at how often the behaviour was asked for."""

    body: Callable[[dict[str, Any], int], bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    drop: str = ""
    """`middle` closes the connection in the body, `after` behind it."""
    then_good: bool = False
    """Whether only the first call is treated so."""


def completion(content: object, finish: object = "stop", usage: object = None, **message: object) -> dict[str, Any]:
    """A chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    counted = {"prompt_tokens": 5, "completion_tokens": 5} if usage is None else usage
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": counted}


def sent(payload: object, status: int = 200, **more: Any) -> Sent:
    """A body of JSON, or bytes as they are."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Sent(lambda request, call: body, status, **more)


def error(status: int, message: str, **fields: object) -> Sent:
    """An error object under a status."""
    return sent({"error": {"message": message, **fields}}, status)


def refusing(name: str, message: str, **fields: object) -> Sent:
    """A server that rejects every request with a parameter."""

    def body(request: dict[str, Any], call: int) -> bytes:
        wrong = {"error": {"message": message, "type": "invalid_request_error", **fields}}
        return json.dumps(wrong if name in request else completion(answer_to(request))).encode()

    return Sent(body, status=-1)


def answer_to(request: dict[str, Any]) -> str:
    """What a good model says: JSON to a judge, code to all others."""
    return GOOD if "difficulty" in json.dumps(request) else CODE


class Behaviours:
    """The running server; `calls` counts the requests to each model."""

    def __init__(self, table: dict[str, Sent]) -> None:
        self.table = table
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: object) -> None:
                """Silence."""

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.answer(self, request)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def answer(self, handler: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        """Send what the model's name asks for."""
        with self._lock:
            self.calls[request["model"]] += 1
            call = self.calls[request["model"]]
        behaviour = self.table[request["model"]]
        if behaviour.then_good and call > 1:
            behaviour = sent(completion(answer_to(request)))
        body = behaviour.body(request, call)
        status = behaviour.status if behaviour.status > 0 else (400 if b'"error"' in body[:12] else 200)
        handler.send_response(status)
        length = len(body) + (1000 if behaviour.drop == "middle" else 0)
        for name, value in {**behaviour.headers, "Content-Length": str(length)}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
        if behaviour.drop:
            handler.close_connection = True

    @contextmanager
    def serving(self) -> Iterator[Behaviours]:
        """Serve until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


def surrogate(text: str) -> bytes:
    """A body in which the mark `XX` of a text is half a surrogate pair, as byte-level tokenizers make them."""
    return json.dumps(completion(text)).replace("XX", "\\ud83d").encode()


def gzipped(payload: object) -> Sent:
    """A body that is compressed as its header says."""
    return sent(gzip.compress(json.dumps(payload).encode()), headers={"Content-Encoding": "gzip"})
