"""A client of `kbtools serve-verify`: rewards for candidates whose references stay with the server.

For reward functions of trainers: blocking calls, safe from several threads. The server's side is in the built-in
verification.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from http.client import HTTPException

from pydantic import BaseModel, ConfigDict, Field

from kbtools.errors import ConfigError, KbError

_BUSY = (429, 503, 504)
"""Statuses after which the same question is asked again, if there is time: the queue is full, the server is going down,
or something between gave up."""
_LONGEST_PAUSE = 30.0
_FOR_THE_WAY = 1.0
"""Seconds that the client waits for the server's word beyond the question's own."""


class Question(BaseModel):
    """A candidate for a task that the server knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    """Name of the task, as `/tasks` lists them."""
    candidate: str
    """The answer: code, or a text that holds it."""
    seconds: float = Field(600.0, gt=0, allow_inf_nan=False)
    """How long an answer is waited for. A question that nobody waits for any more is not checked."""


class Answer(BaseModel):
    """What the server says of a candidate: nothing of the reference, and no values of its outputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    """Digest of the task and the candidate: equal questions have equal answers."""
    task: str
    verdict: str
    reward: float
    finding: str
    """What is wrong, where and by how much."""
    kernels: dict[str, int]
    """Launches per forward by kernel name."""
    max_error: float | None
    speedup: float | None


class Unanswered(KbError):
    """The server gave no answer within the time that the client had."""

    exit_code = 3


class VerifyClient:
    """Asks a server for verdicts, again and again while it is busy or restarting.

    `url` is as `kbtools serve-verify` prints it, `token` what KBTOOLS_SERVE_TOKEN is there, `patience` the seconds
    until a question is given up with Unanswered.
    """

    def __init__(self, url: str, token: str = "", patience: float = 600.0) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._patience = patience

    def verify(self, task: str, candidate: str) -> Answer:
        """The verdict on a candidate; ConfigError for a token or task that the server does not know."""
        deadline = time.monotonic() + self._patience
        pause = 0.1
        while True:
            left = max(0.001, deadline - time.monotonic())
            status, body, wait = self._post(Question(task=task, candidate=candidate, seconds=left))
            if status == 200:
                return Answer.model_validate_json(body)
            if status not in (0, 202, *_BUSY):
                raise ConfigError(f"{self._url} refuses the question about {task!r} with {status}: {body[:300]}")
            pause = min(max(wait, 2 * pause), _LONGEST_PAUSE)
            if time.monotonic() + pause > deadline:
                raise Unanswered(
                    f"{self._url} gave no verdict within {self._patience:g} s; its last word: {body[:300]}"
                )
            time.sleep(pause)

    def _post(self, question: Question) -> tuple[int, str, float]:
        """Status (0 without a connection), body, and the seconds that the server asks to wait."""
        body = question.model_dump_json().encode()
        request = urllib.request.Request(f"{self._url}/verify", body, self._headers)
        try:
            with urllib.request.urlopen(request, timeout=question.seconds + _FOR_THE_WAY) as reply:
                return reply.status, reply.read().decode(), float(reply.headers.get("Retry-After", 0))
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _message(error.read()), float(error.headers.get("Retry-After", 0))
        except (OSError, HTTPException) as error:
            return 0, f"{type(error).__name__}: {error}", 0.0


def _message(body: bytes) -> str:
    text = body.decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, TypeError, KeyError):
        return text
