"""How many calls may be under way, and how fast they may start. All of it lives on one event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

MOST_UNKEPT = 256
"""Answers that may wait for their commit; no more than may be in flight."""
STREAK = 4
"""Throttled answers in a row after which a Retry-After holds everybody back, not only its own request."""


class AdaptiveLimit:
    """A gate whose width follows the server: additive increase, multiplicative decrease.

    Over each window of as many answers as the limit, with a share s of them throttled or timed out, the limit
    is multiplied by 1 - s/2 and raised by (1 - s)/16 of the maximum. A server that throttles everything halves it per
    window; one that drops a few calls at random does not starve itself.

    A place is free again at the answer. What a kill can cost stays bounded by a second limit: calls in flight and
    answers that are not yet kept are never more than `maximum` and `most_unkept` together.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.most_unkept = min(maximum, MOST_UNKEPT)
        self.in_flight = 0
        self.unkept = 0
        self.limit = maximum
        """Calls that may be under way now."""
        self._limit = float(maximum)
        self._step = max(1.0, maximum / 16)
        self._answers = 0
        self._overloads = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self.on_room: Callable[[], object] = lambda: None
        """Called when there may be room that nobody waits for, except by `release`, whose caller knows."""

    def try_acquire(self) -> bool:
        """Take a place if there is one that nobody waits for."""
        if self._waiters or not self._room():
            return False
        self.in_flight += 1
        return True

    async def acquire(self) -> None:
        """Take a place as soon as there is one."""
        if self.try_acquire():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.release()
            raise

    def _room(self) -> bool:
        return self.in_flight < self.limit and self.in_flight + self.unkept < self.maximum + self.most_unkept

    def release(self, unkept: bool = False) -> None:
        """Give a place back; its answer may have to be kept still."""
        self.in_flight -= 1
        self.unkept += unkept
        self._let_in()

    def kept(self) -> None:
        """Note that an answer is on disk, or is given up."""
        self.unkept -= 1
        self._let_in()
        self.on_room()

    def _let_in(self) -> None:
        while self._waiters and self._room():
            waiter = self._waiters.popleft()
            if not waiter.done():
                self.in_flight += 1
                waiter.set_result(None)

    def record(self, overloaded: bool) -> None:
        """Note one answer; call before `release`."""
        self._answers += 1
        self._overloads += overloaded
        if self._answers >= self.limit:
            share = self._overloads / self._answers
            grown = self._limit * (1 - share / 2) + self._step * (1 - share)
            self._limit = min(float(self.maximum), max(1.0, grown))
            self.limit = int(self._limit)
            self._answers = self._overloads = 0


class _Meter:
    """Amounts per minute, spread evenly with a burst of one second's worth."""

    def __init__(self, per_minute: int) -> None:
        self._seconds_each = 60 / per_minute
        self._full_at = 0.0

    def book(self, amount: float, now: float) -> float:
        """Take `amount` and return the loop time at which it may be used."""
        due = max(now, self._full_at - 1.0)
        self._full_at = max(now, self._full_at) + amount * self._seconds_each
        return due

    def correct(self, amount: float) -> None:
        """Add what an earlier booking turned out to be too small by (negative: too large)."""
        self._full_at += amount * self._seconds_each


class Pace:
    """When the next call may start: requests and tokens per minute, and pauses that the server asked for."""

    def __init__(self, rpm: int | None, tpm: int | None) -> None:
        self._requests = _Meter(rpm) if rpm else None
        self._tokens = _Meter(tpm) if tpm else None
        self.limited = bool(rpm or tpm)
        self.paused = False
        """Whether the server has asked for any pause so far."""
        self._paused_until = 0.0
        self._streak = 0

    def delay(self, tokens: int, now: float) -> float:
        """Book a call of so many tokens and return the seconds until it may start."""
        due = max(
            self._requests.book(1, now) if self._requests else now,
            self._tokens.book(tokens, now) if self._tokens else now,
        )
        return max(0.0, due - now)

    def pause_left(self, now: float) -> float:
        return max(0.0, self._paused_until - now)

    def record(self, throttled: bool, retry_after: float | None, pause: float, now: float | None = None) -> None:
        """Note what an answer said about the calls of everybody."""
        self._streak = self._streak + 1 if throttled else 0
        if self._streak >= STREAK and retry_after:
            pause = max(pause, retry_after)
        if pause:
            self.paused = True
            now = asyncio.get_running_loop().time() if now is None else now
            self._paused_until = max(self._paused_until, now + pause)

    def used_tokens(self, booked: int, used: int) -> None:
        if self._tokens:
            self._tokens.correct(used - booked)


class Sleepers:
    """Waits that a draining run ends early."""

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[None]] = set()
        self._awake = False

    async def sleep(self, seconds: float) -> None:
        if self._awake or seconds <= 0:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _finish, future)
        self._futures.add(future)
        try:
            await future
        finally:
            timer.cancel()
            self._futures.discard(future)

    def wake(self) -> None:
        self._awake = True
        for future in self._futures:
            _finish(future)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
