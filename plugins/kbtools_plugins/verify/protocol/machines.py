"""What kernels can run on, as far as a check has to know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kbtools_plugins.verify.protocol.reading import Kernel
from kbtools_plugins.verify.protocol.replaying import ReplayJob, ReplayReply
from kbtools_plugins.verify.protocol.roles import Role
from kbtools_plugins.verify.protocol.trace import Trace

Lacks = Callable[[Sequence[Kernel], Trace, frozenset[str]], str]
"""What a machine cannot decide on of kernels, a trace and the features of their code, as a kind of `unsupported`."""


def _nothing(kernels: Sequence[Kernel], trace: Trace, features: frozenset[str]) -> str:
    return ""


@dataclass(frozen=True)
class KernelRunner:
    """One of them."""

    name: str
    role: Role[ReplayJob, ReplayReply]
    elements: tuple[int, int]
    """Sizes of inputs and parameters that it does quickly, and at all."""
    programs: tuple[int, int]
    """Programs per forward above which only two sets of inputs are run, and those that are not run at all."""
    verdicts_say: str
    """Its name in verdicts."""
    job: str
    """The module of its job, below the package of verify."""
    process: str = "jit"
    """The warm process that its jobs are forked from."""
    environment: tuple[tuple[str, str], ...] = ()
    """Further variables of that process."""
    runs_ptx: bool = True
    """Whether it is given the PTX of each launch."""
    lacks: Lacks = _nothing
