"""What a run has just heard: keys of each row's requests, and parsed replies, so that its replay reads nothing twice.

All of it lies in a temporary database of SQLite, of which no more than its cache is in memory. It is a shortcut and
never the truth: what is not in it is rendered, looked up and parsed as in a run that makes no call.
"""

from __future__ import annotations

import pickle
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from kbtools.llm.parts import RowInputs
from kbtools.llm.row_requests import RowRequests
from kbtools.models.contract import Contract, Repairing, parsed
from kbtools.models.kinds import ReplyFailure
from kbtools.models.reply import Reply
from kbtools.models.request import Request, request_from_canonical
from kbtools.models.settled import ParsedReply
from kbtools.models.store import ResponseStore, chunks

GROUP = 256
"""Records that are written together."""
MOST = 4096
"""Bytes of a record; a longer one is left to the store, where it costs less to read it again than to write it twice."""
_TABLES = """
CREATE TABLE rows (number INTEGER PRIMARY KEY, mark INTEGER, keys TEXT);
CREATE TABLE said (key TEXT PRIMARY KEY, fields BLOB) WITHOUT ROWID;
"""


class RecalledReply(ParsedReply):
    """A usable reply whose fields were noted; the rest is fetched from the store when somebody asks for it."""

    __slots__ = ("_key", "_store")
    _key: str
    _store: ResponseStore

    def __init__(self, key: str, fields: dict[str, Any], raw: str | None, store: ResponseStore) -> None:
        noted: dict[str, object] = {"fields": fields, "failure": None, "raw": raw, "_key": key, "_store": store}
        for name, value in noted.items():
            object.__setattr__(self, name, value)

    @property
    def reply(self) -> Reply:  # a property in the place of a field that cannot be set
        """The stored reply."""
        reply = self._store.reply(self._key)
        assert reply is not None, "what was noted is stored"
        return reply

    @property
    def request(self) -> Request:  # as above
        """The request, from its text in the store."""
        return request_from_canonical(self.reply.request)


class Heard:
    """The notes of one run. Written by the engine's threads, read when they have ended."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)  # a file without a name
        self._database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)
        self._lock = threading.Lock()
        self._rows: list[tuple[int, str]] = []
        self._said: list[tuple[str, bytes]] = []
        self._told: Iterator[tuple[int, str]] | None = None
        self._given_up = False
        """Whether the disk for temporary files is full, or broken: the run goes on without notes."""

    def close(self) -> None:
        """Remove the notes."""
        self._database.close()

    def planned(self, rows: Iterable[RowRequests]) -> Iterator[RowRequests]:
        """The rows as they are taken, with the keys of their requests noted in this order."""
        for row in rows:
            self._rows.append((_mark(row.inputs), " ".join([request.key for request in row.requests])))
            if len(self._rows) >= GROUP:
                self._write_rows()
            yield row

    def said(self, key: str, fields: dict[str, object], raw: str | None) -> None:
        """Note what a usable reply says; what cannot be pickled is left to the store."""
        try:
            record = pickle.dumps((fields, raw), pickle.HIGHEST_PROTOCOL)
        except Exception:  # noqa: BLE001 - a contract of somebody else may make values of any kind
            return
        if len(record) > MOST:
            return
        self._said.append((key, record))
        if len(self._said) >= GROUP:
            self._write_said()

    def recalled(self, given: Sequence[RowInputs], store: ResponseStore) -> list[list[ParsedReply] | None]:
        """The replies to each of the next rows, which come as they were planned; None where one is not known."""
        try:
            return self._recalled(given, store) if not self._given_up else [None] * len(given)
        except sqlite3.Error:
            self._given_up = True
            return [None] * len(given)

    def _recalled(self, given: Sequence[RowInputs], store: ResponseStore) -> list[list[ParsedReply] | None]:
        keys = [self._next(inputs) for inputs in given]
        known: dict[str, tuple[dict[str, Any], str | None]] = {}
        for chunk in chunks(sorted({key for some in keys for key in some}), GROUP):
            query = f"SELECT key, fields FROM said WHERE key IN ({','.join('?' * len(chunk))})"
            known.update((key, pickle.loads(record)) for key, record in self._database.execute(query, chunk))
        return [
            [RecalledReply(key, *known[key], store) for key in some] if some and known.keys() >= set(some) else None
            for some in keys
        ]

    def _next(self, inputs: RowInputs) -> list[str]:
        """The keys of the row that is next if it is this one; none from the first that is another one on."""
        if self._told is None:
            self._write_rows()
            self._write_said()
            self._told = self._database.execute("SELECT mark, keys FROM rows ORDER BY number")
        mark, keys = next(self._told, (None, ""))
        if mark == _mark(inputs):
            return keys.split()
        self._told = iter(())
        return []

    def _write_rows(self) -> None:
        rows, self._rows = self._rows, []
        self._write("INSERT INTO rows (mark, keys) VALUES ", rows)

    def _write_said(self) -> None:
        said, self._said = self._said, []
        self._write("INSERT OR REPLACE INTO said VALUES ", said)

    def _write(self, statement: str, pairs: Sequence[tuple[object, object]]) -> None:
        """In one statement: each gives up the interpreter lock, which a busy thread keeps for milliseconds."""
        if pairs and not self._given_up:
            with self._lock:
                values = [value for pair in pairs for value in pair]
                try:
                    self._database.execute(statement + ",".join(["(?, ?)"] * len(pairs)), values)
                except sqlite3.Error:
                    self._given_up = True


def _mark(inputs: RowInputs) -> int:
    """Tells this row from others within this process."""
    return hash((*inputs, *inputs.values()))


@dataclass(frozen=True, slots=True)
class Hearing:
    """A review that also notes what usable replies say, by the contract that the replay would read them with."""

    review: Repairing
    contract_of: Callable[[Request], Contract]
    heard: Heard

    def __call__(self, request: Request, reply: Reply) -> Request | ReplyFailure | None:
        result = parsed(self.review.contract, reply)
        if not isinstance(result, ReplyFailure) and self.contract_of(request) == self.review.contract:
            self.heard.said(request.key, result, reply.reading().text)
        return self.review.of(request, reply, result)


heard_by_run: ContextVar[Heard | None] = ContextVar("heard_by_run", default=None)
"""The notes of the stage that runs, for its replay."""


@contextmanager
def hearing() -> Iterator[None]:
    """Keep notes of what is heard within this context."""
    with closing(Heard()) as heard:
        token = heard_by_run.set(heard)
        try:
            yield
        finally:
            heard_by_run.reset(token)
