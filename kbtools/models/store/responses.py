"""Replies by key: reading, simple writing, and how a reply becomes a row and back.

`commit` groups the writes of a running engine, `claims` keeps two processes from sending the same request.
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

from kbtools.models.kinds import Kind, Usage
from kbtools.models.reply import Reply
from kbtools.models.store.file import StoreDamaged, connected, default_path, explained, opened, transaction

T = TypeVar("T")

CHUNK = 500
COLUMNS = (
    "key, kind, model, endpoint, status, error, prompt_tokens, completion_tokens, "
    "attempts, started, seconds, stored, request, raw"
)


class State(NamedTuple):
    """What is known of a key without reading its reply."""

    kind: Kind
    endpoint: str
    stored: float


class Assessed(NamedTuple):
    """What a check said of an answer, as JSON, and the key of the reply that the answer is from."""

    key: str
    reply: str
    assessment: str


class ResponseStore:
    """Replies by key. Usable from any thread; pickles as its path, so worker processes open their own."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path).expanduser() if path is not None else default_path()
        self._lock = threading.RLock()
        with self._explained("opening"):
            self._connection = opened(self.path)

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
        return {reply.key: reply for reply in self.each_reply(keys)}

    def each_reply(self, keys: Iterable[str]) -> Iterator[Reply]:
        """The same one after the other, none of which is in memory when the next is."""
        query = f"SELECT {COLUMNS} FROM replies WHERE key IN ({{}})"
        return map(reply_of, self.select_by_key(query, keys))

    def reply(self, key: str) -> Reply | None:
        """The stored reply or failure of one key."""
        return self.replies([key]).get(key)

    def last_write(self) -> str:
        """A text that is another one after every reply and assessment that is stored, by whatever process."""
        last = self.select("SELECT rowid, stored FROM replies ORDER BY rowid DESC LIMIT 1")
        assessed = self.select("SELECT max(rowid) FROM assessed")
        return f"{self.path.resolve()} {last} {assessed}"

    def assessments(self, keys: Iterable[str]) -> dict[str, str]:
        """What checks said of answers, as JSON, of those keys that are stored."""
        query = "SELECT key, assessment FROM assessed WHERE key IN ({})"
        return {key: unpack(blob) for key, blob in self.select_by_key(query, keys)}

    def put_assessments(self, found: Iterable[Assessed]) -> int:
        """Keep what a check said of answers; what was kept before stays, for a model may have been told of it.

        Returns how many are new.
        """
        rows = [(each.key, each.reply, pack(each.assessment)) for each in found]
        with self.transaction() as connection:
            return connection.executemany("INSERT OR IGNORE INTO assessed VALUES (?, ?, ?)", rows).rowcount

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
        with self._lock, self._explained("writing to"), transaction(self._connection) as connection:
            yield connection

    def connect(self) -> sqlite3.Connection:
        """A further connection, for a thread that writes on its own."""
        with self._explained("opening"):
            return connected(self.path)

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise explained(error, doing, self.path) from error


def put(connection: sqlite3.Connection, replies: Sequence[Reply]) -> None:
    """Store up to CHUNK replies in the open transaction; their keys are then neither claimed nor awaited from a batch.

    One statement for all of them: each statement gives up the interpreter lock, and a busy event loop in another thread
    keeps it for milliseconds.
    """
    row = "(" + ",".join("?" * 14) + ")"
    packed = pack_all([text for reply in replies for text in (reply.request, reply.raw)])
    rows = zip(replies, packed[::2], packed[1::2], strict=True)
    values = [value for reply, request, raw in rows for value in (*_columns_of(reply), request, raw)]
    connection.execute(f"INSERT OR REPLACE INTO replies ({COLUMNS}) VALUES {','.join([row] * len(replies))}", values)
    keys = [reply.key for reply in replies]
    marks = ",".join("?" * len(keys))
    connection.execute(f"DELETE FROM claims WHERE key IN ({marks})", keys)
    connection.execute(f"DELETE FROM batch_lines WHERE key IN ({marks})", keys)


def _columns_of(reply: Reply) -> tuple[object, ...]:
    """The columns of a reply before its texts."""
    return (
        reply.key, reply.kind.value, reply.model, reply.endpoint, reply.status, _utf8(reply.error),
        reply.usage.prompt, reply.usage.completion, reply.attempts, reply.started, reply.seconds,
        reply.stored or time.time(),
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
    return pack_all([text])[0]


def pack_all(texts: Sequence[str]) -> list[bytes]:
    """Texts as stored, packed in one go: each go gives up the interpreter lock."""
    if not hasattr(_codecs, "compressor"):
        _codecs.compressor = zstandard.ZstdCompressor(level=1)
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return [part.tobytes() for part in _codecs.compressor.multi_compress_to_buffer(encoded, threads=0)]


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
