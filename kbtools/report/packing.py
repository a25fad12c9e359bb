"""Rows as the page carries them: an index of the small columns, and the whole rows in compressed chunks.

The browser unpacks the index when the page opens, and a chunk when one of its rows is looked at. Both are base64, in
which no markup can stand, of deflate, which every browser unpacks by itself.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from kbtools.data.columns import Schema
from kbtools.data.conversations.fields import REASONING_FIELDS
from kbtools.data.conversations.messages import decode, looks_encoded, text_of
from kbtools.data.conversations.reasoning import ReasoningError, Rules, parse
from kbtools.data.table import tables
from kbtools.data.writable import writable
from kbtools.errors import SchemaError
from kbtools.judge import RAW
from kbtools.report.columns import Column, Labels
from kbtools.wording import counted

if TYPE_CHECKING:
    from datasets import Dataset, Features

_CHUNK_CHARACTERS = 1 << 20
_EXACT = 2**53
_LEVEL = 9
_LENIENT = Rules(tag="optional")
"""What is shown needs no answer tags."""


@dataclass(frozen=True)
class SpecialColumns:
    """Columns that the page shows in a special way; None where the dataset has none, or no single one."""

    reference: str | None
    triton: str | None
    answer: str | None
    module: str | None
    prompt: str | None
    completion: str | None
    reasons: tuple[str, ...]
    """What judges and checks wrote about a row."""

    @classmethod
    def of(cls, features: Features, columns: Mapping[str, str]) -> SpecialColumns:
        """The columns of a dataset with these features."""
        schema = Schema(features, columns)
        completion = place(schema, "completion")
        prompt = place(schema, "prompt")
        whole = {path for path in (prompt, completion) if path in features}  # a field of a struct stays in its struct
        return cls(
            reference=place(schema, "reference_code"),
            triton=place(schema, "triton_code"),
            answer=place(schema, "answer"),
            module=place(schema, "module_name"),
            prompt=prompt if prompt in whole and prompt != completion else None,
            completion=completion if completion in whole else None,
            reasons=tuple(name for name in features if RAW in name or name == "error" or name.endswith("_error")),
        )


def place(schema: Schema, role: str) -> str | None:
    """Column of a role, or None."""
    try:
        return schema.find(role)
    except SchemaError:
        return None


@dataclass
class Tally:
    """What is counted while the rows pass by."""

    lengths: dict[str, list[float]]
    """Characters of each row's text by what it is, NaN where there is none."""
    troubles: dict[str, list[int]]
    """Rows whose answer cannot be told from the reasoning, by the kind of trouble."""
    rows: int = 0

    def add(self, payload: Mapping[str, Any], places: SpecialColumns) -> None:
        """Count one row."""
        texts = {"PyTorch code": places.reference, "Triton code": places.triton}
        found = {what: _text_length(cell(payload["row"], path)) for what, path in texts.items() if path}
        kept = {"prompt": places.prompt, "completion": places.completion}
        found |= {what: _conversation_length(payload[what]) for what, path in kept.items() if path}
        for what, length in found.items():
            self.lengths.setdefault(what, []).append(length)
        for kind in {answer["trouble"] for answer in payload["answers"] if answer and "trouble" in answer}:
            self.troubles.setdefault(kind, []).append(self.rows)
        self.rows += 1


@dataclass(frozen=True)
class Packed:
    """Rows ready for the page, and what was counted on the way."""

    index: str
    chunks: tuple[str, ...]
    tally: Tally


def pack(
    parts: Sequence[Dataset], columns: Sequence[Column], shown: Sequence[str], places: SpecialColumns, key: str
) -> Packed:
    """Pack the rows of all parts in order; `shown` are the columns of the table, `key` names the rows, if not empty."""
    chunks: list[str] = []
    first: list[int] = []
    tally = Tally({}, {})
    rows = 0
    for some in _chunks(chain.from_iterable(_rows(ds, places, tally) for ds in parts)):
        first.append(rows)
        rows += len(some)
        chunks.append(packed(f"[{','.join(some)}]"))
    index = {
        "rows": rows,
        "chunks": first,
        "key": key,
        "shown": list(shown),
        "places": asdict(places),
        "columns": [_index_column(column) for column in columns],
    }
    return Packed(packed(_json(index)), tuple(chunks), tally)


