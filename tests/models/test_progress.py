"""The time to go, from the calls that are really to come."""

import time

import pytest

from kbtools.models.engine.progress import RATE_WINDOW, Progress


def ten_seconds_ago(**counters: int) -> Progress:
    """Counters of a run that began ten seconds ago."""
    return Progress(**counters, started=time.monotonic() - 10)


def test_stored_replies_and_equal_requests_do_not_count_as_speed():
    """Of 1,000 requests 900 cost nothing and 50 took ten seconds: the last 50 take ten more, not half a second."""
    progress = ten_seconds_ago(total=1000)
    progress.taken(1000, duplicates=400)
    progress.looked_up(500, 0)
    progress.looked_up(100, 100)
    progress.from_store, progress.done, progress.answered = 500, 550, 50
    assert progress.to_come == 50
    assert progress.eta == pytest.approx(10, rel=0.1)


def test_what_is_not_looked_up_goes_as_the_last_lookups_went():
    """Every second of the last few hundred requests was stored: half of the others is."""
    progress = ten_seconds_ago(total=3000)
    for _ in range(64):
        progress.taken(32, duplicates=0)
        progress.looked_up(32, 16)
    progress.from_store, progress.done, progress.answered = 1024, 2048, 1024
    assert progress.to_come == pytest.approx((3000 - 2048) / 2, rel=0.01)


def test_a_repair_is_a_call_more():
    """It was not in the plan."""
    progress = ten_seconds_ago(total=2)
    progress.taken(2, duplicates=0)
    progress.looked_up(2, 2)
    progress.done, progress.answered, progress.follow_ups = 2, 2, 1
    assert progress.to_come == 1


def test_nothing_is_promised_before_the_first_answer():
    """However much the store has given."""
    progress = ten_seconds_ago(total=100)
    progress.taken(50, duplicates=0)
    progress.from_store = progress.done = 50
    assert progress.eta is None


def test_old_answers_are_forgotten():
    """The rate is that of the last half minute."""
    progress = Progress(total=200, started=time.monotonic() - 100 * RATE_WINDOW)
    progress.taken(200, duplicates=0)
    progress.done = progress.answered = 100
    progress.tick()
    assert progress.eta is None
