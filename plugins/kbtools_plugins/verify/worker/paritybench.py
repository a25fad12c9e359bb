"""What KernelBook rows import and no installation has: `_paritybench_helpers`, and the grids of an older Inductor."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import ModuleType


class MockConfig:
    """Holds whatever it is given as attributes; missing ones are an AttributeError, as with the original."""

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)


def install(code: str) -> None:
    """Make `from _paritybench_helpers import _mock_config` work in this process, and an older Inductor's `grid`."""
    module = ModuleType("_paritybench_helpers")
    module.__dict__.update(_mock_config=MockConfig, MockConfig=MockConfig)
    sys.modules["_paritybench_helpers"] = module
    if "triton_heuristics" in code:
        from torch._inductor.runtime import triton_heuristics

        triton_heuristics.__dict__.setdefault("grid", grid)


def grid(*sizes: int) -> Callable[[Mapping[str, int]], tuple[int, ...]]:
    """The programs that cover these sizes, the last of which is the first dimension, as torch had it up to 2.6."""

    def programs(meta: Mapping[str, int]) -> tuple[int, ...]:
        blocks = (meta.get(f"{name}BLOCK", 1) for name in "XYZ")
        return tuple(-(-size // block) for size, block in zip(reversed(sizes), blocks, strict=False))

    return programs
