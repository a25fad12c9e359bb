"""What a verification depends on besides the two texts: one frozen object, part of every verdict's fingerprint."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from kbtools.errors import ConfigError
from kbtools_plugins.verify import devices

Tier = Literal["auto", "gpu", "cpu", "ptx"]
Target = Annotated[int, Field(ge=75)]
"""A compute capability that Triton compiles for, 80 for sm_80: a candidate is not to blame for one that it does not."""


class VerifySettings(BaseModel):
    """How a pair is checked."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    tier: Tier = "auto"
    """Where kernels run: gpu, cpu (Triton's interpreter), ptx (as PTX on the CPU), or auto (a GPU if there is one)."""
    targets: tuple[Target, ...] = (80, 90)
    """Compute capabilities that every launched kernel is compiled for, 80 for sm_80."""
    seeds: int = Field(2, ge=1)
    """Number of secret seeds that inputs are drawn from."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds that each process (reference, record, compile, replay) may take."""
    memory_gb: float = Field(default=4.0, gt=0)
    """Memory that each process may allocate on top of its imports."""
    allow: tuple[str, ...] = ()
    """Further torch operators a candidate may use on inputs, as in `aten.sum`."""
    strict_fallback: bool = False
    """Leave nothing to torch: even putting partial sums together is a fallback."""
    strict_mutation: bool = False
    """Hold a candidate to updating those inputs in place that its reference updates."""
    require_sandbox: bool = False
    """Fail instead of going on where seccomp or Landlock is missing."""
    seed: int | None = None
    """Where the secret seeds come from; unset, drawn anew for every pair. Writers of candidates must not know it."""
    time: bool = False
    """Measure the speedup (GPU tier only)."""


def on_gpu(settings: VerifySettings) -> bool:
    """Whether kernels run on a GPU; ConfigError if one is demanded and there is none."""
    present, why_none = (
        ((), f"--tier {settings.tier} uses none") if settings.tier in ("cpu", "ptx") else devices.found()
    )
    if settings.tier == "gpu" and not present:
        raise ConfigError(f"--tier gpu: {why_none}; use --tier cpu.")
    if settings.time and not present:
        raise ConfigError(f"--time needs a GPU, and {why_none}: leave --time out, or rewards would be no speedups.")
    return bool(present)
