"""One lane by lane instruction, as it is in numpy (the reference) and in C."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kbtools_plugins.ptx.bits import Bits

Function = Callable[..., Bits]
Micro = tuple[str, tuple[int, ...], int]
"""A rule's name, the slots that it reads, and the one that it writes; below zero are places within one step."""
COPY = "copy"
"""In place of a rule where nothing is computed."""


@dataclass(frozen=True)
class Rule:
    """What an instruction does to raw bits; widths are in bits, 1 for predicates.

    In C the operands are `a` to `d`, unsigned and as wide as `sources` say, and helpers are in values.c. `*doubt` is
    set where the result is not sure, and numpy decides.
    """

    result: int
    sources: tuple[int, ...]
    function: Function
    c: str


def resized(slot: int, new: int, have: int, want: int, signed: bool) -> Micro:
    """The rule by which a register is cut or extended."""
    if have == want:
        return COPY, (slot,), new
    letter = "s" if signed and want > have else "u"
    return f"resize.{letter}{want}.{letter}{have}", (slot,), new
