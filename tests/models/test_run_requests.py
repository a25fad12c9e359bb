"""Fulfilling requests against a real server: nothing lost, nothing paid twice, nobody held up."""

import asyncio
import gc
import threading
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from kbtools.errors import ConfigError, UsageError
from kbtools.models import Kind, Options, Prices, ReplyFailure, plan_requests, run_requests
from kbtools.models.backends.http import HttpBackend
from kbtools.models.engine.attempts import CallRunner
from kbtools.models.reply import Answer
from kbtools.models.store import StoreError, claims
from tests.servers.openai_server import rates

STORM = {"429": 0.15, "429:0.05": 0.05, "500": 0.05, "reset": 0.02, "hang": 0.02, "truncated-json": 0.05}


def test_every_request_gets_a_stored_reply(serve, store, ask):
    """All replies are there after a run, raw, with what is known of each call."""
    server, backend = serve()
    progress = run_requests(ask(300), backend, store)
    replies = store.replies(request.key for request in ask(300))
    assert progress.done == progress.sent == len(server.log) == len(replies) == 300
    reply = replies[ask(1)[0].key]
    assert (reply.kind, reply.status, reply.attempts, reply.model) == (Kind.OK, 200, 1, "test-model")
    assert reply.endpoint == f"{server.url}/chat/completions"
    assert reply.reading().text.startswith("reply ")
    assert reply.usage == reply.reading().usage
    assert reply.request == ask(1)[0].canonical()


def test_a_second_run_makes_no_call(serve, store, ask):
    """What is stored is not asked again."""
    server, backend = serve()
    run_requests(ask(50), backend, store)
    assert run_requests(ask(50), backend, store).from_store == 50
    assert len(server.log) == 50


def test_one_row_added_is_one_call_more(serve, store, ask):
    """Adding a row to 2,000 costs one call; another model or prompt costs all."""
    server, backend = serve()
    run_requests(ask(2000), backend, store)
    assert run_requests(ask(2001), backend, store).sent == 1
    assert len(server.log) == 2001
    assert plan_requests(ask(100, sample=1), backend, store).to_send == 100


def test_equal_requests_are_sent_once(serve, store, ask):
    """Duplicates share a reply, near each other or far apart; all of them count as equal, in a dry run too."""
    server, backend = serve(delay=0.02)
    requests = [*ask(400), *ask(400)[::-1], *ask(2), *ask(2)]
    run_requests(ask(10), backend, store)
    planned = plan_requests(requests, backend, store)
    progress = run_requests(requests, backend, store)
    assert len(server.log) == 400
    assert progress.requests == planned.requests == 804
    assert (progress.done, progress.duplicates, progress.from_store, progress.sent) == (400, 404, 10, 390)
    assert (planned.duplicates, planned.stored, planned.to_send) == (404, 10, 390)


def test_storm_of_faults_loses_nothing(serve, store, ask):
    """Under 20% 429, 5% 500, 2% resets, 2% hangs and 5% broken JSON all rows are done, each billed once."""
    server, backend = serve(script=rates(STORM, seed=3), delay=0.005)
    progress = run_requests(ask(600), backend, store, Options(timeout=4.0, backoff=0.02))
    outcomes = Counter(entry.fault for entry in server.log)
    assert (progress.done, progress.failed) == (600, 0)
    assert outcomes["ok"] == 600
    assert progress.sent == len(server.log) == 600 + progress.retries
    assert len(outcomes) == len(STORM) + 1


def test_one_hung_row_delays_nobody(serve, store, ask):
    """All other rows are stored while one is still waiting for its answer."""
    _, backend = serve(script=lambda call: "hang" if call.prompt == "row 3" and call.seen == 0 else "ok")
    stored_early = []

    def look(progress):
        if progress.in_flight == 1:
            stored_early.append(progress.done)

    progress = run_requests(ask(100), backend, store, Options(max_in_flight=16, timeout=4.0, backoff=0.01), look)
    assert max(stored_early) == 99
    assert progress.done == 100


