"""Names of what is being written, which say whose it is, and the removal of what processes left that were killed."""

from __future__ import annotations

import os
import platform
import shutil
import uuid
from pathlib import Path


def name_for(what: str) -> str:
    """A name that nobody else gives: of this process on this machine."""
    return f".{what}.{platform.node()}.{os.getpid()}.{uuid.uuid4().hex[:8]}"


def clear(folder: Path) -> None:
    """Remove what processes of this machine were writing in a folder when they died; of others nobody knows here."""
    for path in folder.glob(f".*.{platform.node()}.*") if folder.is_dir() else []:
        pid = path.name.split(".")[-2]
        if pid.isdecimal() and not _alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is somebody else's
    return True
