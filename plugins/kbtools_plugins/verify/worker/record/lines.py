"""Which lines of the candidate's text have run: what stands in it and never runs is held against nobody."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any


class Lines:
    """Notes lines from when it is told to watch; a trace function can be taken out, which the audit reports."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: set[int] = set()

    @property
    def ran(self) -> list[int]:
        """The lines so far, in order."""
        return sorted(self._seen)

    def watch(self, wanted: bool) -> None:
        """Begin, if that is wanted: it makes Python slower."""
        if wanted:
            sys.settrace(self._called)

    def _called(self, frame: FrameType, event: str, argument: object) -> Any:
        return self._ran if frame.f_code.co_filename == self._path else None

    def _ran(self, frame: FrameType, event: str, argument: object) -> object:
        self._seen.add(frame.f_lineno)
        return self._ran
