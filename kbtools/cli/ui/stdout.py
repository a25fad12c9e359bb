"""Standard output as it is met in the wild: a reader that has gone, an encoding that lacks our characters."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heard_or_not() -> Iterator[None]:
    """When the reader of what the body prints has gone (`| head`), the body ends quietly: what was done is done."""
    try:
        yield
    except BrokenPipeError:
        to_nowhere()


def to_nowhere() -> None:
    """Let everything that is printed from now on go nowhere, without further errors."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def spell_out() -> None:
    """Characters that the terminal's encoding lacks are spelled out (\\u2713) instead of ending the program."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
