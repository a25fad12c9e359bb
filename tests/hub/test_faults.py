"""Pushing while things go wrong: whatever happens, the repository holds the old rows or the new ones, whole."""

import json
import random
import time

import pytest

from tests.hub.conftest import COMMAND

COMMIT = r"/commit/main$"
LICENSED = ("--license", "mit")


def answers(status, path=COMMIT, times=1, **more):
    """A fault: an error instead of an answer."""
    return {"path": path, "do": "status", "status": status, "times": times, **more}


def breaks(path, how="reset", **more):
    """A fault: the connection is cut, before the request is done or (`lost`) after."""
    return {"path": path, "do": how, "method": "PUT" if "objects" in path else "POST", **more}


FAULTS = {
    "someone committed in between": [answers(412, times=2)],
    "someone makes the repository": [answers(409, r"^/api/repos/create$")],
    "someone is committing": [answers(409)],
    "commit answered 503": [answers(503)],
    "connection lost before the commit": [breaks(COMMIT)],
    "answer to the commit lost": [breaks(COMMIT, "lost")],
    "storage answered 500": [answers(500, r"^/objects/", method="PUT")],
    "connection lost in the middle of a shard": [breaks(r"^/objects/")],
    "everything at once": [answers(500, r"^/objects/", method="PUT"), answers(412), breaks(COMMIT), answers(503)],
}
QUICK = ("someone committed in between", "answer to the commit lost", "connection lost in the middle of a shard")


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in FAULTS])
def test_push_gets_through(client, hub, jsonl, name):
    """One commit, every object stored once, exit code 0."""
    hub.faults(*FAULTS[name])
    done = client.kbtools("apply", "push", "--dataset", "mine.jsonl", *LICENSED)
    assert done.code == 0, done.text
    assert len(hub.state("me/mine")["commits"]["main"]) == 2
    stored = [entry["path"] for entry in hub.log("PUT", "/objects/") if entry["status"] == 200]
    assert len(stored) == len(set(stored)) == 1


@pytest.mark.slow
def test_hub_that_stays_broken_leaves_the_repository_as_it_was(client, hub, jsonl, rows):
    """After the last attempt the error says what to do; a later push sends only what is not there yet."""
    client.upload("me/mine", rows[:3])
    before = hub.state("me/mine")
    hub.faults(answers(503, times=99))
    failed = client.kbtools("apply", "push", "--dataset", "mine.jsonl", *LICENSED, "--overwrite")
    assert failed.code == 3
    assert "lands whole or not at all" in failed.err
    assert hub.state("me/mine") == before
    hub.faults()
    assert client.kbtools("apply", "push", "--dataset", "mine.jsonl", *LICENSED, "--overwrite").code == 0
    assert len(hub.log("PUT", "/objects/")) == 2  # one by the plain client, one by the push that failed


@pytest.mark.slow
def test_commit_that_is_not_what_was_sent_is_an_error(client, hub, jsonl):
    """The commit is read back: here a file disappears behind the push's back."""
    hub.faults({"path": COMMIT, "do": "spoil"})
    done = client.kbtools("apply", "push", "--dataset", "mine.jsonl", *LICENSED)
    assert done.code == 1
    assert "read back, is not what was sent" in done.err


def test_storage_that_refuses_is_named_with_its_answer(client, hub, jsonl):
    """The client wraps what the storage said into an error of its own: its cause is what is told."""
    hub.faults({"path": r"^/objects/", "do": "status", "status": 403, "method": "PUT", "times": 99})
    done = client.kbtools("apply", "push", "--dataset", "mine.jsonl", *LICENSED)
    assert done.code == 3, done.text
    assert "pushing to me/mine" in done.err
    assert "scripted fault 403" in done.err
    assert hub.state("me/mine")["commits"]["main"] == ["initial commit"]


