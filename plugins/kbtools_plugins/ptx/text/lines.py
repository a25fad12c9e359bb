"""Source lines: `.loc` directives, followed through inlined functions to the kernel's own file."""

import re
from dataclasses import dataclass, field

from kbtools_plugins.ptx.faults import Line

LOC = re.compile(r"\.loc\s+(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})(?:.*?inlined_at\s+(\d{1,9})\s+(\d{1,9})\s+(\d{1,9}))?")
FILE = re.compile(r'\.file\s+(\d{1,9})\s+"([^"]*)"(?:\s*,?\s*"([^"]*)")?')

Place = tuple[int, int, int]
DEEPEST = 64
"""Calls that are followed: more than any kernel has, so that a circle in hostile text ends."""


@dataclass
class LineTable:
    """The line where the text is being read, for the instructions that come next."""

    files: dict[int, str] = field(default_factory=dict)
    callers: dict[Place, Place] = field(default_factory=dict)
    own: int | None = None
    """Number of the file that the kernel is in: that of its first `.loc`."""

    def start(self) -> None:
        """A new function begins."""
        self.own = None

    def read(self, directive: str) -> Line | None:
        """The line that a `.loc` names."""
        found = LOC.match(directive)
        if not found:
            return None
        file, line, column, *caller = (int(part) if part else None for part in found.groups())
        place = (file or 0, line or 0, column or 0)
        if caller[0] is not None:
            self.callers[place] = (caller[0], caller[1] or 0, caller[2] or 0)
        else:
            self.callers.pop(place, None)
        if self.own is None:
            self.own = place[0]
        return self.line(self.outer(place))

    def outer(self, place: Place) -> Place:
        """The innermost call that is in the kernel's own file, or the outermost of all."""
        for _ in range(DEEPEST):
            if place[0] == self.own or place not in self.callers:
                break
            place = self.callers[place]
        return place

    def line(self, place: Place) -> Line:
        """A place with the number of its file, which `.file` may name only at the end of the text."""
        return Line(str(place[0]), place[1], place[2])
