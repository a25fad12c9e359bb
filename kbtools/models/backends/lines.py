"""Lines of batch files, as the OpenAI Batch API and `vllm run-batch` read and write them; `custom_id` is the key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from kbtools.errors import DataError
from kbtools.models.backends.faults import answer_from
from kbtools.models.backends.wire import Dialect
from kbtools.models.reply import Answer, Kind
from kbtools.models.request import Request


def line_of(request: Request, dialect: Dialect, model: str) -> str:
    """The input line of a request, with its line end."""
    body = dialect.body(request, model)
    head = json.dumps({"custom_id": request.key, "method": "POST", "url": f"/v1{dialect.path}"})
    return f'{head[:-1]}, "body": {body}}}\n'


def answers(lines: Iterable[str], source: str) -> Iterator[tuple[str, Answer]]:
    """Keys and answers of an output file."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            key = entry["custom_id"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{source}, line {number}: no line of a batch output ({error!r}): {line[:200]!r}"
            ) from error
        yield key, _answer(entry)


def _answer(entry: dict[str, Any]) -> Answer:
    response = entry.get("response") or {}
    body = response.get("body")
    if body is None:
        return Answer(Kind.SERVER, json.dumps(entry), error=f"the batch gave no reply: {entry.get('error')}")
    return answer_from(response.get("status_code", 200), {}, json.dumps(body).encode())