def packed(text: str) -> str:
    """Text compressed, in base64."""
    return base64.b64encode(zlib.compress(text.encode(), _LEVEL)).decode("ascii")


def _chunks(rows: Iterator[str]) -> Iterator[list[str]]:
    some: list[str] = []
    size = 0
    for row in rows:
        some.append(row)
        size += len(row)
        if size >= _CHUNK_CHARACTERS:
            yield some
            some, size = [], 0
    if some:
        yield some


def _index_column(column: Column) -> dict[str, object]:
    if isinstance(column, Labels):
        kind = "label" if column.few else "text"
        return {"path": column.path, "kind": kind, "labels": column.labels, "values": column.codes.tolist()}
    values = [_index_number(value, column.whole) for value in column.values.tolist()]
    return {"path": column.path, "kind": "number", "values": values}


def _index_number(value: float, whole: bool) -> float | str | None:
    """JSON has neither NaN nor infinity: NaN counts as no value, and infinity is read from its name."""
    if math.isfinite(value):
        return int(value) if whole else value
    return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _rows(ds: Dataset, places: SpecialColumns, tally: Tally) -> Iterator[str]:
    for table in tables(ds, ds.column_names, 1_000):
        for row in table.to_pylist():
            payload = _payload(row, places)
            tally.add(payload, places)
            yield _json(payload)


def _payload(row: dict[str, object], places: SpecialColumns) -> dict[str, Any]:
    """The row, its conversations as messages, and what in the assistant's turns is the answer."""
    cells = {what: row.pop(path, None) for what, path in _conversations(places)}
    found = {what: turns(cells.get(what), role) for what, role in (("prompt", "user"), ("completion", "assistant"))}
    answers = [_answer(message) for message in found["completion"]]
    forms = {what: form for what, value in cells.items() if (form := _form(value))}
    spoken = {what: plain(messages) for what, messages in found.items()}
    return {"row": plain(row), **spoken, "answers": plain(answers), **({"forms": forms} if forms else {})}


def _conversations(places: SpecialColumns) -> list[tuple[str, str]]:
    """The columns of conversations that there are, with what they are."""
    found = (("prompt", places.prompt), ("completion", places.completion))
    return [(what, path) for what, path in found if path]


def _form(value: object) -> str:
    """How the dataset holds a conversation, where that is not as messages."""
    if value is None:
        return "none"
    return "text" if isinstance(value, str) and not looks_encoded(value) else ""


def turns(value: object, role: str) -> list[Any]:
    """A conversation as messages: a plain text is one turn, and what is neither is shown as it is."""
    if value is None:
        return []
    if isinstance(value, str) and not looks_encoded(value):
        return [{"role": role, "content": value}]
    try:
        return decode(value)
    except ReasoningError:
        return [{"role": role, "content": value}]


def _answer(message: Mapping[str, Any]) -> dict[str, str] | None:
    """The answer in an assistant's turn, or the kind of trouble with it."""
    if message.get("role") != "assistant":
        return None
    try:
        text = text_of(message.get("content"))
        return {"text": parse(text, _LENIENT).answer} if text else {"trouble": "empty-answer"}
    except ReasoningError as error:
        return {"trouble": error.kind}


def plain(value: object) -> object:
    """A value as JSON can carry it into a browser without changing it."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and abs(value) > _EXACT:
        return str(value)
    if isinstance(value, bytes):
        return f"({counted(len(value), 'byte')})"
    if isinstance(value, str):
        return writable(value)
    if value is None or isinstance(value, int | float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def cell(row: Mapping[str, Any], path: str) -> object:
    """The value at a column path of a row, nested ones too."""
    if path in row:
        return row[path]
    found: object = row
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _text_length(value: object) -> float:
    return len(value) if isinstance(value, str) else math.nan


def _conversation_length(messages: Sequence[Mapping[str, Any]]) -> float:
    texts = [message.get(field) for message in messages for field in ("content", *REASONING_FIELDS)]
    return sum(len(text) for text in texts if isinstance(text, str)) if messages else math.nan
