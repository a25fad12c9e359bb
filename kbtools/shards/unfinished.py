"""Names of what is being written, which say whose it is, and the removal of what processes left that were killed."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from kbtools.data.processes import here, is_running


def name_for(what: str) -> str:
    """A name that nobody else gives: of this process on this machine."""
    return f".{what}.{here()}.{os.getpid()}.{uuid.uuid4().hex[:8]}"


def clear(folder: Path) -> None:
    """Remove what processes of this machine were writing in a folder when they died; of others nobody knows here."""
    for path in folder.glob(f".*.{here()}.*") if folder.is_dir() else []:
        pid = path.name.split(".")[-2]
        if pid.isdecimal() and not is_running(int(pid)):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
