"""What checks answers while a conversation goes on: an attempt in, an assessment out, part of which the model is told.

A stage that asks in several turns gives attempts, keeps every assessment, and puts its finding into the next message. A
plugin offers classes of its own with the hook `register_feedback`; `verify` comes with kbtools.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Attempt(BaseModel):
    """One answer, and what it is held against."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    module_name: str
    reference_code: str
    answer: str
    """What the model said, without its reasoning; code may stand in tags or fences."""


class Assessment(BaseModel):
    """What was found of an attempt."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    verdict: str
    passed: bool | None
    """Whether the answer is right, which ends the conversation; None where nobody can tell, which ends it too."""
    reward: float | None
    finding: str = ""
    """What the model is told besides the verdict. Never the reference's code, expected values, or secret inputs."""


class Feedback(BaseModel, ABC):
    """A way to check answers; its fields are its options, given as NAME=VALUE."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    name: ClassVar[str]
    """What users write to get it."""

    @classmethod
    def registered_name(cls) -> str:
        """The name under which plugins offer this class."""
        return cls.name

    def preflight(self) -> None:
        """What can be known to fail is found here, before any request is paid for."""
        return

    def version(self) -> str:
        """What an assessment depends on besides the fields and the attempt; by default the code of the plugin."""
        return ""

    @abstractmethod
    def assess(self, attempts: Sequence[Attempt]) -> Iterable[Assessment | None]:
        """The assessments in the order of the attempts; None where the check itself failed.

        Each is kept as it is given, and its attempt never comes again; where the check failed, a later run repeats it.
        """
