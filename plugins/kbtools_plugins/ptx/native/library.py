"""The built library: made by the machine's own C compiler once, kept in the user's cache, and loaded from there.

Where there is no compiler, or it fails, there is none, and `state()` says why. What is loaded belongs to this user, and
nobody else can write to it.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from functools import cache
from pathlib import Path

FLAGS = ("-O2", "-ftree-vectorize", "-fvect-cost-model=dynamic", "-march=native", "-std=gnu11", "-shared", "-fPIC",
         "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fwrapv", "-fno-strict-aliasing")  # fmt: skip
"""Nothing among them lets a result change: errno and traps are what nobody looks at."""
CACHE = "KBTOOLS_PTX_CACHE"
"""Names the folder where libraries are kept, in place of the user's cache; empty asks for numpy alone."""
SECONDS = 300


@cache
def library() -> ctypes.CDLL | None:
    """The machine in C, or None where numpy has to do."""
    path, _ = found()
    return None if path is None else ctypes.CDLL(str(path))


def state() -> str:
    """Which machine runs, in words."""
    path, reason = found()
    return f"numpy alone: {reason}" if path is None else f"C, {path}"


@cache
def found() -> tuple[Path | None, str]:
    """Where the library is, built if need be; or why there is none."""
    if os.environ.get(CACHE) == "":
        return None, f"{CACHE} is empty"
    compiler = shutil.which("cc")
    if compiler is None:
        return None, "there is no C compiler (cc)"
    try:
        path = built(compiler)
        ctypes.CDLL(str(path))  # a folder from which nothing may be run is found here
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines() or [repr(error)]
        return None, f"{compiler} could not build what can be loaded: {said[-1]}"
    return path, ""


def outlook() -> tuple[bool, str]:
    """Whether a launch here would run in C, and in words, without building anything."""
    compiler = shutil.which("cc")
    if os.environ.get(CACHE) == "":
        return False, f"numpy alone: {CACHE} is empty"
    if compiler is None:
        return False, "numpy alone: there is no C compiler (cc)"
    return True, f"C, built by {compiler} for {default_folder()}"


def built(compiler: str) -> Path:
    """The library of this source, compiler and processor; made now if it is not there yet."""
    from .source import text  # the table, with numpy

    source = text()
    place = folder() / f"ptx-{digest(source, compiler)}.so"
    if place.exists() and own(place):
        return place
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        c, made = Path(scratch, "machine.c"), Path(scratch, "machine.so")
        c.write_text(source, encoding="utf-8")
        command = [compiler, *FLAGS, "-o", str(made), str(c), "-lm"]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)
        made.chmod(0o700)
        made.replace(place)
    return place


def digest(source: str, compiler: str) -> str:
    """Stands for all that the library depends on, without starting the compiler."""
    which = Path(compiler).resolve().stat()
    parts = (source, compiler, str(which.st_size), str(which.st_mtime_ns), *FLAGS, platform.machine(), processor())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def processor() -> str:
    """The instructions that this processor has, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line for line in lines if line.lower().startswith(("flags", "features"))), "")


def default_folder() -> Path:
    """`kbtools/ptx` in the user's cache, unless something else is asked for."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get(CACHE) or Path(cache) / "kbtools" / "ptx")


def folder() -> Path:
    """Where libraries are kept; only this user can write there."""
    path = default_folder()
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not own(path):
        raise PermissionError(f"{path} can be written to by others")
    return path


def own(path: Path) -> bool:
    """Whether a file is this user's, and nobody else can write to it."""
    status = path.stat()
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