def test_limit_in_flight_is_kept(serve, store, ask):
    """The server never sees more calls at once than allowed."""
    server, backend = serve(delay=0.02)
    run_requests(ask(300), backend, store, Options(max_in_flight=17))
    assert server.most_in_flight == 17


@pytest.mark.slow
def test_limit_in_flight_goes_up_to_2048(serve, store, ask):
    """Thousands of calls at once are possible, whatever the soft limit of open files."""
    server, backend = serve(delay=2.0)
    assert run_requests(ask(2048), backend, store, Options(max_in_flight=2048)).done == 2048
    assert server.most_in_flight > 1500


def test_an_unexpected_error_of_one_request_ends_the_run(serve, store, ask, monkeypatch):
    """A defect loses no request silently: it is raised, with its own text alone."""
    _, backend = serve()

    def reply(*_):
        raise ValueError("a defect")

    monkeypatch.setattr(CallRunner, "reply", reply)
    with pytest.raises(ValueError, match="a defect"):
        run_requests(ask(3), backend, store)


def test_an_error_of_the_store_has_no_note_of_requests_that_were_rendered_well(serve, store, ask, monkeypatch):
    """Only what failed is told."""
    _, backend = serve()

    def claim(*_, **__):
        raise StoreError("the disk is full")

    monkeypatch.setattr(claims, "claim", claim)
    with pytest.raises(StoreError, match="the disk is full") as caught:
        run_requests(ask(200), backend, store, Options(max_in_flight=8))
    assert not getattr(caught.value, "__notes__", ())


def test_requests_are_read_lazily(serve, store, ask):
    """A plan of any length is never held in memory: reading stops a window ahead of the calls."""
    _, backend = serve()
    taken = []

    def planned():
        for request in ask(3000):
            taken.append(request)
            yield request

    ahead = []
    run_requests(planned(), backend, store, Options(max_in_flight=100), lambda p: ahead.append(len(taken) - p.done))
    assert max(ahead) <= 2 * 100 + 4 * 256
    assert len(taken) == 3000


def test_calls_that_have_ended_are_forgotten(serve, store, ask):
    """A run of any length remembers only those under way; the server here has a task for each connection."""
    _, backend = serve()
    tasks = []
    run_requests(
        ask(400), backend, store, Options(max_in_flight=2),
        lambda _: tasks.append(sum(isinstance(thing, asyncio.Task) for thing in gc.get_objects())),
    )  # fmt: skip
    assert tasks[-1] <= 4


def test_works_inside_a_running_event_loop(serve, store, ask):
    """Notebooks have a loop of their own."""
    _, backend = serve()

    async def notebook():
        return run_requests(ask(20), backend, store)

    assert asyncio.run(notebook()).done == 20


@pytest.mark.parametrize("fault", ["401", "403", "quota"])
def test_refused_credentials_stop_the_run(serve, store, ask, fault):
    """One refusal is enough; the message says where the credentials came from, and no row is marked as failed."""
    server, backend = serve(script=lambda call: fault, delay=0.01)
    backend = HttpBackend(backend.base_url, "test-model", credentials="variable SOME_KEY")
    with pytest.raises(ConfigError, match="variable SOME_KEY"):
        run_requests(ask(500), backend, store, Options(max_in_flight=4))
    assert len(server.log) <= 8
    assert store.states(request.key for request in ask(500)) == {}


def test_what_arrived_before_a_refusal_is_kept(serve, store, ask):
    """Calls under way when the key is revoked still come in and are stored."""
    server, backend = serve(script=lambda call: "401" if call.number == 100 else "ok", delay=0.01)
    with pytest.raises(ConfigError):
        run_requests(ask(500), backend, store, Options(max_in_flight=16))
    good = sum(entry.fault == "ok" for entry in server.log)
    assert len(store.states(request.key for request in ask(500))) == good >= 100


