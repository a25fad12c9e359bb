"""When a failed attempt is made again, and after how long: pure decisions, no waiting."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

from kbtools.models.kinds import RETRIED, Kind
from kbtools.models.options import Options
from kbtools.models.reply import Answer
from kbtools.wording import counted

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def wait_before_retry(
    answer: Answer, faults: int, throttles: int, elapsed: float, options: Options, random: Random
) -> float | None:
    """Seconds until the next attempt, or None when this answer is the last.

    `faults` and `throttles` count the attempts that failed so far, this one included; `elapsed` is seconds
    since the first. What the server asked for is never undercut.
    """
    if answer.kind not in RETRIED or faults >= options.max_attempts:
        return None
    exponent = min(faults + throttles - 1, 32)
    jittered = min(options.backoff_cap, options.backoff * 2**exponent) * random.uniform(0.5, 1.0)
    wait = max(jittered, answer.retry_after or 0.0)
    return wait if elapsed + wait < options.deadline else None


def gave_up(answer: Answer, faults: int, elapsed: float, options: Options) -> str:
    """The error text of a row whose retries are used up, or the answer's own."""
    if answer.kind not in RETRIED:
        return answer.error
    limit = (
        counted(faults, "failed attempt") if faults >= options.max_attempts else f"a deadline of {options.deadline:g} s"
    )
    return f"gave up after {elapsed:.1f} s ({limit}); last answer: {answer.error}"


def is_throttle(kind: Kind) -> bool:
    """The server is there and said not now."""
    return kind is Kind.THROTTLED


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds asked for by `Retry-After-Ms` or `Retry-After` (seconds or an HTTP date); None if unreadable.

    A date is reckoned by the clock of the server, if it tells that in `Date`: the one here may be wrong.
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is None:
        return None
    seconds = _number(value)
    if seconds is not None:
        return seconds
    then = _moment(value)
    return None if then is None else _between(_moment(headers.get("date")) or now or datetime.now(UTC), then)


def rate_limit_pause(headers: Mapping[str, str]) -> float:
    """Seconds until the exhausted one of the `x-ratelimit-*` allowances is filled again; 0 if none is."""
    if "x-ratelimit-remaining-requests" not in headers and "x-ratelimit-remaining-tokens" not in headers:
        return 0.0  # as from most servers of one's own
    pauses = [
        duration(headers.get(f"x-ratelimit-reset-{what}")) or 0.0
        for what in ("requests", "tokens")
        if (left := _number(headers.get(f"x-ratelimit-remaining-{what}"))) is not None and left <= 0
    ]
    return max(pauses, default=0.0)


def duration(text: str | None) -> float | None:
    """Seconds in `1.5`, `20ms`, `6m0s`; None if it is none of these."""
    if text is None:
        return None
    if (seconds := _number(text)) is not None:
        return seconds
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h|d)", text)
    if "".join(number + unit for number, unit in parts) != text.strip() or not parts:
        return None
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return max(0.0, value) if value is not None and math.isfinite(value) else None


def _moment(date: str | None) -> datetime | None:
    """The moment that an HTTP date names; None for what is none."""
    try:
        moment = parsedate_to_datetime(date) if date else None
    except (ValueError, OverflowError):  # the latter for time zones of many digits
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _between(now: datetime, then: datetime) -> float:
    """Seconds until then, 0 if that is over."""
    return max(0.0, then.timestamp() - now.timestamp())
