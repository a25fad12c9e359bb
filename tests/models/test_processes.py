"""Real processes on one store: killed, interrupted, and side by side."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from kbtools.models import ResponseStore
from kbtools.models.engine.limits import AdaptiveLimit
from kbtools.models.store.import_export import export
from kbtools.models.store.maintenance import verify

ROOT = Path(__file__).parents[2]
IN_FLIGHT = 32


def start(server, path, count, *how) -> subprocess.Popen:
    words = [server.url, str(path), str(count), str(IN_FLIGHT), *how]
    command = [sys.executable, "-m", "tests.models.engine_process", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process) -> dict:
    output, complaint = process.communicate(timeout=120)
    assert output, complaint
    return json.loads(output)


def raw_replies(path, ask, count) -> list[str]:
    with ResponseStore(path) as store:
        assert list(verify(store)) == []
        replies = store.replies(request.key for request in ask(count))
        return [replies[request.key].raw for request in ask(count)]


@pytest.mark.parametrize(("count", "kills"), [(1_000, 3), pytest.param(2_000, 20, marks=pytest.mark.slow)])
def test_kill_9_costs_at_most_the_calls_in_flight_and_the_replies_that_wait_for_their_commit(
    serve, tmp_path, ask, count, kills
):
    """Killed at random moments and resumed, a run ends with the same replies and pays for no stored one again."""
    server, _ = serve(delay=0.02)
    drawn = random.Random(kills)
    for _ in range(kills):
        moment = len(server.log) + drawn.randrange(1, count // kills)
        process = start(server, tmp_path / "killed.sqlite", count)
        wait_for(lambda moment=moment: len(server.log) >= moment)
        process.kill()
        process.wait()
    final = result(start(server, tmp_path / "killed.sqlite", count))
    assert final["done"] == count
    assert final["from_store"] > 0
    assert len(server.log) <= count + kills * (IN_FLIGHT + AdaptiveLimit(IN_FLIGHT).most_unkept)
    result(start(server, tmp_path / "undisturbed.sqlite", count))
    assert raw_replies(tmp_path / "killed.sqlite", ask, count) == raw_replies(
        tmp_path / "undisturbed.sqlite", ask, count
    )


def test_two_processes_share_the_work(serve, tmp_path, ask):
    """Two runs of the same plan into one store make no call twice, and both end with all replies."""
    server, _ = serve(delay=0.1)
    both = [start(server, tmp_path / "shared.sqlite", 1_500) for _ in range(2)]
    ends = [result(process) for process in both]
    calls = Counter(entry.prompt for entry in server.log)
    assert [end["done"] for end in ends] == [1_500, 1_500]
    assert max(calls.values()) == 1
    assert sum(end["sent"] for end in ends) == len(server.log) == 1_500
    assert min(end["sent"] for end in ends) > 0


def test_a_killed_process_leaves_no_claim_behind(serve, tmp_path, ask):
    """What a dead process had claimed is sent by the next one without waiting for leases."""
    server, _ = serve(delay=30)
    process = start(server, tmp_path / "s.sqlite", 50)
    wait_for(lambda: len(server.log) >= IN_FLIGHT)
    process.kill()
    process.wait()
    server.settings.delay = 0.0
    assert result(start(server, tmp_path / "s.sqlite", 50))["done"] == 50


@pytest.mark.parametrize(
    "moment",
    ["POST batches", *(pytest.param(m, marks=pytest.mark.slow) for m in ("POST files", "GET batches", "GET files"))],
)
def test_kill_9_of_a_batch_run_pays_for_no_line_twice(serve, tmp_path, ask, moment):
    """Killed after the upload, the creation, a look at the batch or the download arrived: one batch, each line once."""
    server, _ = serve()
    server.batches.holding = moment
    process = start(server, tmp_path / "s.sqlite", 100, "batch")
    assert server.batches.held.wait(60)
    process.kill()
    process.wait()
    server.batches.holding = ""
    assert result(start(server, tmp_path / "s.sqlite", 100, "batch"))["done"] == 100
    (batch,) = server.batches.batches.values()
    lines = server.batches.files[batch["input_file_id"]].splitlines()
    assert sorted(json.loads(line)["custom_id"] for line in lines) == sorted(request.key for request in ask(100))


def test_first_ctrl_c_drains(serve, tmp_path, ask):
    """No new call starts, those under way come in and are stored, and the exit code says interrupted."""
    server, _ = serve(delay=0.3)
    process = start(server, tmp_path / "s.sqlite", 5_000)
    wait_for(lambda: len(server.log) >= 3 * IN_FLIGHT)
    process.send_signal(signal.SIGINT)
    counts = result(process)
    assert process.returncode == 130
    assert counts["done"] == counts["sent"] == len(server.log) < 5_000
    with ResponseStore(tmp_path / "s.sqlite") as store:
        assert len(store.states(request.key for request in ask(5_000))) == counts["done"]


def test_ctrl_c_does_not_wait_for_a_server_that_says_later(serve, tmp_path):
    """Requests that are to be sent again in an hour end the run no later than those that are under way."""
    server, _ = serve(script=lambda call: "429:3000")
    process = start(server, tmp_path / "s.sqlite", 8)
    wait_for(lambda: len(server.log) >= 8)
    process.send_signal(signal.SIGINT)
    assert result(process)["done"] == 0
    assert process.returncode == 130


def test_second_ctrl_c_stops(serve, tmp_path, ask):
    """Calls that hang are given up; what had arrived is in the store."""
    server, _ = serve(script=lambda call: "ok" if call.number < 40 else "hang")
    process = start(server, tmp_path / "s.sqlite", 5_000)
    wait_for(lambda: len(server.log) >= 40 + IN_FLIGHT)
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "draining\n"
    process.send_signal(signal.SIGINT)
    counts = result(process)
    assert process.returncode == 130
    assert counts["done"] == 40
    with ResponseStore(tmp_path / "s.sqlite") as store:
        assert export(store, tmp_path / "all.jsonl").written == 40


def wait_for(condition, seconds=90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the awaited moment did not come"
        time.sleep(0.01)
