"""Model calls under an engine: they stay with the driver, whose one store knows what was paid for."""

from __future__ import annotations

from pathlib import Path

import pytest

import kbtools as kb
from kbtools.models import ResponseStore
from kbtools.models.store.import_export import export
from tests.engines.conftest import Program
from tests.engines.waiting import SECONDS, wait_for


def stored(path: Path, folder: Path) -> int:
    """Replies that are in the store."""
    with ResponseStore(str(path)) as store:
        return export(store, folder / "export.jsonl").written


@pytest.mark.slow
def test_no_reply_that_was_stored_is_asked_for_again(program: Program, model_server, tmp_path: Path) -> None:
    """The driver is killed twice among its calls; what is asked afterwards is what the store lacks, and no more."""
    server, model = model_server(delay=0.2)
    kb.save(kb.load("sample").select(range(60)), program.source)
    store = tmp_path / "replies.sqlite"
    static = ("judge", "--judge", "static", "--prefix", "static_")
    asking = ("judge", "--model", model, "--store", store, "--max-in-flight", 4)
    words = (*static, *asking, "strip-reasoning", "--on-error", "drop")
    engine = ("--engine", "processes=2", "--shards", 3, "--out", "there.parquet")
    for _ in range(2):
        asked = len(server.log)
        running = program.start(*words, *engine)
        wait_for(lambda before=asked, run=running: len(server.log) >= before + 15 or run.poll() is not None)
        running.kill()
        out, err = running.communicate(timeout=SECONDS)
        assert running.returncode == -9, out + err
    asked, known = len(server.log), stored(store, tmp_path)
    assert known > 0
    code, said = program(*words, *engine)
    assert code == 0, said
    assert len(server.log) - asked == stored(store, tmp_path) - known
    assert "3 of 3 shards reused" in said
    code, said = program(*words, "--out", "here.parquet")
    assert code == 0, said
    assert len(server.log) - asked == stored(store, tmp_path) - known
    assert (tmp_path / "there.parquet").read_bytes() == (tmp_path / "here.parquet").read_bytes()
