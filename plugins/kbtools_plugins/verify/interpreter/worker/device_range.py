"""Loops of interpreted kernels with the variable that a device has: a number of 32 or 64 bits.

The interpreter's own loop variable is one of Python's numbers, which never overflows and whose division rounds down:
a kernel could tell by it where it runs. Constants and `tl.static_range` are Python's on a device's side too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import triton.language as tl
from triton.runtime import interpreter as _triton


def device_range(first: Any, last: Any = None, step: Any = 1, **hints: object) -> Iterator[object]:
    """`range` and `tl.range` of a kernel; the hints are for the compiler."""
    if last is None:
        first, last = 0, first
    wide = any(getattr(bound, "dtype", None) in (tl.int64, tl.uint64) for bound in (first, last, step))
    kind, width = (tl.int64, np.int64) if wide else (tl.int32, np.int32)
    for number in range(int(first), int(last), int(step)):
        yield tl.tensor(_triton.TensorHandle(np.array([number], dtype=width), kind), kind)
