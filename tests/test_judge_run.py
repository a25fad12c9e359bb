"""Whole runs of `kbtools apply judge` against a real server: killed, interrupted, shared, repeated, paid for once."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import kbtools as kb
from kbtools.models.engine.limits import AdaptiveLimit
from tests.rows import evals_row
from tests.servers.openai_server import rates

ROOT = Path(__file__).parents[1]
PROGRAM = (sys.executable, "-c", "from kbtools.cli import main; main()")
IN_FLIGHT = 16
COST_OF_A_KILL = IN_FLIGHT + AdaptiveLimit(IN_FLIGHT).most_unkept
"""Calls under way, and replies that wait for the commit of their group."""


@pytest.fixture
def rows(tmp_path):
    """Writes a file of this many rows, all with different code; each call may name another file."""

    def write(count: int, name: str = "rows.jsonl") -> Path:
        lines = (json.dumps(evals_row(i, f"M{i}", 1.0)) + "\n" for i in range(count))
        (tmp_path / name).write_text("".join(lines))
        return tmp_path / name

    return write


def start(*words: object, **environment: str) -> subprocess.Popen:
    """`kbtools apply judge ...` as a process of its own, in the test's folder."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins")])
    return subprocess.Popen(
        [*PROGRAM, "apply", "judge", *map(str, words)],
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen, code: int = 0) -> str:
    """What a process complained of, once it has ended with this code."""
    _, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    return err


@pytest.fixture
def judge(cli):
    """`kbtools apply judge ...` in this process; gives what it complained of, once it has ended with this code."""

    def call(*words: object, code: int = 0) -> str:
        done = cli("apply", "judge", *words)
        assert done.code == code, done.err
        return done.err

    return call


@pytest.fixture
def planned(cli):
    """The figures of a dry run's only plan."""

    def call(*words: object) -> dict:
        (calls,) = json.loads(cli("apply", "judge", *words, "--dry-run", "--json").out)["plan"][0]["calls"]
        return calls

    return call


