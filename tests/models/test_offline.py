"""The driver for backends that answer many requests at once, with a backend as a third party would write it."""

import threading

import pytest

from kbtools.models import Interrupted, Kind, Options, ReplyFailure, Request, Sampling, run_requests
from kbtools.models.backends.completion import completion


class Echo:
    """Answers with the last message; notes the sizes of its chunks."""

    model, endpoint, chunk_size = "test-model", "echo:", 10

    def __init__(self) -> None:
        self.chunks: list[list[str]] = []
        self.fail_on: set[str] = set()
        self.after = threading.Event()

    def close(self) -> None:
        pass

    def complete(self, requests, run):
        self.chunks.append([request.messages[-1].content for request in requests])
        for request in reversed(requests):
            if run.stopping():
                return
            content = request.messages[-1].content
            if content in self.fail_on:
                raise RuntimeError(f"engine died on {content}")
            yield request, completion("test-model", content, "stop", prompt_tokens=2, completion_tokens=3)
            self.after.set()


@pytest.fixture
def echo() -> Echo:
    return Echo()


def test_chunks_are_answered_and_stored(store, ask, echo):
    """All requests once, in chunks of the backend's size."""
    progress = run_requests([*ask(25), *ask(3)], echo, store)
    assert (progress.done, progress.duplicates, progress.sent, progress.tokens_out) == (25, 3, 25, 75)
    assert [len(chunk) for chunk in echo.chunks] == [10, 10, 5]
    assert run_requests(ask(25), echo, store).from_store == 25
    assert store.reply(ask(3)[2].key).reading().text == "row 2"


def test_follow_ups_are_answered_in_a_later_chunk(store, ask, echo):
    """Reviews work as with online backends."""

    def review(request: Request, reply):
        text = reply.reading().text
        if text == "row 3" and not request.follows:
            return ask(101)[100]
        return ReplyFailure(Kind.INVALID, "no") if text == "row 4" else None

    progress = run_requests(ask(10), echo, store, review=review)
    assert (progress.sent, progress.done, progress.failed, progress.follow_ups) == (11, 10, 1, 1)
    assert echo.chunks[-1] == ["row 100"]


def test_a_failing_engine_keeps_what_came_before(store, ask, echo):
    """The error is raised, earlier chunks are stored, and the next run goes on."""
    echo.fail_on = {"row 15"}
    with pytest.raises(RuntimeError, match="row 15"):
        run_requests(ask(30), echo, store)
    echo.fail_on = set()
    assert run_requests(ask(30), echo, store).sent <= 20


def test_ctrl_c_ends_after_what_is_under_way(store, ask, echo):
    """The first interrupt stops the backend between requests; all it yielded is stored."""

    def interrupt(progress):
        echo.after.wait(5)
        raise KeyboardInterrupt

    slow = ask(2_000, sampling=Sampling(temperature=1.0))
    with pytest.raises(Interrupted) as caught:
        run_requests(slow, echo, store, Options(), interrupt)
    done = caught.value.progress.done
    assert len(store.states(request.key for request in slow)) == done
