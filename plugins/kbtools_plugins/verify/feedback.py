"""The feedback `verify`: between the turns of a conversation, the verdict on an answer and what its writer may be told.

A model is told what its verdict means and what was found, without values of outputs and without anything that is about
the reference or about this machine; those verdicts end the conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from kbtools.data.tasks import defined
from kbtools.feedback import Assessment, Attempt, Feedback
from kbtools_plugins.feedback import finding
from kbtools_plugins.verify.checked import require_machine, verdicts
from kbtools_plugins.verify.explain import meaning
from kbtools_plugins.verify.reward import check_formula, reward_of
from kbtools_plugins.verify.settings import Target, Tier, VerifySettings

if TYPE_CHECKING:
    from kbtools_plugins.verify.verdict import Verification

KILLED = "unsupported:killed"
_NOT_THE_CANDIDATES = ("reference_error", "reference_unfit", "unsupported")


class VerifyFeedback(Feedback):
    """Check each answer as the stage verify does."""

    name: ClassVar[str] = "verify"

    workers: int = Field(2, ge=1)
    """Answers that are checked at a time; with an engine, as many as it has workers."""
    timeout: float = Field(60.0, gt=0)
    """Seconds that each process of one check may take."""
    tier: Tier = "auto"
    """Where kernels run: gpu, cpu (Triton's interpreter), ptx (as PTX on the CPU), or auto (a GPU if there is one)."""
    targets: tuple[Target, ...] = (80, 90)
    """Compute capabilities that each kernel must compile for, as in 80,90."""
    seeds: int = Field(2, ge=1)
    """Sets of secret random inputs."""
    seed: int | None = None
    """Makes those inputs the same in every run; the model must not know it."""
    allow: tuple[str, ...] = ()
    """Further torch operators a candidate may use, as in aten.sum."""
    time: bool = False
    """Measure the speedup and reward with it (GPU only)."""
    require_sandbox: bool = False
    """Fail where seccomp or Landlock is missing."""
    reward: str = ""
    """Formula for the reward over the verdict's fields, as of the stage verify."""
    store: str = ""
    """File that keeps verdicts; by default KBTOOLS_VERDICTS, or verdicts.sqlite in the user's data directory."""

    @field_validator("targets", "allow", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    def preflight(self) -> None:
        """MissingExtra, ConfigError and UsageError for what is not installed, not there, or not a formula."""
        if self.reward:
            check_formula(self.reward)
        require_machine(self._settings())

    def assess(self, attempts: Sequence[Attempt]) -> Iterable[Assessment | None]:
        """All at once; a check whose processes were killed says nothing of the answer."""
        from kbtools_plugins.verify.pool import Pair

        pairs = [
            Pair(attempt.reference_code, attempt.answer, defined(attempt.reference_code, attempt.module_name or None))
            for attempt in attempts
        ]
        found = verdicts(pairs, self._settings(), self.workers, self.store, lambda verdict: None)
        return [None if verdict.verdict == KILLED else self._assessed(verdict) for verdict in found]

    def _settings(self) -> VerifySettings:
        shared = {name: getattr(self, name) for name in VerifySettings.model_fields if name in type(self).model_fields}
        return VerifySettings(**shared)

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
