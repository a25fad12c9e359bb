"""Counters of running requests, written by the engine and rendered by whoever called it."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from kbtools.models.options import Spend

RATE_WINDOW = 30.0
LOOKBACK = 256
"""Requests after which a lookup no longer counts for what is to come."""


@dataclass(slots=True)
class Progress:
    """What has happened so far; `finished` counts requests that need nothing more, ok or failed."""

    total: int | None = None
    model: str = ""
    """Which model is asked."""
    requests: int = 0
    """Requests taken from the plan so far, duplicates included."""
    duplicates: int = 0
    """Requests equal to an earlier one of the same run."""
    from_store: int = 0
    done: int = 0
    """Requests with a usable stored reply: from the store, or received and committed now."""
    failed: int = 0
    follow_ups: int = 0
    """Repair requests that replies made necessary; counted in `done` and `failed` as requests of their own."""
    answered: int = 0
    """Requests that calls of this run brought to an end."""
    sent: int = 0
    """Calls that went out, retries included."""
    retries: int = 0
    last_fault: str = ""
    """Why a call was last made again."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None
    """In the currency of the given prices; None without prices."""
    in_flight: int = 0
    limit: int = 0
    """Calls that the adaptive limit allows at this moment."""
    waiting_for: str = ""
    """What the backend waits for before replies can come, such as a server that loads weights."""
    draining: bool = False
    """Ctrl-C was pressed: no call starts any more, those under way come in."""
    booked: Spend = field(default_factory=Spend)
    """What was taken off the budget, with the worst case of calls whose cost nobody told."""
    failures: Counter[str] = field(default_factory=Counter)
    """Failed requests by kind."""
    other_endpoints: Counter[str] = field(default_factory=Counter)
    """Stored replies that came from another endpoint than the one in use now."""
    started: float = field(default_factory=time.monotonic)
    _share: float = 1.0
    """Of the requests looked up lately, how many had to be sent."""
    _samples: deque[tuple[float, int, int]] = field(default_factory=deque)
    """Time, requests answered and calls made at earlier moments."""

    @property
    def finished(self) -> int:
        return self.done + self.failed + self.duplicates

    @property
    def rate(self) -> float:
        """Calls per second over the last half minute."""
        since, _, sent = self._window
        return (self.sent - sent) / max(time.monotonic() - since, 1e-9)

    @property
    def eta(self) -> float | None:
        """Seconds to go at the rate of the last answers; None while that is unknown."""
        since, answered, _ = self._window
        if self.total is None or self.answered <= answered:
            return None
        return self.to_come * (time.monotonic() - since) / (self.answered - answered)

    @property
    def to_come(self) -> float:
        """Requests that calls have yet to answer: all that wait for one, and those not looked up as the last ones went.

        What is in the store already, or equal to an earlier request, costs no time.
        """
        waiting = self.requests + self.follow_ups - self.finished
        return waiting + max(0, (self.total or 0) - self.requests) * self._share

    def taken(self, requests: int, duplicates: int) -> None:
        """Count requests of the plan, and those of them that are equal to an earlier one."""
        self.requests += requests
        self.duplicates += duplicates
        self.looked_up(duplicates, 0)

    def looked_up(self, requests: int, to_send: int) -> None:
        """Note how many of so many requests have to be sent."""
        weight = min(1.0, requests / LOOKBACK)
        self._share += weight * (to_send / max(requests, 1) - self._share)

    @property
    def _window(self) -> tuple[float, int, int]:
        """The moment from which on rates are counted."""
        return self._samples[0] if self._samples else (self.started, 0, 0)

    def tick(self) -> None:
        """Note the present moment for `rate`."""
        now = time.monotonic()
        if not self._samples:
            self._samples.append((self.started, 0, 0))
        self._samples.append((now, self.answered, self.sent))
        while now - self._samples[0][0] > RATE_WINDOW:
            self._samples.popleft()


ProgressSink = Callable[[Progress], None]
