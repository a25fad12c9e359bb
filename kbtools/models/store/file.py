"""The SQLite file of a store: made and opened here, told from other files, and what SQLite reports put into words."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kbtools.errors import ConfigError, DataError, KbError

SCHEMA_VERSION = 1
APPLICATION_ID = 0x6B62_7473  # "kbts": tells our files from other SQLite files
BUSY_MS = 30_000
SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, model TEXT NOT NULL, endpoint TEXT NOT NULL,
    status INTEGER, error TEXT NOT NULL, prompt_tokens INTEGER, completion_tokens INTEGER,
    attempts INTEGER NOT NULL, started REAL NOT NULL, seconds REAL NOT NULL, stored REAL NOT NULL,
    request BLOB NOT NULL, raw BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS claims (
    key TEXT PRIMARY KEY, owner TEXT NOT NULL, expires REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS claims_owner ON claims (owner);
CREATE TABLE IF NOT EXISTS batches (
    nonce TEXT PRIMARY KEY, batch TEXT, endpoint TEXT NOT NULL, created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS batch_lines (
    key TEXT PRIMARY KEY, nonce TEXT NOT NULL, request BLOB NOT NULL
);
"""
ASSESSMENTS = """
CREATE TABLE IF NOT EXISTS assessed (key TEXT PRIMARY KEY, reply TEXT NOT NULL, assessment BLOB NOT NULL)
"""
"""What checks said of answers, each with the key of the reply that held it first, and with which it goes. Versions that
do not know this table pass it over."""


class StoreError(KbError):
    """The response store cannot be read or written; nothing in it was changed by the failing step."""


class StoreDamaged(DataError):
    """The file is not an intact response store; it is left as it is."""


def default_path() -> Path:
    """`KBTOOLS_STORE`, else `kbtools/responses.sqlite` in the user's data directory."""
    if path := os.environ.get("KBTOOLS_STORE"):
        return Path(path).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "kbtools" / "responses.sqlite"


def opened(path: Path) -> sqlite3.Connection:
    """A connection to the store at a path, made if there is none; StoreDamaged for a file that is not ours."""
    _check_header(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = connected(path)
    try:
        _check_identity(connection, path)
        _use_wal(connection, path)
        with transaction(connection):
            _create(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connected(path: Path) -> sqlite3.Connection:
    """A connection to a store that has been opened before, usable from any thread, one at a time."""
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")  # a reply is paid for: it survives power loss too
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A write transaction, rolled back if the body raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def explained(error: Exception, doing: str, path: Path) -> KbError:
    """The error to raise for what SQLite or the file system reported."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without the extended part
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreDamaged(
            f"{doing} the response store {path}: {error}. The file is damaged and was not touched. "
            "`kbtools store export` may still save part of it; then move it away and `kbtools store import`"
        )
    return StoreError(f"{doing} the response store {path}: {error}. Check space and permissions, or use --store PATH")


def _check_header(path: Path) -> None:
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        found = file.read(16)
    if found != b"SQLite format 3\0":
        raise StoreDamaged(
            f"{path} is not a response store: it starts with {found!r} instead of SQLite's header. "
            "It was not touched; move it away or name another file with --store"
        )


def _check_identity(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application != APPLICATION_ID:
        raise StoreDamaged(f"{path} is an SQLite file of another program; name another file with --store")
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"{path} was written by a newer kbtools (store version {version}, this one knows {SCHEMA_VERSION}): "
            "upgrade kbtools, or name another file with --store"
        )


def _use_wal(connection: sqlite3.Connection, path: Path) -> None:
    deadline = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            # SQLite does not wait for the lock here, even with a busy timeout.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
            continue
        if mode != "wal":
            raise ConfigError(f"{path} is on a file system without SQLite WAL (found {mode!r}); use a local disk")
        return


def _create(connection: sqlite3.Connection) -> None:
    connection.execute(ASSESSMENTS)
    if connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION:
        return
    for statement in SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
