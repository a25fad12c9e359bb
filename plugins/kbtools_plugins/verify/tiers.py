"""What kernels run on. The only module that knows the tier that goes after this release (interpreter/)."""

from __future__ import annotations

from typing import Literal

from kbtools_plugins.verify.interpreter.tier import INTERPRETER
from kbtools_plugins.verify.protocol.machines import KernelRunner
from kbtools_plugins.verify.protocol.replaying import GPU as GPU_ROLE
from kbtools_plugins.verify.protocol.replaying import PTX as PTX_ROLE

Tier = Literal["auto", "gpu", "cpu", "ptx", "interpreter"]
"""`cpu` is what there is without a GPU, which is `ptx`."""

GPU = KernelRunner(
    name="gpu",
    role=GPU_ROLE,
    elements=(2**22, 2**22),  # what travels between processes, and the reference's float64 run on a CPU
    programs=(2**62, 2**62),
    verdicts_say="gpu",
    job="worker.gpu.job",
)
PTX = KernelRunner(
    name="ptx",
    role=PTX_ROLE,
    elements=(2**18, 5 * 2**20),
    programs=(100_000, 1_000_000),
    verdicts_say="ptx",
    job="worker.ptx.job",
)
"""One of 128 threads that adds 1,024 numbers took 27 us, one that makes a softmax of them 58 us
(`benchmarks/ptx_limits.py`): some 15 runs of 100,000 programs take 40 to 87 s."""
MACHINES = (GPU, PTX, INTERPRETER)
CPU: dict[str, KernelRunner] = {PTX.name: PTX, INTERPRETER.name: INTERPRETER}
"""Those that need no GPU, by the tier that asks for them; other tiers have `PTX`."""
