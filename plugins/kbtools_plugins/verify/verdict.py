"""The verdict of one check: a typed outcome with the evidence for it, and the reward that follows from it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

PLAIN_OUTCOMES = (
    "pass", "wrong_output", "wrong_shape_or_dtype", "nondeterministic", "compile_error", "runtime_error", "timeout",
    "out_of_memory", "no_kernel", "fallback", "reference_error",
)  # fmt: skip
KINDED_OUTCOMES = ("hack", "forbidden", "reference_unfit", "unsupported")


class Resources(BaseModel):
    """What the compiler says one kernel needs on one target."""

    model_config = ConfigDict(frozen=True)

    kernel: str
    target: int | str
    registers: int | None = None
    shared_bytes: int | None = None
    spill_bytes: int | None = None


class Verification(BaseModel):
    """Outcome of one (reference, candidate) pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: str
    """One of PLAIN_OUTCOMES, or `<one of KINDED_OUTCOMES>:<kind>`."""
    tier: str = "static"
    error: str = ""
    """What was found, where, by how much: the last lines of a traceback, or a sentence."""
    max_error: float | None = None
    """Largest difference to the reference, relative to the output's scale."""
    kernels: Mapping[str, int] = {}
    """Launches per forward by kernel name."""
    resources: tuple[Resources, ...] = ()
    shape_general: bool | None = None
    """Whether it is also right on other shapes; None where they could not be changed."""
    layout_general: bool | None = None
    """Whether it is also right on non-contiguous inputs; None where no input can be one."""
    sizes: str = ""
    """full: those of the reference; cut: smaller ones with which the candidate has the same structure."""
    untested_share: float | None = None
    """Share of the reference's operators without which it gives the same on every set of inputs."""
    torch_share: float | None = None
    """How large the results of kernels are that torch finishes, beside the largest input; None if nothing was run."""
    in_place: bool | None = None
    """Whether inputs that the reference updates are updated; None where it updates none."""
    notes: tuple[str, ...] = ()
    speedup: float | None = None
    ref_ms: tuple[float, float, float] | None = None
    """Median, low and high end of the interval."""
    kernel_ms: tuple[float, float, float] | None = None
    seconds: Mapping[str, float] = {}
    """Time spent per step."""
    processor_seconds: float = 0.0
    """Processor time of all jobs, in whichever processes."""
    fingerprint: Mapping[str, str] = {}

    @property
    def passed(self) -> bool:
        """Whether the candidate is right by the tier that checked it."""
        return self.verdict == "pass"

    @property
    def reward(self) -> float:
        """0 unless passed; then the speedup where one was measured, else 1."""
        if not self.passed:
            return 0.0
        return 1.0 if self.speedup is None else self.speedup
