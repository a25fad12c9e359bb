"""Whatever a server sends: each behaviour has its typed outcome, nothing crashes, is lost or is paid twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import datasets
import pytest

import kbtools as kb
from kbtools.models import Kind, ResponseStore, parse_replies
from tests.models.replay_process import CONTRACT, ask, request
from tests.models.replay_table import CASES
from tests.rows import KERNELBOOK, evals
from tests.servers.behaviours import Behaviours

ROOT = Path(__file__).parents[2]
STOPPING = {name for name, case in CASES.items() if case.judged.isupper()}


@pytest.fixture(scope="module")
def server() -> Iterator[Behaviours]:
    """All behaviours, each under its name as the model's."""
    with Behaviours({name: case.sent for name, case in CASES.items()}).serving() as running:
        yield running


@pytest.fixture(scope="module")
def replies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ResponseStore]:
    """One store for all of them."""
    with ResponseStore(tmp_path_factory.mktemp("replay") / "store.sqlite") as opened:
        yield opened


@pytest.mark.parametrize("name", [name for name in CASES if name not in STOPPING])
def test_each_behaviour_has_its_outcome(server: Behaviours, replies: ResponseStore, name: str):
    """A row's verdict or the kind of its failure, after no more calls than it takes, and no more in a second run."""
    case = CASES[name]
    ask(server.url, name, replies)
    (row,) = parse_replies(CONTRACT, [request(name)], replies)
    assert ("ok" if row.failure is None else row.failure.kind.value) == case.judged
    assert row.failure is None or row.failure.error
    assert row.reply.raw or case.judged in ("malformed", "connection", "bad-request", "server")
    assert server.calls[name] == case.calls
    ask(server.url, name, replies)
    assert server.calls[name] == case.calls


@pytest.mark.parametrize("name", sorted(STOPPING))
def test_a_fault_of_the_endpoint_stops_the_run(server: Behaviours, replies: ResponseStore, name: str):
    """One call is made, the error says what to do, and no row is blamed."""
    with pytest.raises(kb.errors.ConfigError) as caught:
        ask(server.url, name, replies)
    assert server.calls[name] == 1
    assert replies.reply(request(name).key) is None
    advice = {
        "AUTH": "Check the credentials",
        "QUOTA": "the quota is used up",
        "REDIRECTED": CASES[name].sent.headers.get("Location", ""),
        "PARAMETER": {"no response_format": "--response-format none", "no temperature": "--temperature omit"}.get(
            name, "--max-tokens-field max_completion_tokens"
        ),
    }[CASES[name].judged]
    assert advice in str(caught.value)


@pytest.mark.slow
def test_nothing_is_lost_or_paid_twice_by_kills(tmp_path: Path):
    """Whenever the process is killed: what was stored stays, and only the call that was out is made again."""
    chosen = random.Random(7)
    with Behaviours({name: case.sent for name, case in CASES.items()}).serving() as server:
        command = [sys.executable, "-m", "tests.models.replay_process", server.url, str(tmp_path / "store.sqlite")]
        kills = 0
        for _ in range(4):
            process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
            until = sum(server.calls.values()) + chosen.randrange(10, 50)
            while sum(server.calls.values()) < until and process.poll() is None:
                time.sleep(0.005)
            kills += process.poll() is None
            process.kill()
            process.wait()
        assert kills == 4
        assert subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode == 0
        with ResponseStore(tmp_path / "store.sqlite") as store:
            for name, case in CASES.items():
                (row,) = parse_replies(CONTRACT, [request(name)], store)
                kind = "ok" if row.failure is None else row.failure.kind.value
                assert kind == ("missing" if name in STOPPING else case.judged), name
        again = {name: case.calls for name, case in CASES.items() if name not in STOPPING}
        more = {name: server.calls[name] - calls for name, calls in again.items() if server.calls[name] != calls}
        # A fault that is tried again begins anew after a kill, with all of its attempts.
        assert sum(min(count, 1) for count in more.values()) <= kills, more


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["judge", "synthesize", "generate-prompts"])
def test_no_stage_crashes(server: Behaviours, tmp_path: Path, stage: str):
    """Rows fail by their kinds, and stay as nulls; a fault of the endpoint is an error of the configuration."""
    row = {"uuid": 1, "entry_point": "Net", "python_code": "class Net: pass", "triton_code": "t", "module_name": "Net"}
    modules = datasets.Dataset.from_list([row], features=KERNELBOOK)
    ds = evals([0.9]) if stage == "judge" else modules
    for name in CASES:
        options = {
            "model": f"{server.url}#{name}",
            "on_error": "null",
            "store": str(tmp_path / f"{stage}.sqlite"),
            "max_attempts": 2,
            "deadline": 20,
        }
        stages = {"judge": kb.Judge, "synthesize": kb.Synthesize, "generate-prompts": kb.GeneratePrompts}
        made = stages[stage](**options)
        if name in STOPPING and not (stage != "judge" and name == "no response_format"):
            with pytest.raises(kb.errors.ConfigError):
                made(ds)
        else:
            assert made(ds).num_rows == 1
    with ResponseStore(tmp_path / f"{stage}.sqlite") as store:
        kinds = {kind for (kind,) in store.select("SELECT DISTINCT kind FROM replies")}
    assert kinds <= {kind.value for kind in Kind}
