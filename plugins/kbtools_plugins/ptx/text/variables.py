"""Variables in global, constant, shared and local memory, with their first values."""

import re

from kbtools_plugins.ptx.bits import WIDTHS
from kbtools_plugins.ptx.faults import BadText

from .kernel import Variable
from .operands import whole

VARIABLE = re.compile(
    r"\.(global|const|shared|local)((?:\s*\.\w+(?:\s+\d+)?)*?)\s*"
    r"\.(\w+)\s+([\w$]+)\s*((?:\[\d{0,12}\])*)\s*(?:=\s*(.*))?"
)
ALIGNMENT = re.compile(r"\.align\s+(\d{1,5})")


def variable(text: str) -> Variable:
    """A declaration without its semicolon; an array of unknown length takes 0 bytes."""
    found = VARIABLE.fullmatch(text)
    if not found or found[3] not in WIDTHS:
        raise BadText(f"{text!r} does not declare a variable")
    width = max(1, WIDTHS[found[3]] // 8)
    count = 1
    for length in re.findall(r"\[(\d*)\]", found[5]):
        count *= int(length or 0)
    aligned = ALIGNMENT.search(found[2])
    alignment = int(aligned[1]) if aligned else width
    if not 0 < alignment <= 1024 or alignment & (alignment - 1):
        raise BadText(f"{text!r} has an alignment that is not a power of two")
    return Variable(found[4], found[1], count * width, alignment, initial(found[6] or "", width))


def initial(text: str, width: int) -> bytes:
    """First values as bytes."""
    numbers = [part.strip() for part in text.strip("{} ").split(",") if part.strip()]
    mask = (1 << 8 * width) - 1
    return b"".join((whole(number) & mask).to_bytes(width, "little") for number in numbers)
