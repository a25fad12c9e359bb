"""Operations one of whose operands is known when the kernel is decoded."""

from __future__ import annotations

import numpy as np

from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.instructions.lanewise import Function


def shift(name: str, kind: str, amount: int) -> Function:
    """shl and shr by less than the width."""
    plain, signed = UNSIGNED[WIDTHS[kind]], SIGNED[WIDTHS[kind]]
    if name == "shl":
        return lambda a, _: a << plain(amount)
    if kind[0] == "s":
        return lambda a, _: (a.view(signed) >> signed(amount)).view(plain)
    return lambda a, _: a >> plain(amount)


def permutation(selector: int) -> Function:
    """prmt that asks for no signs."""
    picks = [selector >> 4 * at & 7 for at in range(4)]

    def function(a: Bits, b: Bits, _: Bits) -> Bits:
        result = np.zeros((1, 1), np.uint32)
        for at, pick in enumerate(picks):
            byte = (a if pick < 4 else b) >> np.uint32(8 * (pick & 3)) & np.uint32(0xFF)
            result = result | byte << np.uint32(8 * at)
        return result

    return function


def table(rows: int) -> Function:
    """lop3: a bit of the table for each combination of three bits."""
    wanted = [(at >> 2 & 1, at >> 1 & 1, at & 1) for at in range(8) if rows >> at & 1]

    def function(a: Bits, b: Bits, c: Bits, _: Bits) -> Bits:
        result = np.zeros((1, 1), np.uint32)
        for x, y, z in wanted:
            result = result | ((a if x else ~a) & (b if y else ~b) & (c if z else ~c))
        return result

    return function
