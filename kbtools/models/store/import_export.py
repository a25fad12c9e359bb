"""Response stores as JSON lines: to move replies between machines, to share them, to save what a damaged file holds.

Behind the replies stand the assessments of their answers: without those, conversations would not go on as they were.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from kbtools.data.io.source import aside
from kbtools.errors import ConfigError, DataError, UsageError, reason
from kbtools.models.kinds import Kind, Usage
from kbtools.models.reply import Reply
from kbtools.models.request import key_of
from kbtools.models.store import CHUNK, COLUMNS, Assessed, ResponseStore, StoreDamaged, chunks, reply_of, unpack

_ASSESSED = "key, reply, assessment"
_Fields = Callable[[Sequence[Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `kept` were there already, and stayed as they were; assessments count apart."""

    added: int
    kept: int
    assessments: int
    """Added."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did. `unreadable` are the replies and assessments that a damaged store no longer gives."""

    written: int
    unreadable: int
    assessments: int
    """Written."""


def export(store: ResponseStore, path: Path, *, model: str | None = None) -> Exported:
    """Write all replies that can be read and what was said of their answers, one JSON object a line.

    Replaces `path` only when they are written.
    """
    if path.resolve() == store.path.resolve():
        raise UsageError(f"exporting to {path}: the store itself is there, and would be lost. Give another file.")
    if path.is_dir():
        raise UsageError(f"exporting to {path}: that is a folder. Give the name of a file.")
    part = aside(path)
    try:
        with part.open("w", encoding="utf-8") as file:
            done = _written(store, file, model)
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} could not be written ({reason(error)}); what stood there is unchanged.") from error
    finally:
        part.unlink(missing_ok=True)
    return done


def _written(store: ResponseStore, file: IO[str], model: str | None) -> Exported:
    of, values = ("", ()) if model is None else (" WHERE model = ?", (model,))
    about = f" WHERE reply IN (SELECT key FROM replies{of})" if of else ""
    replies = _lines(store, file, f"FROM replies{of}", values, COLUMNS, _reply_fields)
    said = _lines(store, file, f"FROM assessed{about}", values, _ASSESSED, lambda row: _assessed(row)._asdict())
    return Exported(replies.written, replies.unreadable + said.unreadable, said.written)


def _reply_fields(row: Sequence[Any]) -> dict[str, Any]:
    return {name: value for name, value in asdict(reply_of(row)).items() if name != "read"}


class _Count(NamedTuple):
    written: int
    unreadable: int


def _lines(
    store: ResponseStore, file: IO[str], of: str, values: Sequence[object], columns: str, fields_of: _Fields
) -> _Count:
    """Write the rows of a table in the order of their keys; their places come from the index, which holds no texts."""
    written = total = 0
    places = store.select(f"SELECT rowid {of} ORDER BY key", values)
    query = f"SELECT {columns} {of.partition(' WHERE ')[0]} WHERE rowid IN ({{}}) ORDER BY key"
    for rows in chunks((row for (row,) in places), CHUNK):
        total += len(rows)
        for fields in _readable(store, query, rows, fields_of):
            file.write(json.dumps(fields) + "\n")
            written += 1
    return _Count(written, total - written)


def _readable(store: ResponseStore, query: str, rows: Sequence[int], fields_of: _Fields) -> Iterator[dict[str, Any]]:
    """What is at these places; where some of it cannot be read, the rest all the same."""
    try:
        found = store.select(query.format(",".join("?" * len(rows))), rows)
        yield from [fields_of(row) for row in found]
    except StoreDamaged:
        if len(rows) > 1:
            yield from _readable(store, query, rows[: len(rows) // 2], fields_of)
            yield from _readable(store, query, rows[len(rows) // 2 :], fields_of)


def _assessed(row: Sequence[Any]) -> Assessed:
    key, reply, assessment = row
    return Assessed(key, reply, unpack(assessment))


def import_lines(store: ResponseStore, path: Path) -> Imported:
    """Add exported replies that the store lacks, or has only as failures, and assessments that it lacks.

    DataError names the first bad line.
    """
    added = total = assessments = 0
    with path.open("rb") as file:
        for chunk in chunks(_exported(file, path), CHUNK):
            replies = [each for each in chunk if isinstance(each, Reply)]
            total += len(replies)
            added += _add(store, replies)
            assessments += store.put_assessments(each for each in chunk if isinstance(each, Assessed))
    return Imported(added, total - added, assessments)


def _add(store: ResponseStore, replies: list[Reply]) -> int:
    known = store.states(reply.key for reply in replies)
    new = [
        reply for reply in replies
        if reply.key not in known or (reply.ok and known[reply.key].kind is not Kind.OK)
    ]  # fmt: skip
    store.put(new)
    return len(new)


def _exported(lines: Iterable[bytes], path: Path) -> Iterator[Reply | Assessed]:
    for number, line in enumerate(lines, 1):
        try:
            found = _read(json.loads(line))
            hashed = key_of(found.request) if isinstance(found, Reply) else found.key
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"importing {path}, line {number}: not an exported reply ({error!r})") from error
        if hashed != found.key:
            raise DataError(f"importing {path}, line {number}: its request has the key {hashed}, not {found.key}")
        yield found


def _read(fields: dict[str, Any]) -> Reply | Assessed:
    if "assessment" not in fields:
        return Reply(**{**fields, "kind": Kind(fields["kind"]), "usage": Usage(*fields["usage"]), "read": None})
    found = Assessed(**fields)
    if not all(isinstance(text, str) for text in found):
        raise TypeError("an assessment, its key and that of its reply are texts")
    return found
