"""Lines of batch files, as the OpenAI Batch API and `vllm run-batch` read and write them; `custom_id` is the key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from kbtools.models.backends.received import received
from kbtools.models.backends.wire import Dialect
from kbtools.models.kinds import Kind
from kbtools.models.reply import Answer
from kbtools.models.request import Request

_REPLY = {"choices", "output"}
"""Fields by which a reply is known, of chat completions and of the Responses API."""


def line_of(request: Request, dialect: Dialect, model: str) -> str:
    """The input line of a request, with its line end."""
    body = dialect.body(request, model)
    head = json.dumps({"custom_id": request.key, "method": "POST", "url": f"/v1{dialect.path}"})
    return f'{head[:-1]}, "body": {body}}}\n'


def answers(lines: Iterable[bytes]) -> Iterator[tuple[str, Answer]]:
    """Keys and answers of an output file. A line from which no key can be read is not an answer to anything."""
    for line in lines:
        try:
            entry = json.loads(line.decode("utf-8", "surrogateescape").removeprefix("\ufeff"))
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and isinstance(entry.get("custom_id"), str):
            yield entry["custom_id"], _answer(entry)


def _answer(entry: dict[str, object]) -> Answer:
    response = entry.get("response")
    fields = response if isinstance(response, dict) else {}
    body = fields if _REPLY & fields.keys() else fields.get("body")  # some servers leave the envelope out
    if body is None:
        return Answer(Kind.SERVER, json.dumps(entry), error=f"the batch gave no reply: {entry.get('error')!r}")
    text = body if isinstance(body, str) else json.dumps(body)
    return received(_status(fields.get("status_code")), {}, text.encode("utf-8", "surrogatepass"))


def _status(value: object) -> int:
    """The HTTP status of a line, also where it is written as text; 200 where the line names none."""
    if isinstance(value, str) and value.isdecimal() and len(value) == 3:
        value = int(value)
    return value if isinstance(value, int) and 100 <= value < 600 else 200
