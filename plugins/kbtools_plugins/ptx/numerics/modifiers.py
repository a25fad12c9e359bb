"""What stands between an opcode and its types: rounding, flushing, clamping. Chosen once, when a kernel is decoded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Modifiers:
    """The modifiers of one instruction; `rounding` is "" for the default of the instruction."""

    rounding: str = ""
    ftz: bool = False
    saturate: bool = False
    satfinite: bool = False
    relu: bool = False
    nan: bool = False
    approximate: bool = False
    xorsign: bool = False
    full: bool = False
    """`div.full`, which scales its operands: right for large divisors, too."""


PLAIN = Modifiers()
