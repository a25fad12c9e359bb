"""The job that compiles launches, and what they need of a device."""

from __future__ import annotations

from kbtools_plugins.verify.protocol.message import Message
from kbtools_plugins.verify.protocol.roles import Role
from kbtools_plugins.verify.protocol.wire import Tree

PTX_TARGET = 80
"""What kernels are compiled for that the PTX machine runs, but for those with fp8 that came later."""


def architecture_name(target: int | str) -> str:
    """`sm_80` for 80, `gfx942` for itself."""
    return f"sm_{target}" if isinstance(target, int) else target


class Launch(Message):
    """A launch as a compiler looks at it."""

    kernel: str
    clean_name: str
    bound: dict[str, Tree]
    options: dict[str, Tree]
    targets: list[int | str]
    tuned: bool
    parsed: list[str] = []
    """Digests of what Triton parses for it in the candidate's own module, or how that failed."""


class CompileJob(Message):
    """Compile these launches for their targets."""

    source: str
    launches: list[Launch]
    spare: list[int | str] = []
    """Further targets for configurations of tuned kernels that do not fit theirs."""


class Usage(Message):
    """What one launch needs on one target."""

    kernel: str
    target: int | str
    registers: int | None = None
    shared_bytes: int | None = None
    spill_bytes: int | None = None


class CompileReply(Message):
    """What was compiled, up to the first error."""

    resources: list[Usage]
    passed_over: list[str] = []
    """Configurations of tuned kernels that do not fit, while another does."""
    features: list[str] = []
    """What the launches use that not every machine can run, as their code says."""
    never: list[int] = []
    """Numbers of those launches among the job's that fit no target: a tuner never picks them."""
    error: str = ""
    other_code: str = ""
    """Which kernel Triton makes other code of in the candidate's own module."""


COMPILE = Role("compile", CompileJob, CompileReply)
