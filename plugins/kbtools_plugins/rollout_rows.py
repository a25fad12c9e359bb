"""One rollout as the programs that make rollouts write it, turned into one row of the evals layout.

Plain dicts come in and go out; reading files and columns is the part of the stage `convert-rollouts`. Three layouts are
known: the results of vf-eval with a trajectory beside the messages, the output of prime-rl's synthesize with reasoning
in the messages, and the results of newer verifiers with their timing and metrics as objects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import kbtools as kb
from kbtools.data.conversations.fields import merged, said, texts_of
from kbtools.data.conversations.messages import calls_tool, decode
from kbtools.data.conversations.reasoning import ReasoningError
from kbtools.data.writable import broken_character

Row = Mapping[str, Any]

COLUMNS = (
    "example_id",
    "prompt",
    "completion",
    "task",
    "reward",
    "generation_ms",
    "scoring_ms",
    "total_ms",
    "info",
    "answer",
    "speedup_reward",
    "num_turns",
    "oai_tools",
)
"""Columns of the evals layout in their order."""
READ = frozenset({*COLUMNS, "error", "trajectory", "timing", "metrics", "tool_defs", "reasoning_field"})
"""Keys that the conversion looks at."""
INFO = ("module_name", "python_code", "triton_code")
LAYOUTS = (
    "vf-eval (example_id, prompt, completion, generation_ms, and perhaps trajectory), "
    "synthesize (example_id, prompt, completion, generation_ms, oai_tools), "
    "verifiers (example_id, prompt, completion, timing)"
)


class Unconvertible(kb.errors.RowError):
    """A rollout that is no evals row; the message begins with its kind."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")


def known_keys(keys: frozenset[str]) -> bool:
    """Whether rows with these keys can be of one of the three layouts."""
    return bool(keys & {"timing", "generation_ms"}) and keys >= {"example_id", "prompt", "completion"}


def evals_row(row: Row, reasoning_field: str = "") -> dict[str, Any]:
    """The evals row of a rollout; Unconvertible when it failed, is of no known layout, or would lose something."""
    if row.get("error") is not None:
        raise Unconvertible("failed-rollout", f"the rollout ended in an error ({str(row['error'])[:200]})")
    seen = frozenset(key for key, value in row.items() if value is not None)
    lost = row.get("trajectory", "") is None and not {"oai_tools", "timing"} & row.keys()
    if lost or not known_keys(seen):
        raise Unconvertible("unknown-layout", f"it has {', '.join(sorted(seen)) or 'no keys'}; known are {LAYOUTS}")
    metrics = row.get("metrics") or {}
    numbers = {name: _number(name, row.get(name, metrics.get(name))) for name in ("speedup_reward", "num_turns")}
    values = {
        "example_id": _whole(row["example_id"]),
        "prompt": [_message(message) for message in _messages(row, "prompt")],
        "completion": _completion(row, row.get("reasoning_field") or reasoning_field),
        "task": _text("task", row.get("task")),
        "reward": _number("reward", row.get("reward")),
        **_times(row),
        "info": _info(row.get("info")),
        "answer": _text("answer", row.get("answer")) or "",  # newer verifiers leave an empty answer out
        **numbers,
        "oai_tools": _tools(row),
    }
    if (at := broken_character(values)) is not None:
        raise Unconvertible("half-surrogate", f"a text holds half a surrogate pair at character {at}")
    return {name: values[name] for name in COLUMNS}


def _messages(row: Row, key: str) -> list[dict[str, Any]]:
    try:
        return decode(row[key])
    except ReasoningError:
        raise Unconvertible("not-messages", f"its {key} is no list of messages with a role") from None


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    if calls_tool(message):
        raise Unconvertible("tool-call", "evals rows have no place for the tool call of one of its messages")
    try:
        found = said(message)
    except ReasoningError as error:
        raise Unconvertible(error.kind, "the content of one of its messages is not text") from None
    if found.others:
        raise Unconvertible("not-text", f"a message has parts that are not text: {', '.join(found.others)}")
    return {"role": message["role"], "content": found.text}


