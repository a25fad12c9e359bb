"""The type of paths on the command line, for our own commands and those of plugins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kbtools.data.io.source import local_path

if TYPE_CHECKING:
    import os


class PathType(click.Path):
    """A path in which `~` is the home folder, wherever the shell has left it there, as after `--out=`."""

    def __init__(self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(exists=exists, file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """The path itself."""
        return super().convert(local_path(str(value)), param, ctx)
