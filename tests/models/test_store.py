"""The response store as a file: what is in it, who may share it, and what happens when it is damaged."""

import asyncio
import multiprocessing
import pickle
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from kbtools.errors import ConfigError
from kbtools.models import Kind, Reply, ResponseStore, StoreDamaged, StoreError, Usage, default_path
from kbtools.models.store import Assessed, pack, unpack
from kbtools.models.store.commit import GroupCommit
from kbtools.models.store.maintenance import verify


def reply_to(request, **fields) -> Reply:
    defaults = {"kind": Kind.OK, "raw": '{"choices": []}', "status": 200, "stored": 1.0}
    return Reply(request.key, request.model, "http://e", request=request.canonical(), **{**defaults, **fields})


def test_a_reply_comes_back_as_it_was_put(store, ask):
    """Every field survives, raw bytes that are not text included."""
    reply = reply_to(
        ask(1)[0], kind=Kind.SERVER, raw='{"a": "\ud83d"}', error="x\ud800", status=None,
        usage=Usage(5, None), attempts=3, started=2.5, seconds=0.25,
    )  # fmt: skip
    store.put([reply])
    back = store.reply(reply.key)
    assert (back.kind, back.raw, back.status, back.usage) == (reply.kind, reply.raw, None, Usage(5, None))
    assert (back.attempts, back.started, back.seconds, back.stored) == (3, 2.5, 0.25, 1.0)
    assert back.error == "x\\ud800"


def test_code_is_packed_to_a_fraction():
    """Long replies do not fill the disk."""
    text = "def forward(self, x):\n    return torch.relu(x)\n" * 200
    assert unpack(pack(text)) == text
    assert len(pack(text)) < len(text) / 10


def test_bulk_lookup_of_many_keys(store, ask):
    """More keys than SQLite takes in one statement are looked up in chunks."""
    requests = ask(3_000)
    store.put(reply_to(request) for request in requests[::2])
    assert store.states(request.key for request in requests).keys() == {request.key for request in requests[::2]}


def test_default_path_follows_the_environment(monkeypatch, tmp_path):
    """KBTOOLS_STORE wins over the user's data directory."""
    monkeypatch.delenv("KBTOOLS_STORE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path() == tmp_path / "kbtools" / "responses.sqlite"
    monkeypatch.setenv("KBTOOLS_STORE", "~/mine.sqlite")
    assert default_path() == Path("~/mine.sqlite").expanduser()
    monkeypatch.delenv("KBTOOLS_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", "")
    assert default_path() == Path("~/.local/share/kbtools/responses.sqlite").expanduser()


def test_folders_are_made(tmp_path):
    """The first use creates the file and its folders."""
    with ResponseStore(tmp_path / "a" / "b" / "s.sqlite") as store:
        assert store.path.exists()
        assert store.select("PRAGMA journal_mode") == [("wal",)], "readers do not wait for a writer"


def test_what_checks_said_is_kept_beside_the_replies(tmp_path, ask):
    """The first word stays, also in a store of a version that kept none; each reply and word is a new last write."""
    path = tmp_path / "s.sqlite"
    with ResponseStore(path) as store, store.transaction() as connection:
        connection.execute("DROP TABLE assessed")
    with ResponseStore(path) as store:
        writes = [store.last_write()]
        for text in ("it fails", "it passes"):
            store.put_assessments([Assessed("key", "reply", text)])
        assert store.assessments(["key", "other"]) == {"key": "it fails"}
        writes.append(store.last_write())
        store.put([reply_to(ask(1)[0])])
        writes.append(store.last_write())
    assert len(set(writes)) == 3
    assert all(str(path) in write for write in writes)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path):
    """Somebody's notes are not overwritten."""
    path = tmp_path / "notes.txt"
    path.write_text("my notes, longer than a header")
    with pytest.raises(StoreDamaged, match="not a response store"):
        ResponseStore(path)
    assert path.read_text() == "my notes, longer than a header"


def test_a_database_of_another_program_is_refused(tmp_path):
    """Tables are not added to other people's databases."""
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match="another program"):
        ResponseStore(path)
    assert path.read_bytes() == before


def test_a_newer_store_is_refused(tmp_path, store):
    """A version that this program does not know is left alone."""
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="newer kbtools .store version 99"):
        ResponseStore(store.path)


@pytest.mark.parametrize("size", [100, 3_000, 50_000])
def test_a_truncated_store_is_reported_and_kept(tmp_path, ask, size):
    """A file that lost its end is an error that says so, and is not touched."""
    path = tmp_path / "s.sqlite"
    with ResponseStore(path) as store:
        store.put(reply_to(request, raw=f"{i}" * 50) for i, request in enumerate(ask(2_000)))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(StoreDamaged, match="damaged and was not touched"), ResponseStore(path) as store:
        store.replies(request.key for request in ask(2_000))
    assert path.stat().st_size == size


def test_overwritten_pages_are_found(tmp_path, ask):
    """Zeros in the middle of the file are found by verify at the latest."""
    path = tmp_path / "s.sqlite"
    with ResponseStore(path) as store:
        store.put(reply_to(request) for request in ask(2_000))
    content = bytearray(path.read_bytes())
    content[20_000:60_000] = bytes(40_000)
    path.write_bytes(content)
    with ResponseStore(path) as store:
        assert any("malformed" in problem.what or "Tree" in problem.what for problem in verify(store))


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    """The error names the path and what to check."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="Check space and permissions"):
        ResponseStore(tmp_path / "file" / "s.sqlite")


def test_a_store_travels_as_its_path(store, ask):
    """Worker processes open their own connection."""
    store.put([reply_to(ask(1)[0])])
    with pickle.loads(pickle.dumps(store)) as copy:
        assert copy.reply(ask(1)[0].key) is not None


def write_many(path: str, start: int) -> None:
    from kbtools.models import chat

    with ResponseStore(path) as store:
        for i in range(start, start + 200):
            store.put([reply_to(chat("m", [{"role": "user", "content": str(i)}]))])


@pytest.mark.process
def test_processes_write_at_the_same_time(tmp_path):
    """Four writers that also race to create the file lose nothing and see no lock errors."""
    path = str(tmp_path / "s.sqlite")
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(path, i * 1000)) for i in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    with ResponseStore(path) as store:
        assert store.select("SELECT count(*) FROM replies") == [(800,)]


def test_threads_share_one_store(store, ask):
    """Lookups and writes from many threads do not disturb each other."""
    requests = ask(400)
    threads = [threading.Thread(target=store.put, args=([reply_to(request)],)) for request in requests[:50]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.states(request.key for request in requests)) == 50


def test_what_was_handed_in_is_stored_when_its_writer_ends(store, ask):
    """Though nobody waits for it: a run that ends early loses no reply that has come."""

    async def scene() -> None:
        async with GroupCommit(store) as commit:
            for request in ask(20):
                commit.put(reply_to(request))

    asyncio.run(scene())
    assert len(store.states(request.key for request in ask(20))) == 20


def test_replies_that_come_together_share_a_transaction(store, ask):
    """Each is told after its own transaction; as many as may wait go to disk at once."""

    async def scene() -> tuple[list[Exception | None], int]:
        told: list[Exception | None] = []
        written = set()
        async with GroupCommit(store, most=8) as commit:
            for request in ask(16):
                commit.put(reply_to(request), told.append)
            assert told == []
            while len(told) < 16:
                await asyncio.sleep(0.001)
                written.add(len(store.states(request.key for request in ask(16))))
        return told, len(written - {0, 8, 16})

    assert asyncio.run(scene()) == ([None] * 16, 0)