def _completion(row: Row, reasoning_field: str) -> list[dict[str, Any]]:
    """The turns, each with its own reasoning: that in the message, or else that of the same turn of the trajectory."""
    messages = _messages(row, "completion")
    found = [_reasoning(message, reasoning_field) if message["role"] == "assistant" else None for message in messages]
    spoken = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    steps = row.get("trajectory")
    if steps is not None and any(found[index] is None for index in spoken):
        if len(steps) != len(spoken):
            text = f"its trajectory has {len(steps)} steps for {len(spoken)} assistant turns"
            raise Unconvertible("trajectory-mismatch", text)
        for index, step in zip(spoken, steps, strict=True):
            found[index] = found[index] or _reasoning(_answered(step), reasoning_field)
    return [{**_message(message), "reasoning": reason} for message, reason in zip(messages, found, strict=True)]


def _reasoning(message: Mapping[str, Any], field: str) -> str | None:
    try:
        return merged(texts_of(message.get(field))) if field else said(message).reasoning
    except ReasoningError as error:
        raise Unconvertible(error.kind, "the reasoning of one of its messages cannot be read as text") from None


def has_hidden_reasoning(row: Row) -> bool:
    """Whether an assistant's turn has reasoning that only its maker can read."""
    return any(said(message).hidden for message in _messages(row, "completion") if message["role"] == "assistant")


def _answered(step: Any) -> Mapping[str, Any]:
    """The message with which a model answered in one step of a trajectory; empty where it did not."""
    response = _decoded((step or {}).get("response")) or {}
    choices = response.get("choices") or [response]
    return choices[0].get("message") or {}


def _times(row: Row) -> dict[str, float | None]:
    timing = _decoded(row.get("timing")) or row
    names = ("generation", "scoring", "total")
    if any(timing.get(f"{name}_ms") is not None for name in names):
        return {f"{name}_ms": _number(name, timing.get(f"{name}_ms")) for name in names}
    seconds = {name: _seconds(timing.get(name)) for name in names}
    return {f"{name}_ms": None if value is None else value * 1000 for name, value in seconds.items()}


def _seconds(span: Any) -> float | None:
    """Duration of a span of newer verifiers, which count seconds."""
    if not isinstance(span, Mapping):
        return _number("timing", span)
    if span.get("duration") is not None:
        return _number("timing", span["duration"])
    start, end = _number("timing", span.get("start")), _number("timing", span.get("end"))
    return None if start is None or end is None else end - start


def _info(value: Any) -> dict[str, str | None]:
    info = _decoded(value)
    if not isinstance(info, Mapping) or info.get("module_name") is None or info.get("python_code") is None:
        raise Unconvertible("no-info", "its info lacks the module_name or the python_code")
    return {name: _text(f"info.{name}", info.get(name)) for name in INFO}


def _tools(row: Row) -> str | None:
    """The tools as JSON text in the form of the OpenAI API; null where there are none."""
    tools = row.get("oai_tools") if row.get("oai_tools") is not None else row.get("tool_defs")
    if isinstance(tools, str):
        return None if _decoded(tools) in (None, [], "") else tools
    return json.dumps([_tool(tool) for tool in tools]) if tools else None


def _tool(tool: Any) -> Any:
    """One tool; newer verifiers write the function alone."""
    bare = _without_nulls(_decoded(tool))
    return bare if "function" in bare else {"type": "function", "function": bare}


def _without_nulls(value: Any) -> Any:
    """The value without the keys that it only has because other rows of the column have them."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _decoded(value: Any) -> Any:
    """The value of JSON text; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value else None
    except ValueError:
        raise Unconvertible("broken-json", f"a value is to be JSON, but begins {value[:60]!r}") from None


def _number(name: str, value: Any) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return None if value is None else float(value)
    raise Unconvertible("not-a-number", f"its {name} is {value!r:.60}")


def _whole(value: Any) -> int:
    number = _number("example_id", value)
    if number is None or not number.is_integer():
        raise Unconvertible("not-a-number", f"its example_id is {value!r}")
    return int(value)


def _text(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise Unconvertible("not-a-text", f"its {name} is {value!r:.60}")
