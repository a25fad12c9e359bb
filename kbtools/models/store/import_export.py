"""Response stores as JSON lines: to move replies between machines, to share them, to save what a damaged file holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from kbtools.data.io.source import aside
from kbtools.errors import ConfigError, DataError, UsageError, reason
from kbtools.models.kinds import Kind, Usage
from kbtools.models.reply import Reply
from kbtools.models.request import key_of
from kbtools.models.store import CHUNK, COLUMNS, ResponseStore, StoreDamaged, chunks, reply_of


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `kept` were there already, and stayed as they were."""

    added: int
    kept: int


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did. `unreadable` are the replies that a damaged store no longer gives."""

    written: int
    unreadable: int


def export(store: ResponseStore, path: Path, *, model: str | None = None) -> Exported:
    """Write all replies that can be read, one JSON object a line; replaces `path` only when they are written."""
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
    written = total = 0
    for rows in chunks(_rows_of(store, model), CHUNK):
        total += len(rows)
        for reply in _readable(store, rows):
            file.write(json.dumps(asdict(reply)) + "\n")
            written += 1
    return Exported(written, total - written)


def _rows_of(store: ResponseStore, model: str | None) -> Iterator[int]:
    """Places of the replies in the order of their keys: read from the index, which holds no texts."""
    if model is None:
        found = store.select("SELECT rowid FROM replies ORDER BY key")
    else:
        found = store.select("SELECT rowid FROM replies WHERE model = ? ORDER BY key", (model,))
    yield from (row for (row,) in found)


def _readable(store: ResponseStore, rows: Sequence[int]) -> Iterator[Reply]:
    """The replies at these places; where some cannot be read, the others all the same."""
    marks = ",".join("?" * len(rows))
    try:
        yield from [reply_of(row) for row in store.select(
            f"SELECT {COLUMNS} FROM replies WHERE rowid IN ({marks}) ORDER BY key", rows
        )]  # fmt: skip
    except StoreDamaged:
        if len(rows) > 1:
            yield from _readable(store, rows[: len(rows) // 2])
            yield from _readable(store, rows[len(rows) // 2 :])


def import_lines(store: ResponseStore, path: Path) -> Imported:
    """Add exported replies that the store lacks, or has only as failures. DataError names the first bad line."""
    added = total = 0
    with path.open("rb") as file:
        for chunk in chunks(_replies(file, path), CHUNK):
            total += len(chunk)
            added += _add(store, chunk)
    return Imported(added, total - added)


def _add(store: ResponseStore, replies: list[Reply]) -> int:
    known = store.states(reply.key for reply in replies)
    new = [
        reply for reply in replies
        if reply.key not in known or (reply.ok and known[reply.key].kind is not Kind.OK)
    ]  # fmt: skip
    store.put(new)
    return len(new)


def _replies(lines: Iterable[bytes], path: Path) -> Iterator[Reply]:
    for number, line in enumerate(lines, 1):
        try:
            reply = _reply(json.loads(line))
            hashed = key_of(reply.request)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"importing {path}, line {number}: not an exported reply ({error!r})") from error
        if hashed != reply.key:
            raise DataError(f"importing {path}, line {number}: its request has the key {hashed}, not {reply.key}")
        yield reply


def _reply(fields: dict[str, Any]) -> Reply:
    return Reply(**{**fields, "kind": Kind(fields["kind"]), "usage": Usage(*fields["usage"])})
