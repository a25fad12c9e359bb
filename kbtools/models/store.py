"""The response store: one SQLite file (WAL) that keeps every reply under the key of its request.

It outlives runs and is shared by processes. Reading and simple writing are here; `commit` groups the writes of
a running engine, `claims` keeps two processes from sending the same request, `upkeep` and `exchange` serve people.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import zstandard

from kbtools.errors import ConfigError, DataError, KbError
from kbtools.models.reply import Kind, Reply, Usage

T = TypeVar("T")

SCHEMA_VERSION = 1
APPLICATION_ID = 0x6B62_7473  # "kbts": tells our files from other SQLite files
BUSY_MS = 30_000
CHUNK = 500
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
COLUMNS = (
    "key, kind, model, endpoint, status, error, prompt_tokens, completion_tokens, "
    "attempts, started, seconds, stored, request, raw"
)


class StoreError(KbError):
    """The response store cannot be read or written; nothing in it was changed by the failing step."""


class StoreDamaged(DataError):
    """The file is no intact response store; it is left as it is."""


class State(NamedTuple):
    """What is known of a key without reading its reply."""

    kind: Kind
    endpoint: str
    stored: float


def default_path() -> Path:
    """`KBTOOLS_STORE`, else `kbtools/responses.sqlite` in the user's data directory."""
    if path := os.environ.get("KBTOOLS_STORE"):
        return Path(path).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "kbtools" / "responses.sqlite"


class ResponseStore:
    """Replies by key. Usable from any thread; pickles as its path, so worker processes open their own."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path).expanduser() if path is not None else default_path()
        self._lock = threading.RLock()
        with self._explained("opening"):
            self._connection = self._open()

    def __reduce__(self) -> tuple[type[ResponseStore], tuple[str]]:
        return ResponseStore, (str(self.path),)

    def __enter__(self) -> ResponseStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def states(self, keys: Iterable[str]) -> dict[str, State]:
        """Kind, endpoint and time of those keys that are stored."""
        query = "SELECT key, kind, endpoint, stored FROM replies WHERE key IN ({})"
        return {
            key: State(Kind(kind), endpoint, stored) for key, kind, endpoint, stored in self.select_by_key(query, keys)
        }

    def replies(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The stored replies and failures of those keys, in memory all at once: ask for a batch of rows."""
        query = f"SELECT {COLUMNS} FROM replies WHERE key IN ({{}})"
        return {row[0]: reply_of(row) for row in self.select_by_key(query, keys)}

    def reply(self, key: str) -> Reply | None:
        """The stored reply or failure of one key."""
        return self.replies([key]).get(key)

    def last_write(self) -> str:
        """A text that is another one after every reply that is stored, by whatever process."""
        last = self.select("SELECT rowid, stored FROM replies ORDER BY rowid DESC LIMIT 1")
        return f"{self.path.resolve()} {last}"

    def put(self, replies: Iterable[Reply]) -> None:
        """Store replies in one transaction, replacing what was there."""
        with self.transaction() as connection:
            for chunk in chunks(replies, CHUNK):
                put(connection, chunk)

    def select_by_key(self, query: str, keys: Iterable[str]) -> Iterator[tuple[Any, ...]]:
        """Rows of `query`, whose `{}` stands for the keys, asked for in chunks."""
        for chunk in chunks(keys, CHUNK):
            yield from self.select(query.format(",".join("?" * len(chunk))), chunk)

    def select(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock, self._explained("reading"):
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction on the shared connection; rolled back if the body raises."""
        with self._lock, self._explained("writing to"):
            yield from _transaction(self._connection)

    def connect(self) -> sqlite3.Connection:
        """A further connection, for a thread that writes on its own."""
        with self._explained("opening"):
            return _connection(self.path)

    def _open(self) -> sqlite3.Connection:
        _check_header(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = _connection(self.path)
        try:
            _check_identity(connection, self.path)
            _use_wal(connection, self.path)
            with contextmanager(_transaction)(connection):
                _create(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise explained(error, doing, self.path) from error


def explained(error: Exception, doing: str, path: Path) -> KbError:
    """The error to raise for what SQLite or the file system reported."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without the extended part
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreDamaged(
            f"{doing} the response store {path}: {error}. The file is damaged and was not touched. "
            "`kbtools store export` may still save part of it; then move it away and `kbtools store import`"
        )
    return StoreError(f"{doing} the response store {path}: {error}. Check space and permissions, or use --store PATH")


def put(connection: sqlite3.Connection, replies: Sequence[Reply]) -> None:
    """Store up to CHUNK replies in the open transaction; their keys are then neither claimed nor awaited from a batch.

    One statement for all of them: each statement gives up the interpreter lock, and a busy event loop in another thread
    keeps it for milliseconds.
    """
    row = "(" + ",".join("?" * 14) + ")"
    values = [value for reply in replies for value in _row_of(reply)]
    connection.execute(f"INSERT OR REPLACE INTO replies ({COLUMNS}) VALUES {','.join([row] * len(replies))}", values)
    keys = [reply.key for reply in replies]
    marks = ",".join("?" * len(keys))
    connection.execute(f"DELETE FROM claims WHERE key IN ({marks})", keys)
    connection.execute(f"DELETE FROM batch_lines WHERE key IN ({marks})", keys)


def _row_of(reply: Reply) -> tuple[object, ...]:
    return (
        reply.key, reply.kind.value, reply.model, reply.endpoint, reply.status, _utf8(reply.error),
        reply.usage.prompt, reply.usage.completion, reply.attempts, reply.started, reply.seconds,
        reply.stored or time.time(), pack(reply.request), pack(reply.raw),
    )  # fmt: skip


def reply_of(row: Sequence[Any]) -> Reply:
    """A reply from a row of `COLUMNS`."""
    key, kind, model, endpoint, status, error, prompt, completion, attempts, started, seconds, stored = row[:12]
    request, raw = unpack(row[12]), unpack(row[13])
    usage = Usage(prompt, completion)
    return Reply(
        key, model, endpoint, Kind(kind), request, raw, status, error, usage, attempts, started, seconds, stored
    )  # fmt: skip


_codecs = threading.local()


def pack(text: str) -> bytes:
    """Text as stored: zstandard, a third to a quarter of the size for code."""
    if not hasattr(_codecs, "compressor"):
        _codecs.compressor = zstandard.ZstdCompressor(level=1)
    packed: bytes = _codecs.compressor.compress(text.encode("utf-8", "surrogatepass"))
    return packed


def unpack(blob: bytes) -> str:
    if not hasattr(_codecs, "decompressor"):
        _codecs.decompressor = zstandard.ZstdDecompressor()
    try:
        text: str = _codecs.decompressor.decompress(blob).decode("utf-8", "surrogatepass")
    except (zstandard.ZstdError, UnicodeDecodeError, TypeError) as error:
        raise StoreDamaged(f"a stored text cannot be decoded ({error}); run `kbtools store verify`") from error
    return text


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _connection(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")  # a reply is paid for: it survives power loss too
    return connection


def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _check_header(path: Path) -> None:
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        found = file.read(16)
    if found != b"SQLite format 3\0":
        raise StoreDamaged(
            f"{path} is no response store: it starts with {found!r} instead of SQLite's header. "
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
    if connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION:
        return
    for statement in SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