def test_failures_are_data_and_only_they_are_repeated(serve, store, ask):
    """A failed row is stored with its error; the next run asks for it alone."""
    broken = {"row 7", "row 70"}
    server, backend = serve(script=lambda call: "400" if call.prompt in broken and len(server.log) < 100 else "ok")
    first = run_requests(ask(100), backend, store)
    assert (first.done, first.failed, dict(first.failures)) == (98, 2, {"bad-request": 2})
    failed = store.reply(ask(8)[7].key)
    assert (failed.kind, failed.status, failed.error) == (Kind.BAD_REQUEST, 400, "HTTP 400: scripted 400")
    assert "scripted 400" in failed.raw
    second = run_requests(ask(100), backend, store)
    assert (second.sent, second.done, second.failed) == (2, 100, 0)


def test_failures_from_before_the_clock_was_put_back_are_repeated(serve, store, ask):
    """Their time has not come yet: they are none of this run."""
    _, backend = serve(script=lambda call: "400" if call.number == 0 else "ok")
    run_requests(ask(1), backend, store)
    failed = store.reply(ask(1)[0].key)
    store.put([replace(failed, stored=time.time() + 3600)])
    assert run_requests(ask(1), backend, store).done == 1


def test_failures_can_be_left_alone(serve, store, ask):
    """With repeat_failures off a stored failure counts as failed and costs no call."""
    server, backend = serve(script=lambda call: "422")
    run_requests(ask(5), backend, store)
    progress = run_requests(ask(5), backend, store, Options(repeat_failures=False))
    assert (progress.failed, progress.sent, len(server.log)) == (5, 0, 5)


def test_used_up_attempts_are_a_failure_with_its_cause(serve, store, ask):
    """A row that fails each time is given up after max_attempts, and says so."""
    server, backend = serve(script=lambda call: "500" if call.prompt == "row 1" else "ok")
    progress = run_requests(ask(3), backend, store, Options(max_attempts=3, backoff=0.01))
    reply = store.reply(ask(2)[1].key)
    assert (progress.done, progress.failed, len(server.log)) == (2, 1, 5)
    assert (reply.kind, reply.attempts) == (Kind.SERVER, 3)
    assert "3 failed attempts" in reply.error
    assert "HTTP 500" in reply.error


def test_deadline_ends_a_throttled_row(serve, store, ask):
    """A row that is throttled for ever ends where the wait that the server asks for would pass its deadline."""
    server, backend = serve(script=lambda call: "429:1" if call.prompt == "row 1" else "ok")
    progress = run_requests(ask(3), backend, store, Options(deadline=3.0, backoff=0.01))
    assert dict(progress.failures) == {"throttled": 1}
    assert "deadline of 3 s" in store.reply(ask(2)[1].key).error
    assert 2 <= sum(entry.prompt == "row 1" for entry in server.log) <= 3


class Timed:
    """A backend that answers itself, and notes how many seconds each call had."""

    model = endpoint = "timed"

    def __init__(self, answers):
        self.answers, self.seconds = iter(answers), []

    def close(self):
        """Nothing is open."""

    @asynccontextmanager
    async def connect(self):
        async def send(request, seconds):
            self.seconds.append(seconds)
            return next(self.answers)

        yield send


def test_a_later_attempt_has_what_is_left_of_the_deadline(store, ask):
    """Or the timeout, where that is less."""
    backend = Timed([Answer(Kind.THROTTLED, retry_after=0.5, error="busy"), Answer(Kind.OK, raw="{}")])
    run_requests(ask(1), backend, store, Options(deadline=30.0, timeout=60.0))
    first, second = backend.seconds
    assert 29.5 < first <= 30
    assert second <= 29.5


def test_nobody_there_ends_the_run(store, ask):
    """A wrong address does not wait for 10,000 rows to use up their attempts."""
    backend = HttpBackend("http://127.0.0.1:9/v1", "m")
    with pytest.raises(ConfigError, match="all failed"):
        run_requests(ask(10_000), backend, store, Options(max_attempts=2, backoff=0.01))
    assert len(store.states(request.key for request in ask(10_000))) < 200


def test_an_unknown_model_ends_the_run(serve, store, ask):
    """404 for every row means that the name is wrong, not the rows."""
    server, backend = serve(script=lambda call: "404")
    with pytest.raises(ConfigError, match="name of the model"):
        run_requests(ask(5_000), backend, store)
    assert len(server.log) < 200


