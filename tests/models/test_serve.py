"""Servers that kbtools starts: used like any other, and gone with it in whatever way it ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kbtools.errors import ConfigError, MissingExtra
from kbtools.models import Interrupted, Options, resolve_model, run_requests
from kbtools.models.backends.serve import ServeBackend

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from kbtools.models import ResponseStore, chat, run_requests, resolve_model
backend = resolve_model("serve:some/model --stray")
requests = [chat(backend.model, [{"role": "user", "content": str(i)}]) for i in range(3)]
with ResponseStore(sys.argv[1]) as store:
    assert run_requests(requests, backend, store).done == 3
sys.stdout.write("ready\\n")
sys.stdout.flush()
if sys.argv[2] == "wait":
    import time
    time.sleep(600)
raise SystemExit(1) if sys.argv[2] == "fail" else SystemExit(0)
"""


@pytest.fixture
def marks(tmp_path, monkeypatch) -> Path:
    """`vllm` on the PATH is the stand-in, run by this Python; its marks land in the test's folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    stand_in = ROOT / "tests" / "servers" / "vllm"
    (folder / "vllm").write_text(f'#!/bin/sh\nexec {sys.executable} {stand_in} "$@"\n')
    (folder / "vllm").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("VLLM_MARKS", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def gone(marks: Path, seconds: float = 30.0) -> bool:
    """Whether the server and its worker end within some time."""
    pids = [int(pid) for pid in (marks / "pids").read_text().split()]
    deadline = time.monotonic() + seconds
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch):
    """The stand-in's worker never ends by itself: waiting 15 seconds for it would only slow the tests."""
    monkeypatch.setenv("KBTOOLS_STOP_PATIENCE", "1")


def test_serve_starts_uses_and_keeps_the_server(marks, store, ask):
    """Arguments are passed through, the model's name is the key's, and a second run uses the same server."""
    backend = resolve_model("serve:some/model --tensor-parallel-size 2 --served-model-name short")
    try:
        assert run_requests(ask(5), backend, store).done == 5
        first = (marks / "pids").read_text()
        assert run_requests(ask(10), backend, store).sent == 5
        assert (marks / "pids").read_text() == first
        arguments = json.loads((marks / "arguments.json").read_text())
        assert arguments[:2] == ["serve", "some/model"]
        assert arguments[-4:] == ["--tensor-parallel-size", "2", "--served-model-name", "short"]
        assert json.loads(store.reply(ask(1)[0].key).raw)["model"] == "short"
        assert store.reply(ask(1)[0].key).endpoint == "serve:some/model"
    finally:
        backend.close()
    assert gone(marks)


def test_while_the_server_starts_its_log_is_told(marks, store, ask):
    """Those who wait for weights to load see for how long, and the last line of the server's log."""
    told: list[str] = []
    backend = resolve_model("serve:some/model")
    run_requests(ask(2), backend, store, progress=lambda progress: told.append(progress.waiting_for))
    backend.close()
    assert any("serve some/model is starting" in text and text.endswith("loading weights") for text in told)
    assert told[-1] == ""


def test_a_server_that_fails_to_start_shows_its_log(marks, store, ask):
    """The end of the log and its path are in the error."""
    with pytest.raises(ConfigError, match=r"before it was ready(?s:.)*loading weights\nno such model"):
        run_requests(ask(1), resolve_model("serve:some/model --fail"), store)


def test_a_server_that_dies_ends_the_run(marks, store, ask):
    """Rows are not retried against a server that is gone."""
    backend = resolve_model("serve:some/model --crash")
    with pytest.raises(ConfigError, match="ended with code .* while it was answering"):
        run_requests(ask(5), backend, store)
    backend.close()


def test_a_server_that_never_gets_ready_is_stopped(marks, store, ask):
    """Start-up has an end."""
    backend = ServeBackend("some/model", "some/model", startup=0.1)
    with pytest.raises(ConfigError, match="not ready after"):
        run_requests(ask(1), backend, store)
    assert not (marks / "pids").exists() or gone(marks)


@pytest.mark.parametrize("how", ["exit", "fail", "kill", "term"])
def test_no_orphan_is_left(marks, tmp_path, how):
    """Exit, error, kill -9 and SIGTERM of kbtools all end the server and its stray worker."""
    mode = how if how in ("exit", "fail") else "wait"
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "s.sqlite"), mode]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    if mode == "wait":
        process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGTERM)
    process.communicate(timeout=60)
    assert gone(marks)


def test_ctrl_c_while_the_server_starts(marks, store, ask, monkeypatch):
    """Nobody has to wait for weights to load before they can stop."""
    backend = resolve_model("serve:some/model")
    monkeypatch.setattr("kbtools.models.backends.serve.ServeBackend._healthy", _never)

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        run_requests(ask(1), backend, store, Options(), interrupt)
    backend.close()


async def _never(self, server, url):
    import asyncio

    await asyncio.sleep(3600)


def test_run_batch_goes_through_vllms_tool(marks, store, ask):
    """Requests go in and replies come out as files."""
    backend = resolve_model("run-batch:some/model --max-model-len 64")
    assert run_requests(ask(30), backend, store).done == 30
    assert run_requests(ask(30), backend, store).from_store == 30
    assert store.reply(ask(1)[0].key).reading().text.startswith("reply")
    assert json.loads((marks / "arguments.json").read_text())[-4:] == ["--model", "some/model", "--max-model-len", "64"]


def test_run_batch_that_fails_shows_its_log(marks, store, ask):
    """A failed tool ends the run, and no row is marked as failed."""
    with pytest.raises(ConfigError, match="no such model"):
        run_requests(ask(2), resolve_model("run-batch:some/model --fail"), store)
    assert store.states(request.key for request in ask(2)) == {}


@pytest.mark.skipif(shutil.which("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_the_extra_is_named(store, ask):
    """The error gives the command that installs it."""
    with pytest.raises(MissingExtra, match=r"kbtools\[vllm\]"):
        run_requests(ask(1), resolve_model("serve:some/model"), store)
