"""Model calls under an engine: they stay with the driver, whose one store knows what was paid for."""

from __future__ import annotations

from pathlib import Path

import pytest

import kbtools as kb
from benchmarks.repair_loop import repairing, script
from kbtools.models import ResponseStore
from kbtools.models.store.import_export import export
from tests.engines.conftest import Program
from tests.engines.ray_nodes import Cluster
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


@pytest.mark.slow
def test_turns_with_feedback_are_the_same_under_every_engine(
    program: Program, cluster: Cluster, model_server, tmp_path: Path
) -> None:
    """Calls and checks of the loop are the driver's; what follows in the chain goes to the workers."""
    replies = script(3, program.source)
    _, model = model_server(reply=lambda body: repairing(replies, body))
    loop = ("synthesize", "--turns", 4, "--feedback", "verify", "--feedback-options", "seed=7", "--model", model)
    ray = ("--engine", f"ray={cluster.address}", "--scratch", tmp_path / "scratch")
    found = []
    for number, engine in enumerate([(), ("--engine", "processes=2"), ray]):
        program.environment |= {
            "KBTOOLS_STORE": str(tmp_path / f"replies-{number}.sqlite"),
            "KBTOOLS_VERDICTS": str(tmp_path / f"verdicts-{number}.sqlite"),
        }
        out = tmp_path / f"{number}.parquet"
        code, said = program(*loop, "explode-turns", "--per-turn", "turn_verdicts", *engine, "--out", out)
        assert code == 0, said
        found.append(kb.load(str(out)).remove_columns("generation_ms").to_list())
    assert [row["turn"] for row in found[0]] == [1, 2, 3] * 3
    assert found == [found[0]] * 3
