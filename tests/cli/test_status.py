"""`kbtools status` from another shell: how far a run is, until it ends or is killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.servers.openai_server import OpenAIServer

WORDS = ["apply", "judge", "--dataset", "sample", "--max-in-flight", "2", "--out", "out.jsonl", "--quiet"]
MAIN = "from kbtools.cli import main; import sys; main(sys.argv[1:])"
VERDICT = '{"reason": "-", "difficulty": "low"}'


@pytest.fixture
def running(tmp_path, monkeypatch):
    """A run whose server takes half a second for a reply."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with OpenAIServer(reply=lambda _: VERDICT, delay=0.5) as server:
        env = {**os.environ, "PYTHONPATH": ":".join(sys.path), "KBTOOLS_STORE": str(tmp_path / "replies.sqlite")}
        words = [*WORDS, "--model", f"{server.url}#m"]
        process = subprocess.Popen([sys.executable, "-c", MAIN, *words], env=env, stderr=subprocess.DEVNULL)
        yield process
        process.kill()
        process.wait()


@pytest.mark.slow
def test_another_shell_sees_how_far_a_run_is(cli, running):
    """Its stage and the requests that are answered; nothing any more once it was killed."""
    deadline = time.monotonic() + 120
    state = {}
    while state.get("done", 0) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
        state = next(iter(json.loads(cli("status", "--json").out)), {})
    assert (state["pid"], state["stage"], state["position"], state["stages"]) == (running.pid, "judge", 1, 1)
    assert 3 <= state["done"] < state["rows"] == 170
    assert "[1/1] judge" in cli("status").out
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert json.loads(cli("status", "--json").out) == []
    assert "no run is under way" in cli("status").out


def test_a_run_that_has_ended_is_gone(cli, file, tmp_path, monkeypatch):
    """Its file is removed, and a folder that cannot be used stops no run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cli("apply", "sample", "--first", "1", "--dataset", file, "--out", "a.jsonl").code == 0
    assert list((tmp_path / "cache" / "kbtools" / "runs").iterdir()) == []
    (tmp_path / "no-folder").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no-folder"))
    assert cli("apply", "sample", "--first", "1", "--dataset", file, "--out", "b.jsonl").code == 0
    assert cli("status").code == 0
