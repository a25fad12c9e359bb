"""Variables of the environment: heard by whichever way a candidate looks them up, and others on request.

`os.environ` is read by `in`, by iteration, by copies, and by functions of the standard library for their caller. So
not the places in the text are heard but the mapping itself, wherever nothing but that library lies between it and the
candidate.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

_LIBRARY = str(Path(os.__file__).parent)
_MORE = 1_000
"""How many more there seem to be, where there are others."""
TRITONS = "TRITON_INTERPRET"
"""With it Triton launches nothing on a device, whoever asks."""


class Told(Protocol):
    """Who is asked for what a candidate gets to see."""

    def variable(self, name: str, value: str | None) -> str | None:
        """The value of one, of which the true one is given; None for none."""

    def more_variables(self) -> tuple[str, ...]:
        """Names that are there beside the true ones."""


def hear(path: str, told: Told) -> None:
    """From now on the code of this file sees what it is told."""
    for variables in (os.environ, os.environb):
        variables.__class__ = _heard(path, told, type(variables))


def _heard(path: str, told: Told, kind: type[Any]) -> Any:
    class Heard(kind):  # type: ignore[misc]
        def __getitem__(self, key: Any) -> Any:
            try:
                value = super().__getitem__(key)
            except KeyError:
                value = None
            if _is_asked_by(path) and os.fsdecode(key) != TRITONS:
                text = told.variable(os.fsdecode(key), None if value is None else os.fsdecode(value))
                value = text if text is None or isinstance(key, str) else os.fsencode(text)
            if value is None:
                raise KeyError(key)
            return value

        def __delitem__(self, key: Any) -> None:
            try:
                super().__delitem__(key)
            except KeyError:
                if key not in self:
                    raise

        def __iter__(self) -> Iterator[Any]:
            yield from super().__iter__()
            more = told.more_variables() if _is_asked_by(path) else ()
            yield from (self.decodekey(os.fsencode(name)) for name in more)

        def __len__(self) -> int:
            more = _is_asked_by(path) and told.more_variables()
            return int(super().__len__()) + (_MORE if more else 0)

    Heard.__name__ = Heard.__qualname__ = kind.__name__
    Heard.__module__ = kind.__module__
    return Heard


def _is_asked_by(path: str) -> bool:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and _is_of_the_library(frame.f_code.co_filename):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename == path


def _is_of_the_library(file: str) -> bool:
    return file.startswith(("<frozen ", _LIBRARY)) and "site-packages" not in file
