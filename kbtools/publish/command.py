"""The pushes of one command: known to one another before the first of them runs.

Apart from the pushes themselves, because every run asks for them, and few push.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kbtools.errors import UsageError

if TYPE_CHECKING:
    from kbtools.publish.target import License, PushPlan


@dataclass
class Together:
    """The pushes of one command, known to one another before the first of them runs."""

    plans: dict[tuple[str, str, str], PushPlan] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Where a repository that was asked for is really made, when the run is limited to a few rows."""

    def license_of(self, repo: str) -> License | None:
        """That of a repository that an earlier push will make."""
        return next((plan.license for plan in self.plans.values() if plan.place.repo == repo), None)

    def add(self, asked: str, config: str, plan: PushPlan) -> None:
        """UsageError when two pushes go to one place: the second would take the place of the first."""
        place = (plan.place.repo, plan.place.branch, config)
        if place in self.plans:
            raise UsageError(f"two pushes of this run go to {plan.place.repo}: give each a repository of its own.")
        self.plans[place] = plan
        self.names[asked] = plan.place.repo


known_pushes: ContextVar[Together | None] = ContextVar("known_pushes", default=None)
"""The pushes of the command that runs."""


@contextmanager
def together() -> Iterator[Together]:
    """Pushes that are planned in the body know of one another."""
    known = Together()
    before = known_pushes.set(known)
    try:
        yield known
    finally:
        known_pushes.reset(before)
