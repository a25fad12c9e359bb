"""The job that compiles launches, and what they need of a device."""

from __future__ import annotations

from kbtools_plugins.verify.protocol.message import ProcessMessage
from kbtools_plugins.verify.protocol.roles import Role
from kbtools_plugins.verify.protocol.wire import Tree

CACHES = ("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
"""Variables that name where compiled kernels are kept."""
PTX_TARGET = 80
"""What kernels are compiled for that the PTX machine runs, but for those with fp8 that came later."""


def architecture_name(target: int | str) -> str:
    """`sm_80` for 80, `gfx942` for itself."""
    return f"sm_{target}" if isinstance(target, int) else target


class Launch(ProcessMessage):
    """A launch as a compiler looks at it."""

    kernel: str
    clean_name: str
    bound: dict[str, Tree]
    options: dict[str, Tree]
    targets: list[int | str]
    tuned: bool
    optional: bool = False
    """Whether only a label depends on it: it need not compile."""
    parsed: list[str] = []
    """Digests of what Triton parses for it in the candidate's own module, or how that failed."""


class LaunchProgram(ProcessMessage):
    """The text of a launch's kernel, and what the launch needs beside its arguments."""

    name: str
    target: int | str
    """That it was compiled for: another than was asked for if that one lacks the kernel's types."""
    text: str
    fused: str
    """With multiplications and additions made one; empty where that is no choice."""
    parameters: dict[str, Tree]
    num_warps: int
    shared_bytes: int
    scratch_bytes: int


class CompileJob(ProcessMessage):
    """Compile these launches for their targets."""

    source: str
    launches: list[Launch]
    spare: list[int | str] = []
    """Further targets for configurations of tuned kernels that do not fit theirs."""
    runs: bool = False
    """Whether the PTX machine is to run them: their programs are wanted."""
    assembles: bool = True
    """Whether binaries are wanted; if not, only tuned kernels get one: a tuner passes over what no assembler takes."""
    devices: list[int] = []
    """Targets that are compiled into Triton's cache as well: those of devices that are there."""
    known: list[LaunchProgram | None] = []
    """The programs of these launches, if there were such before."""


class LaunchUsage(ProcessMessage):
    """What one launch needs on one target."""

    kernel: str
    target: int | str
    registers: int | None = None
    shared_bytes: int | None = None
    spill_bytes: int | None = None


class CompileReply(ProcessMessage):
    """What was compiled, up to the first error."""

    resources: list[LaunchUsage]
    passed_over: list[str] = []
    """Configurations of tuned kernels that do not fit, while another does."""
    features: list[str] = []
    """What the launches use that not every machine can run, as their code says."""
    never: list[int] = []
    """Numbers of those launches among the job's that fit no target: a tuner never picks them."""
    programs: list[LaunchProgram | None] = []
    """For each launch what the PTX machine runs, if that was asked for."""
    error: str = ""
    other_code: str = ""
    """Which kernel Triton makes other code of in the candidate's own module."""


COMPILE = Role("compile", CompileJob, CompileReply)
