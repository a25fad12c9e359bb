"""The door of `text`: a PTX text becomes a `Module` of functions and variables."""

import re

from kbtools_plugins.ptx.bits import WIDTHS
from kbtools_plugins.ptx.faults import BadText

from .body import Body
from .kernel import DeviceFunction, Module, Parameter
from .lines import FILE, LineTable
from .operands import split, whole
from .statements import without_comments
from .variables import variable

HEADER = re.compile(r"\.version\s+([\d.]+)\s+\.target\s+([\w, ]+?)\s+\.address_size\s+(\d+)")
KEYWORD = re.compile(r"\.(entry|func|global|const|shared|section)\b")
FUNCTION = re.compile(r"\.(entry|func)\s*(?:\(([^()]*)\)\s*)?([\w$]+)\s*(?:\(([^()]*)\))?([^{};]*)([{;])")
VARIABLE = re.compile(r"\.\w+\b[^;{}]*(?:\{[^{}]*\}[^;{}]*)?;")
PARAMETER = re.compile(r"\.param\s+(?:\.align\s+\d+\s+)?\.(\w+)\b(.*?)\s*([\w$]+)(?:\[(\d{1,9})\])?")
THREADS = re.compile(r"\.reqntid\s+(\w+)(?:\s*,\s*(\w+))?(?:\s*,\s*(\w+))?")
LONGEST = 1 << 26
MOST_STATEMENTS = 100_000
"""Each takes some 0.1 ms; Triton's largest kernels have a tenth of it."""


def parse(text: str) -> Module:
    """Functions and variables of a PTX text, debug sections left out."""
    if len(text) > LONGEST:
        raise BadText(f"the text has more than {LONGEST} characters")
    if text.count(";") > MOST_STATEMENTS:
        raise BadText(f"the text has more than {MOST_STATEMENTS} statements")
    files = {int(found[1]): found[3] or found[2] for found in FILE.finditer(text)}
    text = without_comments(text)
    header = HEADER.search(text)
    if not header or header[3] != "64":
        raise BadText("the text has no .version, .target and .address_size 64")
    module = Module(header[1], header[2].split(",")[0], {}, [], files)
    read_module(text, header.end(), module)
    return module


def read_module(text: str, at: int, module: Module) -> None:
    """All that is outside of functions, in order."""
    lines = LineTable()
    while found := KEYWORD.search(text, at):
        if found[1] == "section":
            return
        whole = (FUNCTION if found[1] in ("entry", "func") else VARIABLE).match(text, found.start())
        if not whole:
            raise BadText(f"{text[found.start() : found.start() + 60]!r} is not a function or a variable")
        if whole.re is VARIABLE:
            module.variables.append(variable(" ".join(whole[0][:-1].split())))
            at = whole.end()
        else:
            at = function(text, whole, module, lines)


def function(text: str, found: re.Match[str], module: Module, lines: LineTable) -> int:
    """One function; where the text goes on behind it."""
    made = DeviceFunction(found[3], found[1] == "entry")
    made.parameters = [parameter(part) for part in split(found[4] or "")]
    made.results = [parameter(part) for part in split(found[2] or "")]
    made.threads = threads(found[5])
    if found[6] == ";":
        return found.end()
    if made.name in module.functions:
        raise BadText(f"there are two functions {made.name}")
    module.functions[made.name] = made
    return Body(made, lines).read(text, found.end())


def threads(attributes: str) -> tuple[int, int, int] | None:
    """Threads of a program in three directions, where `.reqntid` says them."""
    found = THREADS.search(attributes)
    return (whole(found[1]), whole(found[2] or "1"), whole(found[3] or "1")) if found else None


def parameter(text: str) -> Parameter:
    """A parameter: `.param .u64 .ptr .global .align 1 name` or `.param .align 8 .b8 name[24]`."""
    found = PARAMETER.fullmatch(" ".join(text.split()))
    if not found or found[1] not in WIDTHS:
        raise BadText(f"{text!r} is not a parameter")
    return Parameter(found[3], found[1], WIDTHS[found[1]] // 8 * int(found[4] or 1))
