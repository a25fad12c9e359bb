"""The feedback `verify`: between the turns of a conversation, the verdict on an answer and what its writer may be told.

A model is told what its verdict means and what was found, without values of outputs and without anything that is about
the reference or about this machine; those verdicts end the conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import field_validator

from kbtools.data.tasks import defined
from kbtools.feedback import Assessment, Attempt, Feedback
from kbtools_plugins.feedback import finding
from kbtools_plugins.verify.check_options import CheckOptions
from kbtools_plugins.verify.checked import require_machine, verdicts
from kbtools_plugins.verify.explain import meaning
from kbtools_plugins.verify.reward import check_formula, reward_of

if TYPE_CHECKING:
    from kbtools_plugins.verify.verdict import Verification

KILLED = "unsupported:killed"
_NOT_THE_CANDIDATES = ("reference_error", "reference_unfit", "unsupported")


class VerifyFeedback(CheckOptions, Feedback):
    """Check each answer as the stage verify does."""

    name: ClassVar[str] = "verify"

    @field_validator("targets", "allow", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    def preflight(self) -> None:
        """MissingExtra, ConfigError and UsageError for what is not installed, not there, or not a formula."""
        if self.reward:
            check_formula(self.reward)
        require_machine(self.settings())

    def assess(self, attempts: Sequence[Attempt]) -> Iterable[Assessment | None]:
        """All at once; a check whose processes were killed says nothing of the answer."""
        from kbtools_plugins.verify.pool import Pair

        pairs = [
            Pair(attempt.reference_code, attempt.answer, defined(attempt.reference_code, attempt.module_name or None))
            for attempt in attempts
        ]
        found = verdicts(pairs, self.settings(), self.workers, self.store, lambda verdict: None)
        return [None if verdict.verdict == KILLED else self._assessed(verdict) for verdict in found]

    def _assessed(self, verdict: Verification) -> Assessment:
        if verdict.verdict.partition(":")[0] in _NOT_THE_CANDIDATES:
            return Assessment(verdict=verdict.verdict, passed=None, reward=None)
        reward = reward_of(self.reward, verdict) if self.reward else verdict.reward
        if verdict.passed:
            return Assessment(verdict=verdict.verdict, passed=True, reward=reward)
        told = f"{meaning(verdict.verdict)}\n{finding(verdict.verdict, verdict.error)}".strip()
        if verdict.max_error is not None:
            told += f"\nThe largest error is {verdict.max_error:.1e} of the output's scale."
        return Assessment(verdict=verdict.verdict, passed=False, reward=reward, finding=told)
