"""Response stores as JSON lines: to move replies between machines, to share them, to save what a damaged file holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kbtools.errors import DataError
from kbtools.models.reply import Kind, Reply, Usage
from kbtools.models.request import key_of
from kbtools.models.store import CHUNK, ResponseStore, chunks
from kbtools.models.upkeep import ls


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `kept` were there already, and stayed as they were."""

    added: int
    kept: int


def export(store: ResponseStore, path: Path, *, model: str | None = None, failed: bool = False) -> int:
    """Write replies as one JSON object a line, and return how many; replaces `path` only when all are written."""
    part = path.with_name(path.name + ".part")
    count = 0
    with part.open("w", encoding="utf-8") as file:
        for reply in ls(store, model=model, failed=failed):
            file.write(json.dumps(asdict(reply)) + "\n")
            count += 1
    part.replace(path)
    return count


def import_lines(store: ResponseStore, path: Path) -> Imported:
    """Add exported replies that the store lacks, or has only as failures. DataError names the first bad line."""
    added = total = 0
    with path.open(encoding="utf-8") as file:
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


def _replies(lines: Iterable[str], path: Path) -> Iterator[Reply]:
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
