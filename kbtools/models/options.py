"""How requests may be run: limits, retries, budget and prices; checked when they are given."""

from __future__ import annotations

from dataclasses import dataclass, field

from kbtools.errors import ConfigError, UsageError


@dataclass(frozen=True, slots=True)
class Prices:
    """Price of a million tokens, in whatever currency the user counts in."""

    input: float
    output: float

    def of(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.input + tokens_out * self.output) / 1e6


@dataclass(slots=True)  # not frozen, which would take four times as long for each call
class Spend:
    """Requests, tokens and cost of one call or of many."""

    requests: int = 0
    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: Spend) -> Spend:
        return Spend(self.requests + other.requests, self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: Spend) -> Spend:
        return Spend(self.requests - other.requests, self.tokens - other.tokens, self.cost - other.cost)


@dataclass(frozen=True, slots=True)
class Options:
    """Limits of one run of requests. Times are seconds; None means no limit."""

    max_in_flight: int = 64
    timeout: float = 600.0
    """For one attempt."""
    deadline: float = 3600.0
    """For one request, from its first attempt, waiting included."""
    max_attempts: int = 8
    """Attempts that may fail; being throttled (429, 503) costs none of them, only the deadline ends that."""
    backoff: float = 0.5
    """Longest first wait after a fault; it doubles with each further one."""
    backoff_cap: float = 60.0
    rpm: int | None = None
    tpm: int | None = None
    max_requests: int | None = None
    """Calls, retries included."""
    max_tokens: int | None = None
    """Tokens of prompts and replies together."""
    max_cost: float | None = None
    prices: Prices | None = None
    repeat_failures: bool = True
    """Send requests again that failed in an earlier run."""
    already: Spend = field(default_factory=Spend)
    """What earlier rounds of the same run took off the budget."""

    def __post_init__(self) -> None:
        for name in ("max_in_flight", "timeout", "deadline", "max_attempts", "rpm", "tpm"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"{name} is {value}; it must be greater than 0")
        for name in ("max_requests", "max_tokens", "max_cost", "backoff", "backoff_cap"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise UsageError(f"{name} is {value}; it must not be negative")
        if self.max_cost is not None and self.prices is None:
            raise ConfigError(
                "max_cost needs the prices of the model: give them in the [prices] table of kbtools.toml, "
                'as "model-name" = { input = PRICE, output = PRICE } per million tokens'
            )
