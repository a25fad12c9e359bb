"""What a plugin offers under a name: a class that is there already, or where one is, imported when it is first used."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Offer(Generic[T_co]):
    """A stage, judge, feedback or layout of rollouts by the name that users write."""

    name: str
    path: str
    """Where it is, as `package.module:Name`."""
    given: T_co | None = None
    """The thing itself, from a hook that returned no offer but what it had imported."""

    @property
    def python(self) -> str:
        """Its name in Python."""
        return self.path.rpartition(":")[2]

    def get(self) -> T_co:
        """The thing itself; whatever importing its module raises."""
        if self.given is not None:
            return self.given
        module, _, name = self.path.partition(":")
        found: T_co = getattr(importlib.import_module(module), name)
        return found

    def is_of(self, thing: object) -> bool:
        """Whether this is what is offered; nobody can hold a class of a module that was never imported."""
        module, _, name = self.path.partition(":")
        held = self.given if self.given is not None else getattr(sys.modules.get(module), name, None)
        return held is thing
