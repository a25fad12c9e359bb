"""Kernels in every type and with every feature that Triton has for sm_80 and sm_89, each with its truth."""

from tests.plugins.ptx.corpus import (
    assembly,
    atomics,
    control,
    elementwise,
    loops,
    matmul,
    movement,
    numbers,
    reductions,
    scans,
    unusual,
)
from tests.plugins.ptx.harness import Case

MODULES = (elementwise, control, numbers, reductions, scans, matmul, movement, loops, atomics, assembly, unusual)
CASES: list[Case] = [case for module in MODULES for case in module.CASES]
