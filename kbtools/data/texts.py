"""The text that a judge or a prompt sees of a cell: plain text as it is, of messages what the assistant said last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbtools.data.conversations.messages import decode, looks_encoded, text_of
from kbtools.data.conversations.reasoning import ReasoningError
from kbtools.data.table import field_of

if TYPE_CHECKING:
    import pyarrow as pa


def of_column(table: pa.Table, path: str) -> list[str | None]:
    """The text of every row at a column path."""
    return [of_cell(value) for value in field_of(table, path).to_pylist()]


def of_cell(value: object) -> str | None:
    """The text of one cell: of a conversation, the content of the last assistant's turn (or of the last turn)."""
    if isinstance(value, list) or (isinstance(value, str) and looks_encoded(value)):
        return _last_said(value)
    return value if value is None or isinstance(value, str) else str(value)


def _last_said(value: object) -> str | None:
    try:
        messages = decode(value)
    except ReasoningError:  # a list of something else, or text that only looked like messages
        return value if isinstance(value, str) else str(value)
    said = [message for message in messages if message["role"] == "assistant"] or messages
    return text_of(said[-1].get("content")) if said else None
