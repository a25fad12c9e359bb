"""Messages in the form of ShareGPT, `{from, value}`, as `{role, content}` and back; what else roles are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kbtools.data.conversations.fields import REASONING_ROLES
from kbtools.data.conversations.reasoning_error import ReasoningError

ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "prompter": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "observation": "tool",
    "function_response": "tool",
}
"""What the names of ShareGPT and of what came after it mean, in any case."""
_CALL = "function_call"
ASSISTANTS = tuple(name for name, role in ROLES.items() if role == "assistant" and name != _CALL)
"""Names of a model that answers."""
NAMES = {"system": "system", "user": "human", "assistant": "gpt", "tool": "tool"}
"""What ShareGPT calls the roles."""


def is_sharegpt(message: Mapping[str, object]) -> bool:
    """Whether a message has ShareGPT's fields and not those of other messages."""
    return isinstance(message.get("from"), str) and "value" in message and "role" not in message


def usual_role(role: str) -> str:
    """The role as chat templates know it; a name that is none of these is itself."""
    name = role.lower()
    if name in REASONING_ROLES:
        return name
    return role if name == _CALL else ROLES.get(name, role)


def message_of(turn: Mapping[str, Any]) -> dict[str, object]:
    """The message that a turn is; a function call becomes a call, and has no content."""
    name = turn["from"].lower()
    if name not in ROLES:
        raise ReasoningError("not-messages")
    rest = {field: value for field, value in turn.items() if field not in ("from", "value")}
    if name == _CALL:
        return {"role": "assistant", "content": None, "function_call": turn["value"], **rest}
    return {"role": ROLES[name], "content": turn["value"], **rest}


def turn_of(message: Mapping[str, object], like: Mapping[str, object]) -> dict[str, object]:
    """The message as the turn that it came from, with what was changed or dropped since."""
    value = like["value"] if message.get("function_call") is not None else message.get("content")
    kept = {
        field: message.get(field, value)
        for field, value in like.items()
        if field in ("from", "value") or field in message
    }
    return {**kept, "value": value}
