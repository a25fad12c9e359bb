"""Tags of bytes in shared memory: barrier epoch, warp and step of the last write (and of the last read) in one number.

Two warps that touch a byte within one epoch, one of them writing, race.
"""

from __future__ import annotations

from kbtools_plugins.ptx.bits import Bits

STEP_BITS, WARP_BITS = 20, 7
MANY = (1 << WARP_BITS) - 1
"""In place of the warp where several have read."""
ATOMIC = MANY - 1
"""In place of the warp after an atomic operation, which several may do at once."""


def clash(found: Bits, own: Bits) -> Bits:
    """Where a tag is of this epoch and of another warp."""
    warp = found >> STEP_BITS & MANY
    same_epoch = (found >> (STEP_BITS + WARP_BITS)) == (own >> (STEP_BITS + WARP_BITS))
    return same_epoch & (warp != (own >> STEP_BITS & MANY)) & (warp != 0)
