"""Kernels in every type and with every feature that Triton has for sm_80 and sm_89, each with its truth."""

from tests.plugins.ptx.corpus import (
    arranging,
    assembly,
    atomics,
    control,
    elementwise,
    loops,
    matmul,
    movement,
    numbers,
    products,
    reductions,
    scans,
    unusual,
)
from tests.plugins.ptx.harness import Case

MODULES = (
    elementwise,
    control,
    numbers,
    reductions,
    scans,
    matmul,
    movement,
    loops,
    atomics,
    assembly,
    arranging,
    products,
    unusual,
)
CASES: list[Case] = [case for module in MODULES for case in module.CASES]