def test_an_error_in_the_plan_keeps_what_arrived(serve, store, ask):
    """A row that cannot be rendered ends the run after the calls under way are in."""
    server, backend = serve()

    def planned():
        yield from ask(600)
        raise UsageError("row 600 has no code")

    with pytest.raises(UsageError, match="row 600"):
        run_requests(planned(), backend, store)
    assert len(store.states(request.key for request in ask(600))) == len(server.log) > 0


def test_plan_says_what_the_run_then_does(serve, store, ask):
    """A dry run counts requests, stored replies, repeats and calls exactly, and makes no call."""
    server, backend = serve(script=lambda call: "400" if call.prompt == "row 5" else "ok")
    run_requests(ask(40), backend, store)
    requests = [*ask(100), *ask(10)]
    planned = plan_requests(requests, backend, store, Options(prices=Prices(1.0, 2.0)))
    assert len(server.log) == 40
    assert (planned.requests, planned.duplicates, planned.stored, planned.repeated) == (110, 10, 39, 1)
    assert planned.cost == pytest.approx(planned.prompt_tokens / 1e6)
    assert planned.first.messages[0].content == "row 0"
    done = run_requests(requests, backend, store)
    assert done.sent == planned.to_send == 61


def test_replies_from_another_endpoint_are_counted(serve, store, ask):
    """The same model name elsewhere is answered from the store, and said aloud."""
    one, backend = serve()
    run_requests(ask(10), backend, store)
    two, other = serve()
    progress = run_requests(ask(10), other, store)
    assert progress.other_endpoints == {f"{one.url}/chat/completions": 10}
    assert two.log == []


def test_progress_is_told_while_it_runs_and_at_the_end(serve, store, ask):
    """The sink is called in the caller's thread, and last with the final counts."""
    _, backend = serve(delay=0.1)
    seen = []
    run_requests(
        iter(ask(60)), backend, store, Options(max_in_flight=8, prices=Prices(1, 1)),
        lambda progress: seen.append((threading.current_thread(), progress.done, progress.eta)), total=60,
    )  # fmt: skip
    assert {thread for thread, _, _ in seen} == {threading.current_thread()}
    assert seen[-1][1] == 60
    assert len(seen) > 2


def test_only_what_is_stored_is_counted(serve, store, ask):
    """Whenever one looks, the tokens in the counters are those of replies in the store, or fewer."""
    _, backend = serve(script=lambda call: "500" if call.seen == 0 and call.prompt < "row 3" else "ok", delay=0.01)
    looks = []

    def look(progress):
        told = progress.tokens_out
        replies = store.replies(request.key for request in ask(100)).values()
        looks.append((told, sum(reply.usage.completion or 0 for reply in replies)))

    run_requests(ask(100), backend, store, Options(max_in_flight=4, backoff=0.01), look)
    assert all(told <= stored for told, stored in looks)
    assert looks[-1][0] == looks[-1][1] > 0


def test_a_sink_that_raises_ends_the_run(serve, store, ask):
    """A broken progress bar does not leave a run behind."""
    server, backend = serve(delay=0.1)

    def broken(progress):
        raise ValueError("no terminal")

    with pytest.raises(ValueError, match="no terminal"):
        run_requests(ask(5000), backend, store, Options(max_in_flight=4), broken)
    calls = len(server.log)
    time.sleep(0.3)
    assert len(server.log) <= calls + 4 < 5000  # what was on its way may still arrive


def test_review_judges_stored_replies_too(serve, store, ask):
    """A reply that the stage cannot use counts as failed, and the next run asks again."""
    server, backend = serve()

    def review(request, reply):
        return ReplyFailure(Kind.INVALID, "no") if request.messages[0].content == "row 2" else None

    assert run_requests(ask(5), backend, store).done == 5
    progress = run_requests(ask(5), backend, store, review=review)
    assert (progress.done, progress.failed, progress.sent, len(server.log)) == (4, 1, 1, 6)


def test_something_that_is_no_backend_is_refused(store, ask):
    """The message says what a backend has."""
    with pytest.raises(UsageError, match="neither connect"):
        run_requests(ask(1), object(), store)
