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

from kbtools.data.conversations.fields import Part, has_text, is_reasoning_turn, said, split, without_reasoning
from kbtools.data.conversations.reasoning import STRICT, ReasoningError, Rules, strip
from kbtools.data.conversations.sharegpt import is_sharegpt, message_of, turn_of, usual_role
from kbtools.data.writable import broken_character

Message = dict[str, Any]
Parts = list[Part]
Content = str | Parts | None

CALL_FIELDS = ("tool_calls", "function_call")
_NO_CALLS = (None, "", "[]", "null", "{}")


def decode(value: object) -> list[Message]:
    """The messages of a list or of a JSON-encoded list; raises `ReasoningError` for anything else.

    Turns of ShareGPT become messages, and roles that are spelt in other ways (`Assistant`, `model`, `human`) the usual.
    """
    return [
        message_of(turn) if is_sharegpt(turn) else {**turn, "role": usual_role(turn["role"])} for turn in _turns(value)
    ]


def writable_messages(value: object) -> list[Message]:
    """As `decode`, for messages that become columns: JSON may escape what no column can hold."""
    messages = decode(value)
    if isinstance(value, str):
        for turn, message in enumerate(messages):
            if (at := broken_character(message)) is not None:
                raise ReasoningError("half-surrogate", at, turn)
    return messages


def _turns(value: object) -> Sequence[Mapping[str, Any]]:
    turns = _from_json(value) if isinstance(value, str) else value
    if not isinstance(turns, Sequence) or isinstance(turns, str | bytes):
        raise ReasoningError("not-messages")
    for at, turn in enumerate(turns):
        if not isinstance(turn, Mapping) or not (is_sharegpt(turn) or isinstance(turn.get("role"), str)):
            raise ReasoningError("not-messages", turn=at)
    return turns


def encode(messages: list[Message], like: object) -> str | list[Message]:
    """The messages in the form of `like`: as JSON if that is a string, else as a list."""
    if not isinstance(like, str):
        return messages
    encoded = json.dumps(messages, ensure_ascii=like.isascii())
    return encoded if _is_utf8(encoded) else json.dumps(messages)


def looks_encoded(text: str) -> bool:
    """Whether a text wants to be JSON-encoded messages; `decode` then says whether it is."""
    start = text[:64].lstrip()
    return start.startswith("[") and start[1:].lstrip().startswith("{") and _names_speakers(text)


def _names_speakers(text: str) -> bool:
    return '"role"' in text or ('"from"' in text and '"value"' in text)


def text_of(content: Content) -> str | None:
    """The text of a message's content, its text parts joined; None where it has none."""
    return said({"content": content}).text


def assistant_text(value: object) -> str:
    """The text of the last assistant turn."""
    texts = assistant_texts(value)
    if not texts:
        raise ReasoningError("no-assistant-turn")
    if texts[-1] is None:
        raise ReasoningError("null-content")
    return texts[-1]


def assistant_texts(value: object) -> list[str | None]:
    """The texts of all assistant turns, in order."""
    return [text_of(message.get("content")) for message in decode(value) if message["role"] == "assistant"]


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
    turns = _turns(value)
    messages = decode(turns)
    if not any(message["role"] == "assistant" for message in messages):
        raise ReasoningError("no-assistant-turn")
    troubles: list[ReasoningError] = []
    stripped = [_strip_turn(turn, message, rules, troubles) for turn, message in enumerate(messages)]
    if isinstance(value, str) and stripped == messages:
        return value, troubles
    pairs = zip(stripped, turns, strict=True)
    as_they_came = [
        turn_of(kept, turn) if is_sharegpt(turn) else {**kept, "role": turn["role"]} for kept, turn in pairs
    ]
    return encode(as_they_came, value), troubles


def strip_content(content: Content, rules: Rules = STRICT, *, calls_tool: bool = False) -> Content:
    """The content of one assistant turn without its reasoning.

    A turn that calls a tool needs no answer: its content may be null or nothing but reasoning.
    """
    text = text_of(content)
    if text is None or (calls_tool and not text.strip()):
        if not calls_tool:
            raise ReasoningError("null-content")
        return content if content is None or isinstance(content, str) else split(content)[0]
    kept = _strip_call(text, rules) if calls_tool else strip(text, rules)
    return kept if isinstance(content, str) else _replace_text(split(content)[0], text, kept)


def calls_tool(message: Mapping[str, object]) -> bool:
    """Whether the turn asks for a tool; empty lists and their JSON do not count."""
    return any(message.get(field) not in (*_NO_CALLS, [], {}) for field in CALL_FIELDS)


def _strip_turn(turn: int, message: Message, rules: Rules, troubles: list[ReasoningError]) -> Message:
    if is_reasoning_turn(message):
        troubles.append(ReasoningError("reasoning-turn", turn=turn))
        return {**message, "content": None}
    if message["role"] != "assistant":
        return message
    kept = without_reasoning(message)
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


def _replace_text(visible: Parts, text: str, kept: str) -> Parts:
    """The parts with their joined text replaced, in the place of the first text part."""
    if kept == text:
        return visible
    first = next(at for at, part in enumerate(visible) if has_text(part))
    others = [part for part in visible[first + 1 :] if not has_text(part)]
    return [*visible[:first], {**visible[first], "text": kept}, *others]


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
