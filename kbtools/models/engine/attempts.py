"""One request brought to its final answer: attempts, waits and retries under the run's limits and budget.

A place in flight is held only while an attempt is out. Nothing is stored here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from kbtools.errors import ConfigError, KbError
from kbtools.models.backend import ModelBackend, Send
from kbtools.models.engine.accounting import count_usage, reply_from
from kbtools.models.engine.budget import Budget
from kbtools.models.engine.limits import AdaptiveLimit, Pace, Sleepers
from kbtools.models.engine.progress import Progress
from kbtools.models.engine.retry import gave_up, wait_before_retry
from kbtools.models.kinds import STOPS_RUN, Kind, Usage
from kbtools.models.options import Options, Spend
from kbtools.models.reply import Answer, Reply
from kbtools.models.request import Request, estimated_prompt_tokens

PAUSED = (
    "longer than a row may wait. All replies are stored: run the same command again by then, or with a --deadline "
    "that is longer"
)
OVERLOAD = frozenset({Kind.THROTTLED, Kind.TIMEOUT})


@dataclass(slots=True)
class Attempts:
    """How the attempts at one request went. `started` is Unix time of the first, 0 before it."""

    request: Request
    started: float = 0.0
    begun: float = 0.0
    faults: int = 0
    throttles: int = 0
    answer: Answer | None = None
    usage: list[Usage] = field(default_factory=list)
    """What the server counted for each attempt."""

    @property
    def count(self) -> int:
        return self.faults + self.throttles + (self.answer is not None and self.answer.kind is Kind.OK)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.begun


class CallRunner:
    """Everything that calls share: the gate, the pace, the budget and the decision to stop."""

    def __init__(self, options: Options, progress: Progress, end: Callable[[BaseException], None]) -> None:
        self._options = options
        self._progress = progress
        self._end = end
        self.gate = AdaptiveLimit(options.max_in_flight)
        self._pace = Pace(options.rpm, options.tpm)
        self._budget = Budget(options)
        self._random = Random()
        self._draining = False
        self.sleepers = Sleepers()
        self.send: Send
        progress.limit = self.gate.limit

    def drain(self) -> None:
        """Let no further call start, and wake what waits for one."""
        self._draining = True
        self.sleepers.wake()

    def enter(self) -> bool:
        """Take a place for a call at once, if there is one."""
        return self.gate.try_acquire()

    async def ask(self, request: Request, placed: bool = False) -> Attempts | None:
        """Bring a request to its final answer, ok or not; None if the run ends before that.

        A place is waited for unless one was taken by `enter`. It is free with the answer, which counts as not kept
        until `kept` is called.
        """
        attempts = Attempts(request)
        while True:
            if not placed:
                await self.gate.acquire()
            placed = unkept = False
            try:
                attempts.answer = answer = await self._attempt(attempts)
                if answer is None:
                    return None
                attempts.usage.append(answer.usage)
                wait = None if answer.kind is Kind.OK else self._wait(attempts, answer)
                if wait is None:
                    unkept = True
                    return attempts
            finally:
                self.gate.release(unkept)
            self.gate.on_room()
            await self.sleepers.sleep(wait)

    @property
    def most_unkept(self) -> int:
        """Answers that may wait to be kept at once."""
        return self.gate.most_unkept

    def kept(self, attempts: Attempts, stored: bool) -> None:
        """Note that the answer is on disk, or that it cannot be stored; what is counted as used is stored."""
        self.gate.kept()
        for usage in attempts.usage if stored else ():
            count_usage(self._progress, self._options.prices, usage)

    def reply(self, attempts: Attempts, backend: ModelBackend) -> Reply:
        """The record of finished attempts."""
        answer = attempts.answer
        assert answer is not None, "attempts that ended without an answer has no reply"
        error = "" if answer.kind is Kind.OK else gave_up(answer, attempts.faults, attempts.elapsed, self._options)
        return reply_from(
            attempts.request, answer, backend, attempts.count, attempts.started, attempts.elapsed, error=error
        )

    def _wait(self, attempts: Attempts, answer: Answer) -> float | None:
        throttled = answer.kind is Kind.THROTTLED
        self._progress.last_fault = f"{answer.kind.value}, {answer.error}"
        attempts.throttles += throttled
        attempts.faults += not throttled
        elapsed = attempts.elapsed
        return wait_before_retry(answer, attempts.faults, attempts.throttles, elapsed, self._options, self._random)

    async def _attempt(self, attempts: Attempts) -> Answer | None:
        """One call, when limits and budget allow it; None if the run is ending or has to end."""
        reserved = await self._cleared(attempts.request)
        if reserved is None:
            return None
        answer: Answer | None = None
        timeout = self._begun(attempts)
        try:
            answer = await self.send(attempts.request, timeout)
        finally:
            self._progress.in_flight -= 1
            self._budget.settle(reserved, answer)
            self._progress.booked = self._budget.spent
        self._note(attempts.request, answer)
        if answer.kind in STOPS_RUN:
            self._end(ConfigError(answer.error))
            return None
        return answer

    async def _cleared(self, request: Request) -> Spend | None:
        """Wait until the call may start; what it may cost at most, or None if it must not be made."""
        if self._pace.limited:
            now = asyncio.get_running_loop().time()
            await self.sleepers.sleep(self._pace.delay(estimated_prompt_tokens(request), now))
        while self._pace.paused and not self._draining and (left := self._pause_left()) > 0:
            if left > self._options.deadline:
                self._end(KbError(f"the server allows nobody a call for {left:,.0f} s, which is {PAUSED}"))
                return None
            await self.sleepers.sleep(left)
        if self._draining:
            return None
        need = self._budget.worst_case(request)
        if not self._budget.try_reserve(need) and not await self._budget.reserve(need):
            self._end(self._budget.exhausted(need))
            return None
        if self._draining:
            self._budget.settle(need, None)
            return None
        return need

    def _pause_left(self) -> float:
        return self._pace.pause_left(asyncio.get_running_loop().time())

    def _begun(self, attempts: Attempts) -> float:
        """Count a call that begins now, and say how many seconds it has."""
        if not attempts.started:
            attempts.started, attempts.begun = time.time(), time.monotonic()
        self._progress.sent += 1
        self._progress.retries += attempts.answer is not None
        self._progress.in_flight += 1
        return max(0.001, min(self._options.timeout, self._options.deadline - attempts.elapsed))

    def _note(self, request: Request, answer: Answer) -> None:
        """Let limits, pace and counters follow from an answer."""
        self.gate.record(answer.kind in OVERLOAD)
        self._pace.record(answer.kind is Kind.THROTTLED, answer.retry_after, answer.pause)
        tokens_in, tokens_out = answer.usage.prompt or 0, answer.usage.completion or 0
        if self._pace.limited and tokens_in + tokens_out:
            self._pace.used_tokens(estimated_prompt_tokens(request), tokens_in + tokens_out)
        self._progress.limit = self.gate.limit
