"""What people do with a response store: look at it, check it, and throw out what is no longer wanted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from kbtools.errors import UsageError
from kbtools.models.kinds import Kind
from kbtools.models.reply import Reply
from kbtools.models.request import key_of
from kbtools.models.store import (
    CHUNK,
    COLUMNS,
    SCHEMA_VERSION,
    ResponseStore,
    StoreDamaged,
    reply_of,
    unpack,
)
from kbtools.models.store.claims import release_dead


@dataclass(frozen=True, slots=True)
class ModelStats:
    """Replies of one model at one endpoint."""

    model: str
    endpoint: str
    replies: int
    failures: int
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What a store holds."""

    path: Path
    version: int
    bytes: int
    replies: int
    failures: dict[str, int]
    """Stored failures by kind."""
    models: tuple[ModelStats, ...]
    claims: int
    open_batches: int
    assessments: int
    """What checks said of answers."""


def stats(store: ResponseStore) -> StoreStats:
    """Counts and sizes."""
    by_kind = dict(store.select("SELECT kind, count(*) FROM replies GROUP BY kind"))
    models = store.select(
        "SELECT model, endpoint, sum(kind = 'ok'), sum(kind <> 'ok'), total(prompt_tokens), "
        "total(completion_tokens) FROM replies GROUP BY model, endpoint ORDER BY model, endpoint"
    )
    return StoreStats(
        path=store.path,
        version=SCHEMA_VERSION,
        bytes=sum(file.stat().st_size for file in store.path.parent.glob(store.path.name + "*")),
        replies=by_kind.pop(Kind.OK.value, 0),
        failures=by_kind,
        models=tuple(ModelStats(row[0], row[1], row[2], row[3], int(row[4]), int(row[5])) for row in models),
        claims=store.select("SELECT count(*) FROM claims")[0][0],
        open_batches=store.select("SELECT count(*) FROM batches")[0][0],
        assessments=store.select("SELECT count(*) FROM assessed")[0][0],
    )


def ls(
    store: ResponseStore, *, model: str | None = None, failed: bool = False, limit: int | None = None
) -> Iterator[Reply]:
    """Replies, newest first, read in chunks."""
    where, values = _where(model, failed, None)
    query = f"SELECT rowid, {COLUMNS} FROM replies WHERE {where} AND rowid < ? ORDER BY rowid DESC LIMIT ?"
    before, left = 1 << 62, limit if limit is not None else 1 << 62
    while rows := store.select(query, (*values, before, min(left, CHUNK))):
        yield from (reply_of(row[1:]) for row in rows)
        before, left = rows[-1][0], left - len(rows)


def show(store: ResponseStore, key: str) -> Reply:
    """The one reply whose key starts with `key`."""
    rows = store.select(f"SELECT {COLUMNS} FROM replies WHERE substr(key, 1, ?) = ? LIMIT 3", (len(key), key))
    if len(rows) != 1:
        found = "no reply" if not rows else "several replies, among them " + ", ".join(row[0][:16] for row in rows)
        raise UsageError(f"{store.path}: {found} for the key {key!r}; `kbtools store ls` lists the keys")
    return reply_of(rows[0])


_SAID_OF_NONE = "FROM assessed WHERE reply NOT IN ({})"
"""Assessments whose replies are not among these."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What gc removed, or would remove."""

    replies: int
    claims: int
    assessments: int


def gc(
    store: ResponseStore,
    *,
    older_than: float | None = None,
    failed: bool = False,
    model: str | None = None,
    dry_run: bool = False,
) -> Removed:
    """Remove replies that meet all conditions given (`older_than` in seconds), what was said of their answers, and
    dead claims; then compact.

    Without a condition no reply is removed: replies are paid for.
    """
    if older_than is None and not failed and model is None:
        where, values = "0", list[object]()
    else:
        where, values = _where(model, failed, older_than)
    if dry_run:
        replies = store.select(f"SELECT count(*) FROM replies WHERE {where}", values)[0][0]
        staying = f"SELECT key FROM replies WHERE NOT ({where})"
        return Removed(replies, 0, store.select(f"SELECT count(*) {_SAID_OF_NONE.format(staying)}", values)[0][0])
    with store.transaction() as connection:
        replies = connection.execute(f"DELETE FROM replies WHERE {where}", values).rowcount
        assessments = connection.execute(f"DELETE {_SAID_OF_NONE.format('SELECT key FROM replies')}").rowcount
        claims = release_dead(connection)
    if replies or assessments:
        with closing(store.connect()) as connection:
            connection.execute("VACUUM")
    return Removed(replies, claims, assessments)


@dataclass(frozen=True, slots=True)
class StoreProblem:
    """Something wrong in a store; `key` is empty if it concerns the file."""

    key: str
    what: str


def verify(store: ResponseStore) -> Iterator[StoreProblem]:
    """Check SQLite's structures, that each key is the hash of its request, and that every text can be read."""
    try:
        for (line,) in store.select("PRAGMA integrity_check"):
            if line != "ok":
                yield StoreProblem("", line)
        yield from _unreadable(store)
    except StoreDamaged as error:
        yield StoreProblem("", str(error))


def _unreadable(store: ResponseStore) -> Iterator[StoreProblem]:
    last = 0
    query = "SELECT rowid, key, request, raw FROM replies WHERE rowid > ? ORDER BY rowid LIMIT ?"
    while rows := store.select(query, (last, CHUNK)):
        last = rows[-1][0]
        for _, key, request, raw in rows:
            try:
                unpack(raw)
                hashed = key_of(unpack(request))
            except (StoreDamaged, UnicodeEncodeError) as error:
                yield StoreProblem(key, str(error))
                continue
            if hashed != key:
                yield StoreProblem(key, f"the stored request has the key {hashed}")
    last = 0
    query = "SELECT rowid, key, assessment FROM assessed WHERE rowid > ? ORDER BY rowid LIMIT ?"
    while rows := store.select(query, (last, CHUNK)):
        last = rows[-1][0]
        for _, key, assessment in rows:
            try:
                unpack(assessment)
            except StoreDamaged as error:
                yield StoreProblem(key, str(error))


def _where(model: str | None, failed: bool, older_than: float | None) -> tuple[str, list[object]]:
    """An SQL condition and its values."""
    conditions, values = ["1"], list[object]()
    if failed:
        conditions.append("kind <> 'ok'")
    if model is not None:
        conditions.append("model = ?")
        values.append(model)
    if older_than is not None:
        conditions.append("stored < ?")
        values.append(time.time() - older_than)
    return " AND ".join(conditions), values
