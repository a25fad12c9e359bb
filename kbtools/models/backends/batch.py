"""The backend for the OpenAI Batch API: upload, poll, collect, at half the price and within a day.

What was uploaded is written to the store's journal before the batch is created, so that a run that is killed at any
moment finds its batches again, by their id or by the nonce in their metadata, and pays for none twice.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kbtools.errors import ConfigError, MissingExtra
from kbtools.models.backend import ChunkRun
from kbtools.models.backends.http import HttpBackend
from kbtools.models.backends.lines import answers, line_of
from kbtools.models.backends.wire import Dialect
from kbtools.models.engine.accounting import reply_from
from kbtools.models.kinds import Kind
from kbtools.models.reply import Answer
from kbtools.models.request import Request, request_from_canonical
from kbtools.models.store import ResponseStore, pack, unpack

if TYPE_CHECKING:
    import openai
    from openai.types import Batch

ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
NONCE = "kbtools"
"""Metadata field by which a batch is recognised as ours."""
MOST_BYTES = 150_000_000
"""Of one input file; OpenAI takes 200 MB."""
NAP = 0.5


class BatchBackend:
    """Batches at the server of an HTTP backend. `poll` is seconds between looks at a batch."""

    chunk_size = 20_000

    def __init__(self, server: HttpBackend, poll: float = 30.0) -> None:
        self.model = server.model
        self.endpoint = f"batch:{server.endpoint}"
        self._server = server
        self._poll = poll
        self._told: dict[str, str] = {}
        """What the server said of each batch under way, by nonce."""

    @property
    def dialect(self) -> Dialect:
        """That of the server."""
        return self._server.dialect

    def speaking(self, dialect: Dialect) -> BatchBackend:
        """Batches at the same server, whose lines are in another dialect."""
        return BatchBackend(self._server.speaking(dialect), self._poll)

    def waiting_for(self) -> str:
        """What the server said when it was last asked about the batches."""
        return ", ".join(tuple(self._told.values()))

    def close(self) -> None:
        """Batches go on at the server, and are found again by the next run."""

    def complete(self, requests: Sequence[Request], run: ChunkRun) -> Iterator[tuple[Request, Answer]]:
        """Answer requests from batches that are under way already, and from new ones for the rest."""
        by_key = {request.key: request for request in requests}
        journal = Journal(run.store, self.endpoint)
        client = self._client()
        journal.sweep()
        under_way = journal.keys()
        for part in _parts([request for request in requests if request.key not in under_way], self._server):
            self._submit(client, journal, journal.open(part))
        for nonce, batch in journal.batches():
            if batch is None:
                self._find_or_submit(client, journal, nonce)
        yield from self._collect(client, journal, by_key, run)

    def _collect(
        self, client: openai.OpenAI, journal: Journal, by_key: dict[str, Request], run: ChunkRun
    ) -> Iterator[tuple[Request, Answer]]:
        looked = 0.0
        collected: set[str] = set()
        while open_batches := [(nonce, batch) for nonce, batch in journal.batches() if nonce not in collected]:
            if run.stopping():
                return
            if time.monotonic() - looked < self._poll:
                time.sleep(min(NAP, self._poll))
                continue
            looked = time.monotonic()
            for nonce, batch_id in open_batches:
                assert batch_id is not None, "a batch without id was neither found nor submitted"
                batch = client.batches.retrieve(batch_id)
                self._told[nonce] = _state(batch)
                if batch.status in ENDED:
                    del self._told[nonce]
                    yield from self._results(client, journal, nonce, batch, by_key, run)
                    collected.add(nonce)

    def _results(
        self,
        client: openai.OpenAI,
        journal: Journal,
        nonce: str,
        batch: Batch,
        by_key: dict[str, Request],
        run: ChunkRun,
    ) -> Iterator[tuple[Request, Answer]]:
        waiting = journal.lines(nonce)
        if batch.status == "failed":
            journal.drop(nonce)
            raise ConfigError(f"{self.endpoint} rejected the batch {batch.id}: {batch.errors}")
        for key, answer in [*_downloaded(client, batch), *_without_line(waiting, batch)]:
            canonical = waiting.pop(key, None)
            if canonical is None:
                continue  # the line has been answered, here or from the other file
            if key in by_key:
                yield by_key[key], answer
            else:
                self._keep(run.store, request_from_canonical(canonical), answer)

    def _keep(self, store: ResponseStore, request: Request, answer: Answer) -> None:
        """Store a reply that was paid for, though this run does not ask for it."""
        store.put([reply_from(request, answer, self, 1, time.time(), 0.0)])

    def _submit(self, client: openai.OpenAI, journal: Journal, nonce: str) -> None:
        with tempfile.TemporaryFile() as file:
            for canonical in journal.lines(nonce).values():
                line = line_of(request_from_canonical(canonical), self._server.dialect, self._server.model)
                file.write(line.encode("ascii"))
            file.seek(0)
            upload = client.files.create(file=(f"{nonce}.jsonl", file), purpose="batch")
        # Not retried: a second attempt after a lost answer would create, and bill, a second batch.
        batch = client.with_options(max_retries=0).batches.create(
            input_file_id=upload.id,
            endpoint="/v1/chat/completions" if self._server.dialect.api == "chat" else "/v1/responses",
            completion_window="24h",
            metadata={NONCE: nonce},
        )
        journal.name(nonce, batch.id)

    def _find_or_submit(self, client: openai.OpenAI, journal: Journal, nonce: str) -> None:
        for batch in client.batches.list(limit=100):
            if (batch.metadata or {}).get(NONCE) == nonce:
                journal.name(nonce, batch.id)
                return
        self._submit(client, journal, nonce)

    def _client(self) -> openai.OpenAI:
        try:
            import openai
        except ImportError as error:
            raise MissingExtra("batch", "the OpenAI Batch API") from error
        headers = dict(self._server.headers)
        key = headers.pop("Authorization", "Bearer none").removeprefix("Bearer ")
        return openai.OpenAI(base_url=self._server.base_url, api_key=key, default_headers=headers)


def _state(batch: Batch) -> str:
    """How far a batch is, for people."""
    counts = batch.request_counts
    done = f", {counts.completed:,} of {counts.total:,} done" if counts is not None else ""
    return f"{batch.id} is {batch.status}{done}"


def _parts(requests: Sequence[Request], server: HttpBackend) -> Iterator[list[Request]]:
    """Requests in parts whose files the server takes."""
    part: list[Request] = []
    size = 0
    for request in requests:
        length = len(line_of(request, server.dialect, server.model))
        if part and size + length > MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(request)
        size += length
    if part:
        yield part


def _downloaded(client: openai.OpenAI, batch: Batch) -> Iterator[tuple[str, Answer]]:
    for file in (batch.output_file_id, batch.error_file_id):
        if file is not None:
            yield from answers(client.files.content(file).content.split(b"\n"))


def _without_line(waiting: dict[str, str], batch: Batch) -> Iterator[tuple[str, Answer]]:
    error = f"the batch {batch.id} is {batch.status} and holds no reply to this request"
    for key in list(waiting):
        yield key, Answer(Kind.SERVER, error=error)


@dataclass(frozen=True, slots=True)
class Journal:
    """The batches of one endpoint that are not collected yet. A line is forgotten when its reply is stored."""

    store: ResponseStore
    endpoint: str

    def open(self, requests: Sequence[Request]) -> str:
        """Note a batch that is about to be created; returns its nonce."""
        nonce = uuid.uuid4().hex
        lines = [(request.key, nonce, pack(request.canonical())) for request in requests]
        with self.store.transaction() as connection:
            connection.execute("INSERT INTO batches VALUES (?, NULL, ?, ?)", (nonce, self.endpoint, time.time()))
            connection.executemany("INSERT OR REPLACE INTO batch_lines VALUES (?, ?, ?)", lines)
        return nonce

    def name(self, nonce: str, batch: str) -> None:
        """Note the id that the server gave."""
        with self.store.transaction() as connection:
            connection.execute("UPDATE batches SET batch = ? WHERE nonce = ?", (batch, nonce))

    def drop(self, nonce: str) -> None:
        """Forget a batch that will never have replies, and its lines."""
        with self.store.transaction() as connection:
            connection.execute("DELETE FROM batch_lines WHERE nonce = ?", (nonce,))
            connection.execute("DELETE FROM batches WHERE nonce = ?", (nonce,))

    def sweep(self) -> None:
        """Forget the batches whose lines all have their replies in the store."""
        with self.store.transaction() as connection:
            connection.execute("DELETE FROM batches WHERE nonce NOT IN (SELECT nonce FROM batch_lines)")

    def batches(self) -> list[tuple[str, str | None]]:
        """Nonces and ids, oldest first."""
        rows = self.store.select(
            "SELECT nonce, batch FROM batches WHERE endpoint = ? ORDER BY created", (self.endpoint,)
        )
        return [(nonce, batch) for nonce, batch in rows]

    def lines(self, nonce: str) -> dict[str, str]:
        """Keys and canonical requests of a batch that have no reply yet."""
        rows = self.store.select("SELECT key, request FROM batch_lines WHERE nonce = ?", (nonce,))
        return {key: unpack(request) for key, request in rows}

    def keys(self) -> set[str]:
        """Keys of all lines under way."""
        query = "SELECT key FROM batch_lines JOIN batches USING (nonce) WHERE endpoint = ?"
        return {row[0] for row in self.store.select(query, (self.endpoint,))}
