"""Each fault of a server: its kind, whether it is tried again, and what is kept."""

import threading
from itertools import pairwise

import pytest

from kbtools.errors import KbError
from kbtools.models import Kind, Options, run_requests
from kbtools.models.backends.received import received
from kbtools.models.engine.online import LEAST
from kbtools.models.store import StoreError, claims

FINAL = {
    "400": Kind.BAD_REQUEST,
    "422": Kind.BAD_REQUEST,
    "404": Kind.NOT_FOUND,
    "context-length": Kind.CONTEXT_LENGTH,
    "filter-400": Kind.CONTENT_FILTER,
    "content-filter": Kind.CONTENT_FILTER,
}
PASSING = ["429", "429:0.05", "503", "500", "502", "408", "409", "hang", "reset", "truncated-json", "error-in-200"]


@pytest.mark.parametrize(("fault", "kind"), FINAL.items())
def test_final_faults_are_stored_at_once(serve, store, ask, fault, kind):
    """One call, one stored failure."""
    server, backend = serve(script=lambda call: fault)
    progress = run_requests(ask(1), backend, store)
    reply = store.reply(ask(1)[0].key)
    assert (len(server.log), progress.failed, reply.kind) == (1, 1, kind)
    assert reply.error
    assert reply.raw


@pytest.mark.parametrize("fault", PASSING)
def test_passing_faults_are_tried_again(serve, store, ask, quick, fault):
    """A second attempt brings the reply."""
    server, backend = serve(script=lambda call: fault if call.seen == 0 else "ok")
    progress = run_requests(ask(2), backend, store, quick)
    assert (progress.done, progress.retries, len(server.log)) == (2, 2, 4)
    assert store.reply(ask(1)[0].key).attempts == 2


@pytest.mark.parametrize(("fault", "least"), [("429:0.4", 0.4), ("429:date", 0.9), ("503:0.4", 0.4)])
def test_retry_after_is_honoured(serve, store, ask, quick, fault, least):
    """The second attempt comes no sooner than the server asked, in seconds or as a date."""
    server, backend = serve(script=lambda call: fault if call.seen == 0 else "ok")
    run_requests(ask(1), backend, store, quick)
    first, second = server.log
    assert second.time - first.time >= least


def test_exhausted_allowance_pauses_everybody(serve, store, ask):
    """When the headers say that nothing is left, no call starts until the reset."""
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "300ms"}
    server, backend = serve(headers=headers)
    run_requests(ask(3), backend, store, Options(max_in_flight=1))
    times = [entry.time for entry in server.log]
    assert min(later - sooner for sooner, later in pairwise(times)) >= 0.29


@pytest.mark.parametrize(
    ("fault", "headers"),
    [
        ("429:1000000000", {}),
        ("ok", {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20h"}),
    ],
)
def test_a_pause_that_no_row_may_wait_for_ends_the_run(serve, store, ask, fault, headers):
    """Else thousands of rows would sleep for years; what came in is stored, and a later run goes on."""
    server, backend = serve(script=lambda call: fault, headers=headers)
    with pytest.raises(KbError, match="the server allows nobody a call for .* run the same command again"):
        run_requests(ask(500), backend, store, Options(max_in_flight=4))
    stored = store.states(request.key for request in ask(500))
    assert 1 <= len(stored) == len(server.log) < 50
    server.settings.script, server.settings.headers = (lambda call: "ok"), {}
    assert run_requests(ask(500), backend, store).done == 500


def test_tokens_of_replies_count_against_those_of_a_minute(serve, store, ask):
    """A reply of 400 tokens at 200 a second holds back the next call, of whose prompt little is known."""
    server, backend = serve(reply=lambda body: "x" * 1_600)
    run_requests(ask(2), backend, store, Options(max_in_flight=1, tpm=12_000))
    first, second = server.log
    assert second.time - first.time >= 0.9


def test_a_slow_first_byte_is_no_fault(serve, store, ask):
    """Within the timeout a reply may take its time."""
    server, backend = serve(script=lambda call: "slow", slow=0.3)
    run_requests(ask(1), backend, store, Options(timeout=5))
    assert len(server.log) == 1
    assert store.reply(ask(1)[0].key).seconds >= 0.3


def test_overload_lowers_the_limit_in_flight(serve, store, ask):
    """A server that can take few calls at once is soon asked for few at once."""
    server, backend = serve(script=lambda call: "503" if server.in_flight >= 8 else "ok", delay=0.02)
    lowest = []
    options = Options(max_in_flight=64, backoff=0.05)
    progress = run_requests(ask(600), backend, store, options, lambda p: lowest.append(p.limit))
    assert progress.done == 600
    assert min(lowest) <= 24


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"[]", Kind.UNKNOWN_SHAPE),
        (200, b'{"choices": []}', Kind.UNKNOWN_SHAPE),
        (200, b'{"choices": [{"message": {"content": 5}}]}', Kind.UNKNOWN_SHAPE),
        (200, b"\xff\xfe", Kind.MALFORMED),
        (200, b'{"error": {"message": "x", "code": 429}}', Kind.THROTTLED),
        (400, b'{"object":"error","message":"the maximum context length is 9","code":400}', Kind.CONTEXT_LENGTH),
        (400, b'{"detail": "bad"}', Kind.BAD_REQUEST),
        (400, b"<html>", Kind.BAD_REQUEST),
        (302, b"", Kind.REDIRECTED),
        (402, b"", Kind.QUOTA),
        (425, b"", Kind.CONFLICT),
        (418, b"", Kind.BAD_REQUEST),
        (529, b"", Kind.SERVER),
    ],
)  # fmt: skip
def test_kinds_of_responses(status, body, kind):
    """Every response has a kind, and its body is kept."""
    answer = received(status, {}, body)
    assert answer.kind is kind
    assert answer.error
    assert answer.raw == body.decode("utf-8", "surrogateescape")


def test_the_first_error_carries_that_of_the_requests_rendered_meanwhile(serve, store, ask, monkeypatch):
    """The thread that renders ahead is waited for, and what it raises is not lost behind the store's error."""
    _, backend = serve()
    failing = threading.Event()

    def planned():
        yield from ask(LEAST)  # the first chunk
        failing.wait(30)
        raise ValueError("the next row cannot be rendered")

    def claim(*_, **__):
        failing.set()
        raise StoreError("the disk is full")

    monkeypatch.setattr(claims, "claim", claim)
    with pytest.raises(StoreError, match="the disk is full") as caught:
        run_requests(planned(), backend, store, Options(max_in_flight=8))
    assert any("the next row cannot be rendered" in note for note in caught.value.__notes__)
