"""What a model answered: the answer to one attempt, and the reply as it is stored.

Nothing here reads a reply; `reading` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kbtools.models.kinds import NO_USAGE, Kind, Usage
from kbtools.models.reading import Reading, read_text


@dataclass(slots=True)  # not frozen, which would take four times as long for each row
class Answer:
    """The result of one attempt, as a backend hands it to the scheduler."""

    kind: Kind
    raw: str = ""
    status: int | None = None
    error: str = ""
    usage: Usage = NO_USAGE
    retry_after: float | None = None
    """Seconds the server asked this request to wait."""
    pause: float = 0.0
    """Seconds for which the server's rate-limit headers allow nobody a further call."""
    maybe_billed: bool = False
    """The call went out and its fate is unknown."""
    read: Reading | None = field(default=None, compare=False, repr=False)
    """What the boundary has read of it, so that nothing parses it again."""


@dataclass(slots=True)  # not frozen, which would take four times as long for each row
class Reply:
    """A stored reply or failure. `started` and `stored` are Unix times, `seconds` spans all attempts."""

    key: str
    model: str
    endpoint: str
    kind: Kind
    request: str
    raw: str
    status: int | None = None
    error: str = ""
    usage: Usage = NO_USAGE
    attempts: int = 1
    started: float = 0.0
    seconds: float = 0.0
    stored: float = field(default=0.0, compare=False)
    read: Reading | None = field(default=None, compare=False, repr=False)
    """The reading, where it is known; it is not stored."""

    @property
    def ok(self) -> bool:
        return self.kind is Kind.OK

    def reading(self) -> Reading:
        """The parts of an ok reply, or why it has none."""
        return self.read or read_text(self.raw)
