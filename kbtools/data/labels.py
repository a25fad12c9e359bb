"""Labels that people give to rows, in a file of their own: JSON lines, one added at each label and never rewritten.

A label belongs to what was looked at: its key is a digest of the texts that were shown. So it follows a row into every
dataset that has these texts, and leaves it when they change. The first line says what was asked.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, StrictFloat, StrictInt, StrictStr, ValidationError

from kbtools.data import texts
from kbtools.data.table import tables
from kbtools.data.writable import writable
from kbtools.errors import DataError, UsageError

if TYPE_CHECKING:
    from datasets import Dataset

Line = TypeVar("Line", bound=BaseModel)
Value = StrictInt | StrictFloat | StrictStr


class LabelQuestion(BaseModel):
    """The first line of a file of labels: what was asked, of which texts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: Literal[1] = 1
    """Version of the file's format."""
    column: str
    """What is labelled, as a judge's column is called."""
    values: tuple[Value, ...]
    """The labels that can be given, lowest first."""
    shown: tuple[str, ...]
    """Columns whose texts were shown."""

    @property
    def dtype(self) -> str:
        """Type of a column of these labels."""
        if any(isinstance(value, str) for value in self.values):
            return "string"
        return "int64" if all(isinstance(value, int) for value in self.values) else "float64"


class Label(BaseModel):
    """One line: the label that a row was given, None where one was taken back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    row: str
    """How the row was called."""
    value: Value | None
    at: str
    """Time in UTC, as ISO 8601."""


@dataclass
class LabelFile:
    """A file of labels that is open for more."""

    question: LabelQuestion
    stream: IO[bytes]
    values: dict[str, Value] = field(default_factory=dict)
    """The newest label of every key."""

    def add(self, key: str, row: str, value: Value | None) -> None:
        """Write a label, or None to take one back; it is on the disk when this returns."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self._write(Label(key=key, row=writable(row), value=value, at=at))
        _apply(self.values, key, value)

    def begin(self) -> None:
        """Write the first line."""
        self._write(self.question)

    def _write(self, line: BaseModel) -> None:
        size = self.stream.seek(0, os.SEEK_END)
        try:
            self.stream.write(line.model_dump_json().encode() + b"\n")
            self.stream.flush()
            os.fsync(self.stream.fileno())
        except OSError:
            self.stream.truncate(size)  # a line is whole or not there
            raise


def keys(ds: Dataset, shown: Sequence[str]) -> list[str]:
    """The key of every row: a digest of its texts in these columns."""
    return [digest(row) for row in shown_texts(ds, shown)]


def digest(row: Sequence[str | None]) -> str:
    """The key of a row with these texts."""
    return hashlib.sha256(json.dumps(row).encode()).hexdigest()[:32]


def shown_texts(ds: Dataset, shown: Sequence[str]) -> Iterator[tuple[str | None, ...]]:
    """The texts of every row in these columns."""
    for table in tables(ds, list(shown), 500):
        yield from zip(*(texts.of_column(table, path) for path in shown), strict=True)


@contextmanager
def opened(path: Path, question: LabelQuestion) -> Iterator[LabelFile]:
    """The file, new or to be gone on with; UsageError where another run has it open or where it asks something else."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b", buffering=0) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{path} is being written by another run: end that, or give this one its own file."
            ) from None
        stream.seek(0)
        text = stream.read()
        whole = _whole(path, text, question)
        values: dict[str, Value] = {}
        if whole:
            found, values = _parsed(path, whole)
            _check_same(path, found, question)
        file = LabelFile(question, stream, values)
        if len(whole) < len(text):
            stream.truncate(len(whole))
        elif len(whole) > len(text):
            stream.write(b"\n")
        if not whole:
            file.begin()
        yield file


def _whole(path: Path, text: bytes, question: LabelQuestion) -> bytes:
    """The lines of a file without one that a full disk or a kill has cut off, which begins as lines of labels do.

    A last line that an editor has left without its end is whole. DataError for anything else: it is somebody's.
    """
    last = text.rpartition(b"\n")[2]
    before = text[: len(text) - len(last)]
    if not last:
        return text
    if before:
        if not last.startswith(b'{"key"'[: len(last)]):
            number = before.count(b"\n") + 1
            raise DataError(f"{path}, line {number}: kbtools label did not write this.")
        return text + b"\n" if _is_label(last) else before
    if question.model_dump_json().encode().startswith(last):
        return before
    raise DataError(f"{path} is not a file of labels, and is left as it is: name another with --out.")


def _is_label(line: bytes) -> bool:
    try:
        Label.model_validate_json(line)
    except ValidationError:
        return False
    return True


def read_labels(path: Path) -> tuple[LabelQuestion, dict[str, Value]]:
    """What was asked, and the newest label of every key; DataError where the file is not one of labels."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the labels of {path} cannot be read ({error.strerror}).") from error
    lines, _, last = text.rpartition(b"\n")
    return _parsed(path, text if _is_label(last) else lines)


def _parsed(path: Path, text: bytes) -> tuple[LabelQuestion, dict[str, Value]]:
    first, *lines = text.splitlines() or [b""]
    values: dict[str, Value] = {}
    question = _line(LabelQuestion, first, path, 1)
    for number, line in enumerate(lines, 2):
        label = _line(Label, line, path, number)
        _apply(values, label.key, label.value)
    return question, values


def _line(kind: type[Line], text: bytes, path: Path, number: int) -> Line:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        found = error.errors()[0]["msg"]
        raise DataError(f"{path}, line {number}: kbtools label did not write this ({found}).") from None


def _apply(values: dict[str, Value], key: str, value: Value | None) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value


def _check_same(path: Path, found: LabelQuestion, asked: LabelQuestion) -> None:
    for name in ("column", "values", "shown"):
        before, now = getattr(found, name), getattr(asked, name)
        if before != now:
            raise UsageError(
                f"{path} holds labels for {_text(before)}, and this run asks for {_text(now)} ({name}): "
                "give it a file of its own with --out."
            )


def _text(value: str | tuple[Value, ...]) -> str:
    return value if isinstance(value, str) else ",".join(map(str, value))
