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


def open_closed() -> None:
    """Where a shell or a service has closed a standard stream (`>&-`), what is printed there goes nowhere.

    Else the next file that is opened, a dataset, would have the stream's number.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115 - by number


def spell_out() -> None:
    """Characters that the terminal's encoding lacks are spelled out (\\u2713) instead of ending the program."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
