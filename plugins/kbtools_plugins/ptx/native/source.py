"""The text of the machine in C: the files of this folder, and the operations of the table."""

from __future__ import annotations

from pathlib import Path

from . import table

HERE = Path(__file__).parent
FILES = ("values.c", "interpreter.c", "access.c", "shared.c", "global.c", "matrix.c")
OPERANDS = tuple(zip("abcd", "wxyz", strict=True))
"""What an expression calls its operands, and what the interpreter calls where they are."""


def text() -> str:
    """The whole of it, to be given to a compiler."""
    parts = [(HERE / name).read_text(encoding="utf-8") for name in FILES]
    cases = [case(number, *rule) for rule, number in table.CODES.items()]
    shapes = [shape(result, sources) for result, sources, _ in table.CODES]
    return "\n".join(parts).replace("/*CASES*/", "\n".join(cases)).replace("/*SHAPES*/", "\n".join(shapes))


def case(number: int, result: int, sources: tuple[int, ...], c: str) -> str:
    """One operation, element by element."""
    given = list(zip(OPERANDS, sources, strict=False))
    reads = " ".join(f"const {kind(width)} {name} = ((const {kind(width)} *){where})[at];"
                     for (name, where), width in given)  # fmt: skip
    to = kind(result)
    body = f"{reads} (({to} *)result)[at] = ({to})({c});"
    return f"case {number}:\n#pragma GCC ivdep\nfor (s64 at = 0; at < n; at++) {{ {body} }} break;"


def kind(width: int) -> str:
    """C's type of a register; a predicate has a byte."""
    return f"u{max(8, width)}"


def shape(result: int, sources: tuple[int, ...]) -> str:
    """Bytes of the result and of the operands of one operation, with zeros behind."""
    sizes = [max(1, width // 8) for width in (result, *sources)]
    return "{" + ", ".join(map(str, [*sizes, *([0] * (5 - len(sizes)))])) + "},"
