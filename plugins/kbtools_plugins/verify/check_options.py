"""How the stage `verify` and the feedback of that name have pairs checked: the options that both of them have."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from kbtools_plugins.verify.settings import Target, VerifySettings
from kbtools_plugins.verify.tiers import Tier


class CheckOptions(BaseModel):
    """The options of checks."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    workers: int = Field(2, ge=1)
    """Pairs that are checked at a time; with an engine, as many as it has workers."""
    timeout: float = Field(60.0, gt=0)
    """Seconds that each process of one check may take."""
    tier: Tier = "auto"
    """Where kernels run: gpu, ptx or cpu (as PTX, on the CPU), or auto (a GPU if there is one)."""
    targets: tuple[Target, ...] = (80, 90)
    """What each kernel must compile for: compute capabilities and architectures of AMD, as in 80,90,gfx942."""
    seeds: int = Field(2, ge=1)
    """Sets of secret random inputs."""
    seed: int | None = None
    """Makes those inputs the same in every run; whoever writes candidates must not know it."""
    allow: tuple[str, ...] = ()
    """Further torch operators a candidate may use, as in aten.sum."""
    time: bool = False
    """Measure the speedup and reward with it (GPU only)."""
    require_sandbox: bool = False
    """Fail where seccomp or Landlock is missing, instead of noting it."""
    reward: str = ""
    """Formula for the reward over the verdict's fields, as in "passed * (1.0 if shape_general else 0.5)"."""
    store: str = ""
    """File that keeps verdicts; by default KBTOOLS_VERDICTS, or verdicts.sqlite in the user's data directory."""

    def settings(self) -> VerifySettings:
        """The settings of each check."""
        shared = VerifySettings.model_fields.keys() & type(self).model_fields.keys()
        return VerifySettings(**{name: getattr(self, name) for name in shared})