@pytest.mark.slow
def test_pushes_at_once_all_land(client, hub, tmp_path, rows):
    """Three processes push three configurations to a repository that does not exist yet."""
    names = ("default", "one", "two")
    for number, name in enumerate(names):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[number:]))
    base = ("-c", COMMAND, "apply", "push", "--repo", "both", *LICENSED)
    running = [client.popen(*base, "--dataset", f"{name}.jsonl", "--config-name", name) for name in names]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
    for number, name in enumerate(names):
        assert client.rows("me/both", name) == {"train": rows[number:]}
    assert len(hub.state("me/both")["commits"]["main"]) == 4


@pytest.mark.slow
def test_full_disk_is_named_with_what_was_written(client, hub, tmp_path):
    """A file size limit stands for the disk; the next push, with room, lands."""
    text = [{"i": i, "t": f"{i * 7919 % 1000003:x}" * 200} for i in range(2000)]
    (tmp_path / "big.jsonl").write_text("".join(json.dumps(row) + "\n" for row in text))
    words = ("apply", "push", "--dataset", "big.jsonl", *LICENSED)
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, -1)); {COMMAND}"
    assert client.kbtools("apply", "filter", "--where", "i < 0", *words[2:4], "--out", "x.parquet").code == 0
    process = client.popen("-c", limited, *words)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 3, err
    assert "TMPDIR" in err
    assert hub.repos() == []
    assert client.kbtools(*words).code == 0


RANDOM = (
    [],
    [answers(409)],
    [answers(412)],
    [answers(503)],
    [breaks(COMMIT)],
    [breaks(COMMIT, "lost")],
    [answers(500, r"^/objects/", method="PUT")],
    [breaks(r"^/objects/")],
    [{"path": r"/preupload/", "do": "slow", "seconds": 0.4}, answers(412)],
)
MOMENTS = (("POST", "/preupload/"), ("PUT", "/objects/"), ("POST", "/commit/"), ("GET", "/api/datasets/me/mine"))


@pytest.mark.slow
def test_thirty_pushes_with_faults_and_kills(client, hub, tmp_path, rows):
    """After each push `load_dataset` gives the old rows or the new ones, and the files of others are untouched."""
    chance = random.Random(5)
    client.upload("me/mine", rows[:2], 'ds.push_to_hub("me/mine", "other")')
    foreign = {p: f for p, f in hub.state("me/mine")["files"].items() if p.startswith("other/")}
    held, killed, landed = [rows[:2]], 0, 0
    for attempt in range(30):
        new = [{**row, "example_id": attempt * 100 + i} for i, row in enumerate(rows)]
        (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in new))
        hub.faults(*chance.choice(RANDOM), {"path": ".", "do": "slow", "seconds": 0.3, "skip": chance.randrange(12)})
        since = len(hub.log())
        process = client.popen(
            "-c",
            "from kbtools.cli import main; main()",
            "apply",
            "push",
            "--dataset",
            "mine.jsonl",
            *LICENSED,
            "--overwrite",
        )
        if attempt % 3 == 2:
            killed += kill_at(process, hub, chance.choice(MOMENTS), since)
        out, err = process.communicate(timeout=120)
        assert process.returncode in (0, -9), out + err
        found = client.rows("me/mine")["train"]
        assert found in (held[-1], new), attempt
        assert found == new or process.returncode == -9
        landed += found == new
        held.append(found)
        files = hub.state("me/mine")["files"]
        assert {p: f for p, f in files.items() if p.startswith("other/")} == foreign
    assert killed >= 5
    assert landed >= 20
    hub.faults()
    assert client.kbtools("apply", "push", "--dataset", "mine.jsonl", *LICENSED, "--overwrite").code == 0
    commits = hub.state("me/mine")["commits"]["main"]
    assert client.kbtools("apply", "push", "--dataset", "mine.jsonl", *LICENSED, "--overwrite").code == 0
    assert hub.state("me/mine")["commits"]["main"] == commits


def kill_at(process, hub, moment, since):
    """kill -9 as soon as the Hub has seen such a request; whether the process was still running."""
    method, path = moment
    for _ in range(3000):
        if process.poll() is not None:
            return False
        if any(method == e["method"] and path in e["path"] for e in hub.log()[since:]):
            process.kill()
            return True
        time.sleep(0.01)
    return False
