"""The table of fields and parts of messages that hold reasoning, and the one reader of them.

Servers and datasets keep reasoning beside the text as text, as parts, or as parts of parts; some encrypt it. Inline
marks are the part of `marks` and `reasoning`. docs/reasoning.md shows the same tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kbtools.data.conversations.reasoning_error import ReasoningError

REASONING_FIELDS = (
    "reasoning", "reasoning_content", "thinking", "thinking_blocks", "reasoning_details", "reasoning_text",
    "reasoning_summary", "thought", "thoughts", "chain_of_thought", "cot", "analysis",
    "reasoningContent",
)  # fmt: skip
"""Fields of a message beside its content."""
WRAPPERS = ("provider_specific_fields", "additional_kwargs", "model_extra")
"""Where LiteLLM, LangChain and the client of OpenAI put fields that they have no place for, those of reasoning too."""
REASONING_ROLES = ("thinking", "think", "thought", "reasoning", "analysis")
"""Roles of turns that are reasoning alone; gpt-oss says so by the channel `analysis` of an assistant's turn."""
PART_TYPES = (
    "thinking", "redacted_thinking", "reasoning", "reasoning_text", "reasoning_content", "reasoning.text",
    "reasoning.summary", "reasoning.encrypted", "thought",
)  # fmt: skip
"""Types of the parts of a content that are reasoning; Gemini marks them with `"thought": true` instead."""
TEXTS = ("text", "reasoningText", "content", "summary", *REASONING_FIELDS)
"""Where a part of reasoning has its text; the first that holds something counts."""
HIDDEN = ("data", "encrypted_content", "redactedContent")
"""Where a part has what only its maker can read."""

Part = Mapping[str, Any]


class Said(NamedTuple):
    """What a message says: its text, the reasoning beside it, and whether some of that is encrypted or redacted."""

    text: str | None
    reasoning: str | None
    hidden: bool
    others: tuple[str, ...] = ()
    """Types of parts that are neither text nor reasoning."""


def said(message: Mapping[str, Any]) -> Said:
    """Take a message apart; ReasoningError for a content or a field of reasoning that holds neither text nor parts."""
    content = message.get("content")
    holders = [message, *(held for name in WRAPPERS if isinstance(held := message.get(name), Mapping))]
    beside = [holder[name] for holder in holders for name in REASONING_FIELDS if holder.get(name)]
    if isinstance(content, str) and all(isinstance(value, str) and value[:2] != "[{" for value in beside):
        return Said(content, merged(beside), False, ())  # as nearly all are
    visible, thoughts = split(content)
    pieces = [text for value in (*beside, *thoughts) for text in texts_of(value)]
    texts = [part["text"] for part in visible if has_text(part)]
    hidden = any(is_hidden(value) for value in (*beside, *thoughts))
    others = tuple(str(part.get("type")) for part in visible if not has_text(part))
    return Said("".join(texts) if texts else None, merged(pieces), hidden, others)


def without_reasoning(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A message, or the features of one, without fields of reasoning; a wrapper of nothing else goes, too."""
    kept = {name: value for name, value in fields.items() if name not in REASONING_FIELDS}
    for name in WRAPPERS:
        held = kept.get(name)
        if isinstance(held, Mapping) and not held.keys().isdisjoint(REASONING_FIELDS):
            kept[name] = {inner: value for inner, value in held.items() if inner not in REASONING_FIELDS}
            if not kept[name]:
                del kept[name]
    return kept


def is_reasoning_turn(message: Mapping[str, Any]) -> bool:
    """Whether a turn is reasoning alone."""
    return message.get("role") in REASONING_ROLES or message.get("channel") == "analysis"


def split(content: object) -> tuple[list[Part], list[Part]]:
    """The parts of a content that are seen, and those that are reasoning; a text is one part."""
    if content is None:
        return [], []
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(parts, list | tuple) or not all(isinstance(part, Mapping) for part in parts):
        raise ReasoningError("not-messages")
    return [part for part in parts if not is_thought(part)], [part for part in parts if is_thought(part)]


def has_text(part: Part) -> bool:
    """Whether a part of a content is text."""
    return isinstance(part.get("text"), str)


def is_thought(part: Part) -> bool:
    """Whether a part of a content is reasoning; Bedrock's parts have no type, but one field that says what they are."""
    if part.get("type") is None and not has_text(part):
        return any(part.get(name) for name in REASONING_FIELDS) or part.get("thought") is True
    return part.get("type") in PART_TYPES or part.get("thought") is True


def is_hidden(value: object) -> bool:
    """Whether a field or part holds reasoning that only its maker can read."""
    value = _decoded(value)
    if isinstance(value, Mapping):
        return any(value.get(name) for name in HIDDEN) or any(is_hidden(inner) for inner in value.values())
    return isinstance(value, list | tuple) and any(is_hidden(inner) for inner in value)


def texts_of(value: object) -> Iterable[str]:
    """The readable texts of a field or part of reasoning, in order."""
    value = _decoded(value)
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from next((list(texts_of(value[name])) for name in TEXTS if _holds_text(value.get(name))), [])
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_of(inner)
    elif value is not None:
        raise ReasoningError("unread-reasoning")


def merged(pieces: Iterable[str | None]) -> str | None:
    """The pieces joined by an empty line; what says the same as another, or as a part of it, counts once."""
    written = [piece for piece in pieces if piece and not piece.isspace()]
    if len(written) < 2:  # as nearly always, and to compare long texts takes long
        return written[0] if written else None
    kept: list[tuple[str, str]] = []
    for piece in written:
        bare = "".join(piece.split())
        if any(bare in other for _, other in kept):
            continue
        kept = [pair for pair in kept if pair[1] not in bare]
        kept.append((piece, bare))
    return "\n\n".join(piece for piece, _ in kept)


def _holds_text(value: object) -> bool:
    return bool(value) and isinstance(value, str | list | tuple | Mapping)


def _decoded(value: object) -> object:
    """Parts that a column of text keeps as JSON, as parts again."""
    if not isinstance(value, str) or not value.startswith("[{") or '"type"' not in value:
        return value
    try:
        parts = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return parts if all(isinstance(part, Mapping) and is_thought(part) for part in parts) else value
