"""The text that a judge or a prompt sees of a cell: plain text as it is, of messages what the assistant said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kbtools.data.table import field_of

if TYPE_CHECKING:
    import pyarrow as pa


def of_column(table: pa.Table, path: str) -> list[str | None]:
    """The text of every row at a column path."""
    return [text_of(value) for value in field_of(table, path).to_pylist()]


def text_of(value: Any) -> str | None:
    """The text of one cell: of a list of messages, the content of the last assistant's turn (or of the last turn)."""
    if isinstance(value, str) and value.startswith('[{"') and '"role"' in value:
        value = json.loads(value)
    if isinstance(value, list):
        return _last_content([message for message in value if isinstance(message, dict)])
    return value if value is None or isinstance(value, str) else str(value)


def _last_content(messages: list[dict[str, Any]]) -> str | None:
    spoken = [message for message in messages if message.get("role") == "assistant"] or messages
    return spoken[-1].get("content") if spoken else None
