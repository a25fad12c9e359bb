"""Which lines of the candidate's text have run: what stands in it and never runs is held against nobody.

And which exceptions went through it: one that tells that there is no device, caught, would tell where it is checked.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

NO_CUDA = (
    "without support for the specified device",
    "not compiled with CUDA",
    "NVIDIA driver",
    "has no attribute '_cuda",
    "can't allocate memory",
)
"""What torch says where the shim has no answer."""


class Lines:
    """Notes lines from when it is told to watch; a trace function can be taken out, which the audit reports."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: set[int] = set()
        self.no_cuda = ""
        """What an exception has said of the missing device."""

    @property
    def ran(self) -> list[int]:
        """The lines so far, in order."""
        return sorted(self._seen)

    def watch(self, wanted: bool) -> None:
        """Begin, if that is wanted: it makes Python slower."""
        if wanted:
            sys.settrace(self._called)

    def stop(self) -> None:
        """What runs from now on is not the candidate's own course."""
        sys.settrace(None)

    def _called(self, frame: FrameType, event: str, argument: object) -> Any:
        return self._ran if frame.f_code.co_filename == self._path else None

    def _ran(self, frame: FrameType, event: str, argument: object) -> object:
        self._seen.add(frame.f_lineno)
        if event == "exception" and isinstance(argument, tuple) and any(sign in str(argument[1]) for sign in NO_CUDA):
            self.no_cuda = f"line {frame.f_lineno}: {argument[1]}"
        return self._ran
