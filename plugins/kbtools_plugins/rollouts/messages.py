"""Messages of traces as `kbtools.rollouts.Message`, with tool calls as verifiers or OpenAI's API have them.

Where the messages of a trace are, and which of them the model wrote, is the part of the layouts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from kbtools.data.conversations.fields import is_thought, merged, said, texts_of
from kbtools.data.conversations.reasoning import ReasoningError
from kbtools.rollouts import Function, Message, Row, ToolCall, Unconvertible
from kbtools_plugins.rollouts.values import objects, text


def message_of(row: Row, reasoning_field: str = "") -> Message:
    """One message; Unconvertible when it is none, or has parts that are not text."""
    role = row.get("role")
    if not isinstance(role, str) or not role:
        keys = ", ".join(sorted(row)) or "nothing"
        raise Unconvertible("not-messages", f"one of its messages has no role, but {keys}")
    try:
        found = said({**row, "reasoning_details": _native(row)})
        reasoning = merged(texts_of(row.get(reasoning_field))) if reasoning_field else found.reasoning
    except ReasoningError as error:
        raise Unconvertible(error.kind, "one of its messages cannot be read as text") from None
    if found.others:
        raise Unconvertible("not-text", f"a message has parts that are not text: {', '.join(found.others)}")
    calls = tuple(_call(call) for call in objects("tool_calls", row.get("tool_calls"))) or None
    return Message(
        role,
        found.text if found.text is not None or calls else "",
        reasoning if role == "assistant" else None,
        calls,
        text("tool_call_id", row.get("tool_call_id")),
        text("name", row.get("name")),
        hidden=found.hidden,
    )


def _native(row: Row) -> list[Row] | None:
    """Reasoning as a provider gave it: under its own name, or among the items that verifiers replays to it."""
    items = row.get("provider_state")
    if not isinstance(items, list):
        return row.get("reasoning_details")
    return [item for item in items if isinstance(item, Mapping) and is_thought(item)] or None


def _call(call: Row) -> ToolCall:
    """A call of which the name and the arguments are within its type (OpenAI), or beside it (verifiers)."""
    kind = text("type of a tool call", call.get("type")) or "function"
    inner = call.get(kind)
    within: Row = inner if isinstance(inner, Mapping) else call
    given = next((within[key] for key in ("arguments", "input") if within.get(key) is not None), "")
    name = text("name of a tool call", within.get("name"))
    if name is None:
        raise Unconvertible("no-tool-name", f"one of its tool calls names no tool, but has {', '.join(sorted(call))}")
    namespace = text("namespace of a tool call", within.get("namespace"))
    return ToolCall(Function(name, arguments_text(given), namespace), text("id of a tool call", call.get("id")), kind)


def arguments_text(value: object) -> str:
    """Arguments as the model wrote them; those that were parsed, as JSON text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
