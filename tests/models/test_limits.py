"""The adaptive limit and the pace of calls, without a server."""

import asyncio

from kbtools.models.engine.limits import AdaptiveLimit, Pace, Sleepers


def after(limit: AdaptiveLimit, answers: int, every: int) -> int:
    for number in range(answers):
        limit.record(overloaded=number % every == 0)
    return limit.limit


def test_overload_halves_the_limit_per_window():
    """A server that throttles everything is left alone quickly."""
    assert after(AdaptiveLimit(64), 64 + 32 + 16 + 8, every=1) == 4


def test_rare_throttling_does_not_starve_a_run():
    """With every fifth call throttled at random, half of the limit stays in use."""
    assert 24 <= after(AdaptiveLimit(64), 5_000, every=5) <= 40


def test_limit_recovers_step_by_step():
    """Good answers raise the limit to the maximum again, and not beyond."""
    limit = AdaptiveLimit(64)
    after(limit, 200, every=1)
    low = limit.limit
    for _ in range(2_000):
        limit.record(overloaded=False)
    assert low < 4
    assert limit.limit == 64


def test_gate_lets_in_as_many_as_the_limit():
    """A further caller waits until a place is given back."""

    async def scene() -> list[int]:
        gate = AdaptiveLimit(2)
        await gate.acquire()
        await gate.acquire()
        waiting = asyncio.create_task(gate.acquire())
        await asyncio.sleep(0)
        seen = [gate.in_flight, int(waiting.done())]
        gate.release()
        await waiting
        return [*seen, gate.in_flight]

    assert asyncio.run(scene()) == [2, 0, 2]


def test_a_cancelled_waiter_keeps_no_place():
    """Cancelling who was just let in gives the place to the next."""

    async def scene() -> int:
        gate = AdaptiveLimit(1)
        await gate.acquire()
        first, second = asyncio.create_task(gate.acquire()), asyncio.create_task(gate.acquire())
        await asyncio.sleep(0)
        gate.release()
        first.cancel()
        await second
        return gate.in_flight

    assert asyncio.run(scene()) == 1


def test_requests_per_minute_are_spread():
    """With 60 a minute the first second's worth may start at once, and then one a second."""
    pace = Pace(rpm=60, tpm=None)
    assert [round(pace.delay(1, now=100.0)) for _ in range(4)] == [0, 0, 1, 2]


def test_tokens_per_minute_follow_real_usage():
    """What a call really used moves the next one."""
    pace = Pace(rpm=None, tpm=60)
    pace.delay(1, now=100.0)
    pace.used_tokens(booked=1, used=11)
    assert round(pace.delay(1, now=100.0)) == 10


def test_one_throttled_call_pauses_nobody_else_and_a_streak_does():
    """Only when the server throttles all calls do all wait for its Retry-After."""
    pace = Pace(None, None)
    for _ in range(3):
        pace.record(True, 5.0, 0.0, now=100.0)
    before = pace.pause_left(100.0)
    pace.record(True, 5.0, 0.0, now=100.0)
    assert (before, pace.pause_left(100.0)) == (0.0, 5.0)


def test_sleepers_wake_for_a_drain():
    """A drain does not wait for backoffs, nor for those that would begin after it."""

    async def scene() -> bool:
        sleepers = Sleepers()
        asleep = asyncio.create_task(sleepers.sleep(3600))
        await asyncio.sleep(0)
        sleepers.wake()
        await asyncio.wait_for(asleep, 60)
        await asyncio.wait_for(sleepers.sleep(3600), 60)
        return True

    assert asyncio.run(scene())
