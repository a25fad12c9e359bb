"""Cuts PTX text into statements: labels, braces, directives that end with the line, and all that ends with `;`."""

import re
from collections.abc import Iterator
from enum import Enum

from kbtools_plugins.ptx.faults import BadText

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
SPACE = re.compile(r"[\s;]*")
LABEL = re.compile(r"([\w$%]+)\s*:(?!:)")
LINE = re.compile(r"(?:\.loc|\.file|@@DWARF)\b[^\n]*|\.pragma\b[^;\n]*;?")
STATEMENT = re.compile(r"[^;{}]+(?:\{[^{}]*\}[^;{}]*)*;")


class Cut(Enum):
    """What kind of piece a statement is."""

    LABEL = "label"
    OPEN = "{"
    CLOSE = "}"
    LINE = "line"
    STATEMENT = "statement"


def without_comments(text: str) -> str:
    """The text with each comment as one blank."""
    return COMMENT.sub(" ", text)


def statements(text: str, start: int) -> Iterator[tuple[Cut, str, int]]:
    """The pieces of a body that begins behind its `{`, up to the brace that closes it, and where each one ends."""
    at, depth = start, 1
    while depth:
        kind, piece, at = next_piece(text, at)
        depth += {Cut.OPEN: 1, Cut.CLOSE: -1}.get(kind, 0)
        yield kind, piece, at


def next_piece(text: str, at: int) -> tuple[Cut, str, int]:
    """Kind and text of the piece at a position, and where the next one begins."""
    space = SPACE.match(text, at)
    at = space.end() if space else at
    if at >= len(text):
        raise BadText("a function has no closing brace")
    if text[at] in "{}":
        return Cut(text[at]), text[at], at + 1
    if found := LINE.match(text, at):
        return Cut.LINE, found[0], found.end()
    if found := LABEL.match(text, at):
        return Cut.LABEL, found[1], found.end()
    if found := STATEMENT.match(text, at):
        return Cut.STATEMENT, " ".join(found[0][:-1].split()), found.end()
    raise BadText(f"a statement has no end: {text[at : at + 60]!r}")
