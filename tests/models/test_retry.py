"""When and how soon an attempt is repeated."""

from datetime import UTC, datetime
from random import Random

import pytest
from multidict import CIMultiDict

from kbtools.models import Answer, Kind, Options
from kbtools.models.engine.retry import duration, gave_up, rate_limit_pause, retry_after, wait_before_retry

OPTIONS = Options(backoff=1.0, backoff_cap=8.0, max_attempts=4, deadline=100.0)


@pytest.mark.parametrize("kind", [Kind.BAD_REQUEST, Kind.NOT_FOUND, Kind.CONTEXT_LENGTH, Kind.CONTENT_FILTER])
def test_final_kinds_are_not_repeated(kind):
    """What the server will say again is not asked again."""
    assert wait_before_retry(Answer(kind), 1, 0, 0.0, OPTIONS, Random(0)) is None


@pytest.mark.parametrize(("faults", "low", "high"), [(1, 0.5, 1.0), (2, 1.0, 2.0), (3, 2.0, 4.0)])
def test_waits_double_with_jitter(faults, low, high):
    """Each wait lies between half and the whole of a doubling bound."""
    waits = [wait_before_retry(Answer(Kind.SERVER), faults, 0, 0.0, OPTIONS, Random(i)) for i in range(50)]
    assert low <= min(waits) < max(waits) <= high


def test_waits_are_capped():
    """Many throttles do not make a wait longer than the cap."""
    assert wait_before_retry(Answer(Kind.THROTTLED), 0, 30, 0.0, OPTIONS, Random(0)) <= 8.0


def test_faults_use_up_attempts_and_throttles_do_not():
    """A server that says not now is asked until the deadline."""
    assert wait_before_retry(Answer(Kind.SERVER), 4, 0, 0.0, OPTIONS, Random(0)) is None
    assert wait_before_retry(Answer(Kind.THROTTLED), 0, 40, 0.0, OPTIONS, Random(0)) is not None


def test_a_row_that_is_given_up_says_after_what():
    """The limit that was reached, and what the server said last; an answer that is final is told as it is."""
    busy = Answer(Kind.SERVER, error="busy")
    assert gave_up(busy, 4, 12.0, OPTIONS) == "gave up after 12.0 s (4 failed attempts); last answer: busy"
    assert "(a deadline of 100 s)" in gave_up(busy, 3, 12.0, OPTIONS)
    assert gave_up(Answer(Kind.NOT_FOUND, error="no such model"), 1, 0.0, OPTIONS) == "no such model"


def test_retry_after_is_never_undercut():
    """The server's wish is the least wait."""
    assert wait_before_retry(Answer(Kind.THROTTLED, retry_after=30.0), 0, 1, 0.0, OPTIONS, Random(0)) == 30.0


def test_a_wait_past_the_deadline_ends_the_row():
    """A row does not wait for what can no longer help it."""
    assert wait_before_retry(Answer(Kind.THROTTLED, retry_after=30.0), 0, 1, 80.0, OPTIONS, Random(0)) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"Retry-After": "Sat, 21 Nov 2026 12:00:10 GMT"}, 10.0),
        ({"Retry-After": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After-Ms": "250", "Retry-After": "9"}, 0.25),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "Sat, 21 Nov 2026 12:00:10 -0000"}, 10.0),
        ({"Retry-After": "Sat, 99 Nov 2026 12:00:10 GMT"}, None),
        ({"Retry-After": "Sat, 21 Nov 2026 12:00:10 +99999999999999999999"}, None),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "Sat, 21 Nov 2026 20:00:10 GMT", "Date": "Sat, 21 Nov 2026 20:00:00 GMT"}, 10.0),
        ({"Retry-After": "Sat, 21 Nov 2026 12:00:10 GMT", "Date": "today"}, 10.0),
        ({"Retry-After": "7", "Date": "Sat, 21 Nov 2020 20:00:00 GMT"}, 7.0),
        ({}, None),
    ],
)
def test_retry_after_forms(headers, seconds):
    """Seconds, milliseconds and HTTP dates by the server's clock are understood; the rest counts as not said."""
    now = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    assert retry_after(CIMultiDict(headers), now) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1.5", 1.5),
        ("20ms", 0.02),
        ("6m0s", 360.0),
        ("1h2m", 3720.0),
        ("1d.5s", 86400.5),
        ("1.2.3s", None),
        ("2 s", None),
        ("x", None),
        ("", None),
        (None, None),
    ],
)
def test_durations(text, seconds):
    """The forms in which servers write when an allowance is filled again."""
    assert duration(text) == seconds


def test_pause_only_when_an_allowance_is_used_up():
    """Allowances that are left pause nobody."""
    spent = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s"}
    left = {"x-ratelimit-remaining-tokens": "10", "x-ratelimit-reset-tokens": "60s"}
    assert rate_limit_pause(CIMultiDict({**spent, **left})) == 2.0
    assert rate_limit_pause(CIMultiDict(left)) == 0.0
