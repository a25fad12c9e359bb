"""The OpenAI Batch API: upload, poll, collect, and no batch lost or paid twice."""

import json

import pytest

from kbtools.errors import ConfigError
from kbtools.models import BudgetReached, Kind, Options, run_requests
from kbtools.models.backends.batch import BatchBackend


@pytest.fixture
def batch(serve):
    server, http = serve()
    return server.batches, BatchBackend(http, poll=0.01)


def lines_uploaded(batches) -> list[str]:
    inputs = [batches.files[record["input_file_id"]] for record in batches.batches.values()]
    return [json.loads(line)["custom_id"] for file in inputs for line in file.splitlines()]


def test_a_batch_answers_all_requests(batch, store, ask):
    """One upload, one batch, and the replies are stored as from any other backend."""
    batches, backend = batch
    assert run_requests(ask(100), backend, store).done == 100
    assert len(batches.batches) == 1
    assert store.reply(ask(1)[0].key).reading().text.startswith("reply")
    assert run_requests(ask(101), backend, store).sent == 1
    assert len(lines_uploaded(batches)) == 101


def test_while_a_batch_is_under_way_its_state_is_told(serve, store, ask):
    """Those who wait for hours see which batch they wait for, and how far it is."""
    server, http = serve()
    server.batches.polls = 3
    told: list[str] = []
    backend = BatchBackend(http, poll=0.2)
    run_requests(ask(3), backend, store, progress=lambda progress: told.append(progress.waiting_for))
    assert "batch_0 is in_progress, 0 of 3 done" in told
    assert told[-1] == ""


def test_lines_that_fail_are_failures(batch, store, ask):
    """The error file is read too."""
    batches, backend = batch
    batches.failing = {"row 3", "row 4"}
    progress = run_requests(ask(10), backend, store)
    assert (progress.done, dict(progress.failures)) == (8, {"bad-request": 2})
    assert "bad line" in store.reply(ask(4)[3].key).error


def test_an_expired_batch_keeps_what_was_done(batch, store, ask):
    """Lines without a reply are failures, and only they are sent in the next run."""
    batches, backend = batch
    batches.end_as, batches.partial = "expired", 6
    progress = run_requests(ask(10), backend, store)
    assert (progress.done, dict(progress.failures)) == (6, {"server": 4})
    assert store.reply(ask(10)[9].key).kind is Kind.SERVER
    batches.end_as, batches.partial = "completed", None
    assert run_requests(ask(10), backend, store).sent == 4


class Killed(BaseException):
    pass


def killed_at(monkeypatch, name):
    def kill(*_, **__):
        raise Killed

    monkeypatch.setattr(f"kbtools.models.backends.batch.{name}", kill)


@pytest.mark.parametrize("moment", ["Journal.name", "BatchBackend._collect", "answers"])
def test_a_killed_run_finds_its_batch_again(batch, store, ask, monkeypatch, moment):
    """After creation, while polling, while collecting: the batch is taken up by its id or nonce, not created anew."""
    batches, backend = batch
    with monkeypatch.context() as patched:
        killed_at(patched, moment)
        with pytest.raises(Killed):
            run_requests(ask(20), backend, store)
    assert run_requests(ask(20), backend, store).done == 20
    assert len(batches.batches) == 1


def test_a_run_killed_before_creation_submits_once(batch, store, ask, monkeypatch):
    """What was journalled and never created is created now."""
    batches, backend = batch
    with monkeypatch.context() as patched:
        killed_at(patched, "BatchBackend._submit")
        with pytest.raises(Killed):
            run_requests(ask(20), backend, store)
    assert run_requests(ask(20), backend, store).done == 20
    assert len(lines_uploaded(batches)) == 20


def test_replies_that_nobody_asks_for_any_more_are_kept(batch, store, ask, monkeypatch):
    """They were paid for: a row that left the dataset may come back."""
    batches, backend = batch
    with monkeypatch.context() as patched:
        killed_at(patched, "BatchBackend._collect")
        with pytest.raises(Killed):
            run_requests(ask(20), backend, store)
    assert run_requests(ask(25)[10:], backend, store).done == 15
    assert run_requests(ask(25), backend, store).from_store == 25
    assert len(lines_uploaded(batches)) == 25


def test_a_rejected_batch_ends_the_run(batch, store, ask):
    """A batch that the server does not accept is a matter of configuration, not of rows."""
    batches, backend = batch
    batches.end_as = "failed"
    with pytest.raises(ConfigError, match="rejected the batch batch_0"):
        run_requests(ask(5), backend, store)
    batches.end_as = "completed"
    assert run_requests(ask(5), backend, store).done == 5


def test_budgets_hold_for_batches(batch, store, ask):
    """No more lines are submitted than allowed."""
    batches, backend = batch
    with pytest.raises(BudgetReached):
        run_requests(ask(50), backend, store, Options(max_requests=20))
    assert len(lines_uploaded(batches)) == 20
