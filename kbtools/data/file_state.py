"""Whether a file is still what it was: how it looks from outside, and the digest of its content."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from threading import Event
from typing import NamedTuple

from kbtools.errors import DataError

_SECONDS_THAT_SHOW = 2.0
"""File systems count time in steps of at most so much: an older file has another time once somebody writes to it."""
_PIECE = 1 << 20


class FileState(NamedTuple):
    """What a file looks like from outside; `quiet` where its last write is so long ago that another would show."""

    inode: int
    size: int
    written: int
    changed: int
    quiet: bool

    @classmethod
    def of(cls, path: Path) -> FileState:
        """As it is now."""
        found = path.stat()
        quiet = max(found.st_mtime, found.st_ctime) < time.time() - _SECONDS_THAT_SHOW
        return cls(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, quiet)


def file_digest(path: Path, stop: Event | None = None) -> str:
    """The sha256 of a file in hex; of a beginning of it once `stop` says that nobody wants it any more."""
    digest, piece = hashlib.sha256(), memoryview(bytearray(_PIECE))
    with path.open("rb", buffering=0) as stream:
        while (size := stream.readinto(piece)) and not (stop and stop.is_set()):
            digest.update(piece[:size])
    return digest.hexdigest()


def check_unchanged(path: Path, seen: FileState, digest: str) -> None:
    """DataError where what was read may not be what the digest is of: it names the cache."""
    if not (seen.quiet and FileState.of(path) == seen) and file_digest(path) != digest:
        raise DataError(f"{path} changed while it was read. Start again when it is whole.")
