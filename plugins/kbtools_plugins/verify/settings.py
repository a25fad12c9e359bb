"""What a verification depends on besides the two texts: one frozen object, part of every verdict's fingerprint."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from kbtools.errors import ConfigError
from kbtools_plugins.verify import devices
from kbtools_plugins.verify.protocol.machines import KernelRunner
from kbtools_plugins.verify.tiers import CPU, GPU, PTX, Tier

_OLDEST = 75


def target(text: object) -> int | str:
    """80 for "80", "gfx942" for itself; ValueError for what Triton does not compile for."""
    if isinstance(text, str) and re.fullmatch("gfx[0-9a-f]{3,4}", text):
        return text
    if str(text).isdecimal() and int(str(text)) >= _OLDEST:
        return int(str(text))
    raise ValueError(f"{text!r} is not a target such as gfx942, 80 or 90, at least {_OLDEST}")


Target = Annotated[int | str, BeforeValidator(target)]
"""What Triton compiles for, 80 for sm_80 or gfx942: a candidate is not to blame for one that it does not."""


class VerifySettings(BaseModel):
    """How a pair is checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tier: Tier = "auto"
    """Where kernels run: gpu, ptx or cpu (as PTX, on the CPU), or auto (a GPU if there is one, else ptx)."""
    targets: tuple[Target, ...] = (80, 90)
    """What every launched kernel is compiled for: compute capabilities, 80 for sm_80, and architectures of AMD."""
    seeds: int = Field(2, ge=1)
    """Number of secret seeds that inputs are drawn from."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds that each process (reference, record, compile, replay) may take."""
    memory_gb: float = Field(default=4.0, gt=0)
    """Memory that each process may allocate on top of its imports."""
    strict_fp32: bool = False
    """Hold float32 results of `tl.dot` in tf32, which is Triton's default, to float32's tolerance."""
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


def machine(settings: VerifySettings) -> KernelRunner:
    """What kernels run on; ConfigError if a GPU is demanded and there is none."""
    return GPU if on_gpu(settings) else CPU.get(settings.tier, PTX)


def on_gpu(settings: VerifySettings) -> bool:
    """Whether kernels run on a GPU; ConfigError if one is demanded and there is none."""
    without = settings.tier not in ("auto", "gpu")
    present, why_none = ((), f"--tier {settings.tier} uses none") if without else devices.found()
    if settings.tier == "gpu" and not present:
        raise ConfigError(f"--tier gpu: {why_none}; use --tier ptx.")
    if settings.time and not present:
        raise ConfigError(f"--time needs a GPU, and {why_none}: leave --time out, or rewards would be no speedups.")
    return bool(present)
