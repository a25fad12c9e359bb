"""Rows as conversations: where prompt and completion stand, as messages, and which of their text is reasoning.

A row whose texts cannot be read as a conversation raises a `ConversationError`, which the stage turns into an error
with the row's id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import kbtools as kb
from kbtools.data.conversations.fields import said
from kbtools.data.conversations.messages import calls_tool, decode, looks_encoded
from kbtools.data.conversations.reasoning import ReasoningError
from kbtools.data.table import field_of
from kbtools_plugins.lengths.template import Message

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

_TOOLS = ("oai_tools", "tools", "tool_defs")


class ConversationError(ValueError):
    """A row that is not a conversation; the text says what was found."""


@dataclass(frozen=True)
class Conversation:
    """One row: what is asked, what is answered, and the tools that the template announces."""

    prompt: tuple[Message, ...]
    completion: tuple[Message, ...]
    tools: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class CountedColumns:
    """Columns that make up a conversation; `messages` holds both sides in one."""

    prompt: str | None
    completion: str | None
    reasoning: str | None
    tools: str | None

    @classmethod
    def of(cls, features: Features, columns: dict[str, str]) -> CountedColumns:
        """The columns of a dataset; SchemaError when it has neither prompts nor completions."""
        schema = kb.Schema(features, columns)
        prompt, completion = (schema.find(part) if schema.has(part) else None for part in ("prompt", "completion"))
        if prompt is None and completion is None:
            schema.find("completion")
        for path in (prompt, completion):
            if path is not None:
                schema.require(path, "messages")
        beside = schema.has("reasoning") and completion is not None and schema.find("reasoning") in features
        tools = next((name for name in _TOOLS if name in features), None)
        return cls(prompt, completion, schema.find("reasoning") if beside else None, tools)

    @property
    def paths(self) -> list[str]:
        """All columns to be read."""
        return [path for path in (self.prompt, self.completion, self.reasoning, self.tools) if path is not None]

    def rows(self, table: pa.Table) -> Iterator[dict[str, Any]]:
        """The raw cells of each row."""
        found = {name: path for name, path in vars(self).items() if path is not None}
        cells = [field_of(table, path).to_pylist() for path in found.values()]
        for values in zip(*cells, strict=True):
            yield dict(zip(found, values, strict=True))

    def read(self, row: dict[str, object]) -> Conversation:
        """A row's cells as a conversation."""
        tools = _tools(row.get("tools"))
        if self.prompt == self.completion:
            messages = _messages(row["prompt"], "messages", "user")
            first = next((i for i, message in enumerate(messages) if message["role"] == "assistant"), len(messages))
            return Conversation(messages[:first], messages[first:], tools)
        prompt = _messages(row["prompt"], "prompt", "user") if self.prompt else ()
        completion = _messages(row["completion"], "completion", "assistant") if self.completion else ()
        if row.get("reasoning") is not None and isinstance(row.get("completion"), str) and len(completion) == 1:
            completion = ({"reasoning_content": row["reasoning"], **completion[0]},)
        return Conversation(prompt, completion, tools)


def _messages(cell: object, what: str, role: str) -> tuple[Message, ...]:
    """A cell as messages: a list of them, the same as JSON text, or plain text as one message of this role."""
    if cell is None:
        raise ConversationError(f"its {what} is null")
    if isinstance(cell, str) and not looks_encoded(cell):
        return ({"role": role, "content": cell},)
    try:
        messages = decode(cell)
    except ReasoningError as error:
        raise ConversationError(f"its {what} cannot be read: {error}") from error
    if not messages:
        raise ConversationError(f"its {what} has no messages")
    for number, message in enumerate(messages, start=1):
        try:
            found = said(message)
        except ReasoningError as error:
            raise ConversationError(f"message {number} of its {what} cannot be read: {error}") from error
        if found.text is None and not calls_tool(message) and not found.others and found.reasoning is None:
            raise ConversationError(
                f"message {number} of its {what} ({message['role']}) has neither content nor reasoning nor tool calls"
            )
    return tuple(messages)


def _tools(cell: object) -> tuple[object, ...] | None:
    """Tools as a list, or as JSON text of one."""
    if isinstance(cell, str) and cell.strip():
        try:
            cell = json.loads(cell)
        except ValueError as error:
            raise ConversationError(f"its tools are not valid JSON ({error})") from error
    return tuple(cell) if isinstance(cell, list) and cell else None


def spoken(messages: Sequence[Message]) -> Iterator[tuple[str | None, str]]:
    """Reasoning field and content of every turn of the assistant."""
    for message in messages:
        if message["role"] == "assistant":
            found = said(message)
            yield found.reasoning, found.text or ""
