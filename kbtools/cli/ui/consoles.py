"""Where tables and rows are printed."""

from __future__ import annotations

import sys

from rich.console import Console

from kbtools.cli.ui.stdout import to_nowhere

_WIDE = 120


def console(*, stderr: bool = False) -> Console:
    """A console that is wide enough for tables when it is not a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    return _Console(stderr=stderr, width=None if stream.isatty() else _WIDE, highlight=False)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """The reader has gone (`| head`): the rest goes nowhere, and the exit code is still that of the work."""
        to_nowhere()
