"""Replies of the test server: instances of a schema, chosen by a hash of the prompt, in both wire formats."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from typing import Any

Reply = Callable[[dict[str, Any]], str]


def error_body(message: str, code: str | int | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "scripted", "param": None, "code": code}}


def content_of(body: dict[str, Any], reply: Reply | None, fault: str) -> str:
    """The text of a reply: what `reply` makes of the body, else an instance of the schema asked for."""
    if fault == "wrong-schema":
        return json.dumps({"unexpected": "fields"})
    if reply is not None:
        return reply(body)
    schema = schema_of(body)
    number = int(hashlib.sha256(prompt_of(body).encode("utf-8", "surrogatepass")).hexdigest()[:12], 16)
    return f"reply {number % 1000}" if schema is None else json.dumps(instance(schema, number))


def schema_of(body: dict[str, Any]) -> dict[str, Any] | None:
    if (shape := body.get("response_format")) is not None:
        return (shape.get("json_schema") or {}).get("schema")
    return ((body.get("text") or {}).get("format") or {}).get("schema")


def prompt_of(body: dict[str, Any]) -> str:
    return json.dumps(body.get("messages") or body.get("input"))


def instance(schema: dict[str, Any], number: int) -> Any:
    """A value that fits the schema, the same for the same number."""
    if "enum" in schema:
        return schema["enum"][number % len(schema["enum"])]
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {}).items()
            return {name: instance(field, number // (i + 1)) for i, (name, field) in enumerate(fields)}
        case "array":
            return [instance(schema["items"], number + i) for i in range(max(1, schema.get("minItems", 1)))]
        case "integer" | "number":
            low, high = schema.get("minimum", 0), schema.get("maximum", 10)
            return low + number % (int(high - low) + 1)
        case "boolean":
            return number % 2 == 0
        case _:
            return f"because of {number % 1000}"


def logprobs_of(text: str, count: int) -> dict[str, Any]:
    """Tokens of a reply; the text itself has probability 0.6, letters of the alphabet share the rest."""
    others = [letter for letter in "ABCDEFGHIJK" if letter != text][: max(0, count - 1)]
    share = 0.4 / 10
    top = [(text, 0.6), *((letter, share) for letter in others)]
    entries = [{"token": token, "logprob": math.log(p), "bytes": None} for token, p in top]
    return {"content": [{**entries[0], "top_logprobs": entries[:count]}]}


def chat_completion(body: dict[str, Any], reply: Reply | None, fault: str, reasoning: str | None) -> dict[str, Any]:
    text = content_of(body, reply, fault)
    finish = {"content-filter": "content_filter", "length": "length"}.get(fault, "stop")
    message: dict[str, Any] = {"role": "assistant", "content": text[:5] if finish != "stop" else text}
    if reasoning:
        message[reasoning] = f"thinking about {len(prompt_of(body))} characters"
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": finish}
    if body.get("logprobs"):
        choice["logprobs"] = logprobs_of(text, body.get("top_logprobs", 0))
    prompt, completion = len(prompt_of(body)) // 4, len(text) // 4 + 1
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {"id": "chatcmpl-test", "object": "chat.completion", "created": 0, "model": body["model"],
            "choices": [choice], "usage": usage}  # fmt: skip


def response_object(body: dict[str, Any], reply: Reply | None, fault: str, reasoning: str | None) -> dict[str, Any]:
    text = content_of(body, reply, fault)
    output: list[dict[str, Any]] = []
    if reasoning:
        output.append({"type": "reasoning", "summary": [{"type": "summary_text", "text": "thinking"}]})
    output.append({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]})
    usage = {"input_tokens": len(prompt_of(body)) // 4, "output_tokens": len(text) // 4 + 1}
    cut = fault == "length"
    return {"id": "resp-test", "object": "response", "model": body["model"], "output": output, "usage": usage,
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None}  # fmt: skip
