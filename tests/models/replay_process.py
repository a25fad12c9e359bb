"""A process that asks every behaviour of the replay table once, to be killed: `python replay_process.py URL STORE`."""

from __future__ import annotations

import sys
from contextlib import suppress

from kbtools.errors import ConfigError
from kbtools.models import JsonContract, Options, Repairing, Request, ResponseStore, Sampling, chat, run_requests
from kbtools.models.backends.http import HttpBackend
from tests.models.replay_table import CASES, TRIES

CONTRACT = JsonContract(
    {
        "type": "object",
        "properties": {
            "difficulty_reason": {"type": "string"},
            "difficulty": {"type": "string", "enum": ["low", "medium", "high"]},
        },
        "required": ["difficulty_reason", "difficulty"],
        "additionalProperties": False,
    }
)
QUICK = Options(max_attempts=TRIES, backoff=0.0, timeout=30, repeat_failures=False)


def request(name: str) -> Request:
    """What a judge asks of the behaviour of this name."""
    sampling = Sampling(temperature=0, max_tokens=100)
    turns = [{"role": "user", "content": "Rate the difficulty."}]
    return chat(name, turns, sampling=sampling, response_format=CONTRACT.response_format("difficulty"))


def ask(url: str, name: str, store: ResponseStore) -> None:
    """Bring the request to a stored reply; ConfigError for a fault of the endpoint."""
    run_requests([request(name)], HttpBackend(url, name), store, QUICK, review=Repairing(CONTRACT))


if __name__ == "__main__":
    with ResponseStore(sys.argv[2]) as opened:
        for name in CASES:
            with suppress(ConfigError):
                ask(sys.argv[1], name, opened)
