"""What a check has to know of Triton's interpreter, and what it cannot decide on there; imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from kbtools_plugins.verify.protocol.machines import KernelRunner
from kbtools_plugins.verify.protocol.reading import Kernel
from kbtools_plugins.verify.protocol.replaying import ReplayJob, ReplayReply
from kbtools_plugins.verify.protocol.roles import Role
from kbtools_plugins.verify.protocol.trace import Trace, refs

_AS_TRITON_SEES_IT = frozenset(["isinstance", "hasattr", "target_info", "is_cuda", "cuda_capability_geq"])
"""Words of kernels that see other types here than a compiler has."""


def _lacks(kernels: Sequence[Kernel], trace: Trace, features: frozenset[str]) -> str:
    words = frozenset(word for kernel in kernels for word in kernel.words)
    dtypes = {ref.dtype for step in trace.launches for ref in refs([*step.bound.values()])}
    if "bfloat16" in features | dtypes:
        return "bfloat16"
    if "float8" in features or any(dtype.startswith("float8") for dtype in dtypes):
        return "float8"
    if "libdevice" in features:
        return "libdevice"
    if words & _AS_TRITON_SEES_IT:
        return "target_dependent"
    return "inline_assembly" if "inline_assembly" in features else ""


INTERPRETER = KernelRunner(
    name="interpreter",
    role=Role("replay", ReplayJob, ReplayReply),
    elements=(2**18, 5 * 2**20),
    programs=(4_000, 40_000),
    verdicts_say="interpreter+compile",
    job="interpreter.worker.job",
    process="interpreter",
    environment=(("TRITON_INTERPRET", "1"),),
    runs_ptx=False,
    lacks=_lacks,
)