def wait_for(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the awaited moment did not come"
        time.sleep(0.01)


@pytest.mark.parametrize(("count", "kills"), [(300, 3), pytest.param(2_000, 20, marks=pytest.mark.slow)])
def test_kill_9_loses_at_most_what_is_in_flight_or_not_yet_stored(model_server, rows, count, kills):
    """Killed at random moments and resumed, a run ends with the same bytes and pays for no stored reply again.

    The moments are so many more requests at the server.
    """
    server, model = model_server(delay=0.02)
    drawn = random.Random(count)
    words = ("--model", model, "--max-in-flight", IN_FLIGHT, "--dataset", rows(count), "--out")
    for _ in range(kills):
        moment = len(server.log) + drawn.randrange(1, count // kills)
        process = start(*words, "killed.parquet", KBTOOLS_STORE="killed.sqlite")
        wait_for(lambda moment=moment: len(server.log) >= moment)
        process.kill()
        process.communicate()
    finish(start(*words, "killed.parquet", KBTOOLS_STORE="killed.sqlite"))
    assert count < len(server.log) <= count + kills * COST_OF_A_KILL
    finish(start(*words, "undisturbed.parquet", KBTOOLS_STORE="undisturbed.sqlite"))
    assert Path("killed.parquet").read_bytes() == Path("undisturbed.parquet").read_bytes()


def test_two_processes_judge_one_dataset_into_one_store(model_server, rows):
    """Neither makes a call that the other made, and both results are the same."""
    server, model = model_server(delay=0.1)
    file = rows(400)
    words = ("--model", model, "--max-in-flight", IN_FLIGHT, "--dataset", file, "--out")
    for process in [start(*words, f"{name}.parquet") for name in ("a", "b")]:
        finish(process)
    assert len(server.log) == 400
    assert max(Counter(call.prompt for call in server.log).values()) == 1
    assert Path("a.parquet").read_bytes() == Path("b.parquet").read_bytes()


def test_only_what_is_new_is_asked(model_server, rows, judge, cli):
    """A row more is a call more, a comment in the recipe none; another prompt text or model asks everything anew."""
    server, model = model_server()
    judge("--model", model, "--dataset", rows(200), "--out", "a.parquet", "--save-recipe", "recipe.toml")
    judge("--model", model, "--dataset", rows(201, "more.jsonl"), "--out", "b.parquet")
    assert len(server.log) == 201

    recipe = Path("recipe.toml")
    recipe.write_text(f"# of no effect\n{recipe.read_text()}")
    assert cli("run", "recipe.toml", "--out", "c.parquet").code == 0
    assert len(server.log) == 201
    assert Path("c.parquet").read_bytes() == Path("a.parquet").read_bytes()

    Path("mine.j2").write_text(kb.prompt("difficulty").text.replace("difficult", "hard"))
    judge("--model", model, "--rubric", "mine.j2", "--dataset", "rows.jsonl", "--out", "d.parquet")
    assert len(server.log) == 401
    judge("--model", f"{model}-2", "--dataset", "rows.jsonl", "--out", "e.parquet")
    assert len(server.log) == 601


def test_dry_run_counts_what_the_run_then_asks(model_server, rows, judge, planned):
    """With equal rows, stored replies and failures of an earlier run; once all is stored, with nothing."""
    server, model = model_server(script=rates({"context-length": 0.1}))
    file = rows(100)
    file.write_text(file.read_text() + "".join(file.read_text().splitlines(keepends=True)[:30]))
    words = ("--model", model, "--metamorphic", "10%", "--dataset", file, "--out", "a.parquet")
    judge("--model", model, "--limit", 60, "--dataset", file, "--on-error", "null", "--out", "some.parquet", code=1)
    failed = sum(call.fault == "context-length" for call in server.log)
    assert failed > 0
    before = len(server.log)
    plan = planned(*words)
    assert len(server.log) == before
    assert (plan["stored"], plan["failed"], plan["repeated"]) == (60 - failed, 0, failed)
    assert plan["duplicates"] >= 30
    assert plan["requests"] == plan["duplicates"] + plan["stored"] + plan["to_send"]
    assert plan["first"]["messages"][0]["role"] == "system"
    judge(*words, "--on-error", "drop", code=1)
    assert len(server.log) - before == plan["to_send"]
    server.settings.script = rates({})
    assert planned(*words)["to_send"] == planned(*words)["repeated"] > 0
    judge(*words)
    assert planned(*words)["to_send"] == 0


FAULTS = {"429:0": 0.2, "500": 0.05, "reset": 0.02, "hang": 0.02, "truncated-json": 0.05}


@pytest.mark.parametrize("count", [150, pytest.param(2_000, marks=pytest.mark.slow)])
def test_storm_of_faults_loses_no_row(model_server, rows, judge, count):
    """Every row is rated and answered once, whatever failed before, and nothing is asked again after its answer."""
    server, model = model_server(script=rates(FAULTS))
    judge("--model", model, "--timeout", 3, "--dataset", rows(count), "--out", "a.parquet")
    assert {call.fault for call in server.log} == {"ok", *FAULTS}
    answered = Counter(call.prompt for call in server.log if call.fault == "ok")
    assert (len(answered), max(answered.values())) == (count, 1)
    last = {call.prompt: call.fault for call in server.log}
    assert set(last.values()) == {"ok"}
    rated = kb.load("a.parquet")["difficulty"][:]
    assert len(rated) == count
    assert None not in rated


@pytest.mark.slow
def test_one_row_more_than_2000_is_one_call_more(model_server, rows, judge):
    """Whatever the size, only what is new is asked."""
    server, model = model_server()
    judge("--model", model, "--dataset", rows(2_000), "--out", "a.parquet")
    judge("--model", model, "--dataset", rows(2_001, "more.jsonl"), "--out", "b.parquet")
    assert len(server.log) == 2_001


def test_first_ctrl_c_drains_and_the_next_run_goes_on(model_server, rows, judge):
    """Calls under way come in and are stored; nothing is written, and the message says how to go on."""
    server, model = model_server(delay=0.5)
    words = ("--model", model, "--max-in-flight", IN_FLIGHT, "--dataset", rows(200), "--out", "a.parquet")
    process = start(*words)
    wait_for(lambda: len(server.log) >= 2 * IN_FLIGHT)
    process.send_signal(signal.SIGINT)
    err = finish(process, 130)
    asked = len(server.log)
    assert asked < 200
    assert "Ctrl-C again" in err
    assert f"interrupted with {asked} replies in the store" in err
    assert "run the same command again" in err
    assert not Path("a.parquet").exists()
    server.settings.delay = 0.0
    judge(*words)
    assert len(server.log) == 200


def test_second_ctrl_c_gives_up_the_calls_under_way(model_server, rows, judge):
    """Calls that hang hold nobody; what had arrived is not asked again."""
    server, model = model_server(script=lambda call: "ok" if call.number < 30 else "hang")
    words = ("--model", model, "--max-in-flight", IN_FLIGHT, "--dataset", rows(100), "--out", "a.parquet")
    process = start(*words)
    wait_for(lambda: len(server.log) >= 30 + IN_FLIGHT)
    process.send_signal(signal.SIGINT)
    while "Ctrl-C again" not in (said := process.stderr.readline()):
        assert said, "the run ended before the second Ctrl-C"
    process.send_signal(signal.SIGINT)
    err = finish(process, 130)
    assert "interrupted with 30 replies in the store" in err
    server.settings.script = rates({})
    before = len(server.log)
    judge(*words)
    assert len(server.log) - before == 70


def test_budget_ends_a_run_that_the_next_one_continues(model_server, rows, judge):
    """Exit code 1, the account and the way on in the message, and not one call too many."""
    server, model = model_server()
    words = ("--model", model, "--dataset", rows(60), "--out", "a.parquet")
    err = judge(*words, "--max-requests", 25, code=1)
    assert len(server.log) == 25
    assert "25 of 25 requests" in err
    assert "run the same command again" in err
    judge(*words)
    assert len(server.log) == 60


def test_profile_prices_and_default_model_come_from_the_configuration(model_server, rows, judge, planned, monkeypatch):
    """Without --model the default is asked, with the profile's key; --max-cost counts in the prices given."""
    server, _ = model_server(key="secret")
    Path("kbtools.toml").write_text(
        f'[model]\ndefault = "mine:m"\n'
        f'[profiles.mine]\nbase_url = "{server.url}"\nkey_env = "MY_KEY"\n'
        f"[prices]\nm = {{ input = 1000.0, output = 2000.0 }}\n"
    )
    words = ("--dataset", rows(20), "--out", "a.parquet")
    err = judge(*words, code=3)
    assert "MY_KEY, which is not set" in err
    monkeypatch.setenv("MY_KEY", "secret")
    plan = planned(*words)
    assert plan["cost"] == pytest.approx(plan["prompt_tokens"] / 1000 + plan["most_completion_tokens"] / 500)
    err = judge(*words, "--max-cost", 5, code=1)
    assert "of 5 cost" in err
    assert 0 < len(server.log) < 20
    judge(*words)
    assert len(server.log) == 20
    assert kb.load("a.parquet")["difficulty"][0] in ("low", "medium", "high")
