"""Conversations as they arrive, and their assistant turns without reasoning.

A conversation is a list of messages or the same as a JSON string, and leaves in the form in which it came.
The text of one turn is taken apart in `kbtools.data.conversations.reasoning`; columns of a dataset are found in
`kbtools.data.columns`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kbtools.data.conversations.reasoning import STRICT, ReasoningError, Rules, strip

Message = dict[str, Any]
Parts = list[dict[str, Any]]
Content = str | Parts | None

REASONING_FIELDS = ("reasoning", "reasoning_content", "thinking", "reasoning_details")
CALL_FIELDS = ("tool_calls", "function_call")
_REASONING_PARTS = frozenset({"thinking", "redacted_thinking", "reasoning"})
_NO_CALLS = (None, "", "[]", "null", "{}")


def decode(value: object) -> list[Message]:
    """The messages of a list or of a JSON-encoded list; raises `ReasoningError` for anything else."""
    messages = _from_json(value) if isinstance(value, str) else value
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes):
        raise ReasoningError("not-messages")
    for turn, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise ReasoningError("not-messages", turn=turn)
    return [dict(message) for message in messages]


def encode(messages: list[Message], like: object) -> str | list[Message]:
    """The messages in the form of `like`: as JSON if that is a string, else as a list."""
    if not isinstance(like, str):
        return messages
    encoded = json.dumps(messages, ensure_ascii=like.isascii())
    return encoded if _is_utf8(encoded) else json.dumps(messages)


def looks_encoded(text: str) -> bool:
    """Whether a text wants to be JSON-encoded messages; `decode` then says whether it is."""
    start = text[:64].lstrip()
    return start.startswith("[") and start[1:].lstrip().startswith("{") and '"role"' in text


def text_of(content: Content) -> str | None:
    """The text of a message's content, its text parts joined; None where it has none."""
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, Mapping) for part in content):
        raise ReasoningError("not-messages")
    visible = _without_reasoning(content)
    texts = [part["text"] for part in visible if isinstance(part.get("text"), str)]
    return "".join(texts) if texts else None


def only_text(content: Content) -> str | None:
    """As `text_of`, but an error where parts that are neither text nor reasoning would be lost."""
    text = text_of(content)
    if isinstance(content, list) and any(not isinstance(part.get("text"), str) for part in _without_reasoning(content)):
        raise ReasoningError("not-text")
    return text


def assistant_text(value: object) -> str:
    """The text of the last assistant turn."""
    turns = [message for message in decode(value) if message["role"] == "assistant"]
    if not turns:
        raise ReasoningError("no-assistant-turn")
    text = text_of(turns[-1].get("content"))
    if text is None:
        raise ReasoningError("null-content")
    return text


def strip_messages(value: object, rules: Rules = STRICT) -> str | list[Message]:
    """The conversation with every assistant turn stripped and its reasoning fields dropped.

    All other turns stay as they are. The error of a turn carries its position in the conversation.
    """
    stripped, troubles = strip_turns(value, rules)
    for trouble in troubles:
        raise trouble
    return stripped


def strip_turns(value: object, rules: Rules = STRICT) -> tuple[str | list[Message], list[ReasoningError]]:
    """As `strip_messages`, but a turn in trouble gets null as its content and its error is returned."""
    messages = decode(value)
    if not any(message["role"] == "assistant" for message in messages):
        raise ReasoningError("no-assistant-turn")
    troubles: list[ReasoningError] = []
    stripped = [_strip_turn(turn, message, rules, troubles) for turn, message in enumerate(messages)]
    if isinstance(value, str) and stripped == messages:
        return value, troubles
    return encode(stripped, value), troubles


def strip_content(content: Content, rules: Rules = STRICT, *, calls_tool: bool = False) -> Content:
    """The content of one assistant turn without its reasoning.

    A turn that calls a tool needs no answer: its content may be null or nothing but reasoning.
    """
    text = text_of(content)
    if text is None or (calls_tool and not text.strip()):
        if not calls_tool:
            raise ReasoningError("null-content")
        return _without_reasoning(content) if isinstance(content, list) else content
    kept = _strip_call(text, rules) if calls_tool else strip(text, rules)
    return _replace_text(content, text, kept) if isinstance(content, list) else kept


def calls_tool(message: Mapping[str, Any]) -> bool:
    """Whether the turn asks for a tool; empty lists and their JSON do not count."""
    return any(message.get(field) not in (*_NO_CALLS, [], {}) for field in CALL_FIELDS)


def _strip_turn(turn: int, message: Message, rules: Rules, troubles: list[ReasoningError]) -> Message:
    if message["role"] != "assistant":
        return message
    kept = {field: value for field, value in message.items() if field not in REASONING_FIELDS}
    try:
        content = strip_content(message.get("content"), rules, calls_tool=calls_tool(message))
    except ReasoningError as error:
        troubles.append(ReasoningError(error.kind, error.at, turn))
        content = None
    return {**kept, "content": content} if "content" in kept else kept


def _strip_call(text: str, rules: Rules) -> str:
    try:
        return strip(text, replace(rules, tag="optional"))
    except ReasoningError as error:
        if error.kind != "empty-answer":
            raise
        return ""


def _replace_text(parts: Parts, text: str, kept: str) -> Parts:
    """The parts with their joined text replaced, in the place of the first text part."""
    visible = _without_reasoning(parts)
    if kept == text:
        return visible
    first = next(at for at, part in enumerate(visible) if isinstance(part.get("text"), str))
    others = [part for part in visible[first + 1 :] if not isinstance(part.get("text"), str)]
    return [*visible[:first], {**visible[first], "text": kept}, *others]


def _without_reasoning(parts: Parts) -> Parts:
    return [part for part in parts if part.get("type") not in _REASONING_PARTS]


def _from_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ReasoningError("not-messages") from None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
