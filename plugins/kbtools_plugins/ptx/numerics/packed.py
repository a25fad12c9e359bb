"""Two values in one register: an operation on each half."""

from collections.abc import Callable

from kbtools_plugins.ptx.bits import UNSIGNED, Bits

Operation = Callable[..., Bits]


def split(bits: Bits) -> tuple[Bits, Bits]:
    """The lower and the upper half of a register."""
    width = 4 * bits.itemsize
    half = UNSIGNED[width]
    return bits.astype(half), (bits >> bits.dtype.type(width)).astype(half)


def joined(low: Bits, high: Bits) -> Bits:
    """A register from its halves."""
    width = 8 * low.itemsize
    double = UNSIGNED[2 * width]
    return low.astype(double) | (high.astype(double) << double(width))


def halves(operation: Operation) -> Operation:
    """The same operation on both halves of all operands."""

    def both(*operands: Bits) -> Bits:
        parts = [split(bits) for bits in operands]
        return joined(operation(*(low for low, _ in parts)), operation(*(high for _, high in parts)))

    return both
