"""The adaptive limit and the pace of calls, without a server."""

import asyncio

from kbtools.models.engine.limits import STREAK, AdaptiveLimit, Pace, Sleepers


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


def test_answers_that_are_not_kept_hold_calls_back():
    """In flight and waiting for their commit are never more than twice the calls in flight, however fast the server."""

    async def scene() -> list[tuple[int, int]]:
        gate, seen = AdaptiveLimit(2), []
        for _ in range(4):
            await asyncio.wait_for(gate.acquire(), 60)
            gate.release(unkept=gate.unkept < 2)
            seen.append((gate.in_flight, gate.unkept))
        await gate.acquire()
        await gate.acquire()
        waiting = asyncio.create_task(gate.acquire())
        gate.release(unkept=False)
        await waiting
        return [*seen, (gate.in_flight, gate.unkept)]

    async def blocked() -> tuple[bool, bool]:
        gate = AdaptiveLimit(2)
        for _ in range(4):
            await gate.acquire()
            gate.release(unkept=True)
        waiting = asyncio.create_task(gate.acquire())
        await asyncio.sleep(0)
        held = not waiting.done()
        gate.kept()
        await waiting
        return held, gate.unkept == 3

    assert asyncio.run(scene()) == [(0, 1), (0, 2), (0, 2), (0, 2), (2, 2)]
    assert asyncio.run(blocked()) == (True, True)


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


def test_every_window_counts_its_own_answers():
    """A window's share follows from its answers alone, and a limit of one still has windows."""
    limit = AdaptiveLimit(32)
    after(limit, 32, every=2)  # half throttled: a quarter less, half a step more
    assert limit.limit == 25
    one = AdaptiveLimit(1)
    one.record(overloaded=True)
    assert one.limit == 1


def test_pace_is_limited_by_either_kind_of_limit():
    """Requests, tokens, or both; without limits nothing is booked."""
    assert [Pace(rpm, tpm).limited for rpm, tpm in ((60, None), (None, 60), (60, 60), (None, None))] == [
        True,
        True,
        True,
        False,
    ]
    assert Pace(None, None).delay(1_000_000, now=5.0) == 0.0


def test_burst_is_one_second_and_no_more():
    """After a pause, one second's worth may start at once, however long the pause was."""
    pace = Pace(rpm=120, tpm=None)
    pace.delay(1, now=0.0)
    assert [pace.delay(1, now=1_000.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 1.0]


def test_pauses_that_a_server_asks_for_hold_for_everybody():
    """A later pause never shortens an earlier one; a good answer ends a streak of throttling."""
    pace = Pace(None, None)
    pace.record(throttled=False, retry_after=None, pause=5.0, now=10.0)
    pace.record(throttled=False, retry_after=None, pause=1.0, now=10.0)
    assert pace.pause_left(12.0) == 3.0
    assert pace.pause_left(20.0) == 0.0
    streak = Pace(None, None)
    for _ in range(STREAK - 1):
        streak.record(throttled=True, retry_after=9.0, pause=0.0, now=0.0)
    assert streak.pause_left(0.0) == 0.0
    streak.record(throttled=False, retry_after=9.0, pause=0.0, now=0.0)
    streak.record(throttled=True, retry_after=9.0, pause=0.0, now=0.0)
    assert streak.pause_left(0.0) == 0.0
    for _ in range(STREAK):
        streak.record(throttled=True, retry_after=9.0, pause=0.0, now=0.0)
    assert streak.pause_left(0.0) == 9.0


def test_a_sleeper_that_wakes_leaves_nothing_behind():
    """No timer and no future stays, whether the time was over or it was woken."""

    async def scene() -> tuple[int, int]:
        sleepers = Sleepers()
        await sleepers.sleep(0.001)
        left = len(sleepers._futures)
        sleeping = asyncio.create_task(sleepers.sleep(3600.0))
        await asyncio.sleep(0)
        sleepers.wake()
        await sleeping
        await sleepers.sleep(3600.0)
        return left, len([timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()])

    assert asyncio.run(scene()) == (0, 0)
