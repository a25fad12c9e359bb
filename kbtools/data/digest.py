"""Digests: of short texts, made often and beside busy threads, and of the code that defines a class."""

from __future__ import annotations

import hashlib
import os
import sys
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PIECE = 2047
"""Bytes up to which hashlib keeps the interpreter's lock. A thread that gives it up for a microsecond of hashing has it
again only when the busy thread beside it lets go of it, milliseconds later."""


def sha256(data: bytes) -> str:
    """The sha256 of the data, in hex, without giving up the interpreter's lock."""
    found = hashlib.sha256(data[:PIECE])
    for start in range(PIECE, len(data), PIECE):
        found.update(data[start : start + PIECE])
    return found.hexdigest()


def source_digest(module_name: str) -> str:
    """Digest of the code that defines a class: every file of its top-level package, or its module alone."""
    module = sys.modules.get(module_name)
    package = (getattr(module, "__package__", None) or module_name).partition(".")[0]
    top = sys.modules.get(package)
    if folders := tuple(getattr(top, "__path__", ())):
        return _digest_of(tuple(map(Path, folders)))
    file = getattr(module, "__file__", None)
    if not file or not Path(file).is_file():  # a notebook: the code may change under one name, so nothing is reused
        return uuid.uuid4().hex
    return _digest_of((Path(file),))


@cache
def _digest_of(places: tuple[Path, ...]) -> str:
    """Digest of files by their paths and contents; data files of a package count, compiled code does not."""
    digest = hashlib.sha256()
    for place in places:
        above = len(str(place.parent)) + 1
        for file in sorted(_files(str(place))) if place.is_dir() else [str(place)]:
            with open(file, "rb", buffering=0) as opened:  # noqa: PTH123 - hundreds of files at each start
                content = opened.read()
            path = file[above:].replace(os.sep, "/").encode("utf-8", "surrogateescape")
            digest.update(b"%d %d " % (len(path), len(content)) + path + content)
    return digest.hexdigest()


def _files(folder: str) -> Iterator[str]:
    for above, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (file for name in names if os.path.isfile(file := os.path.join(above, name)))  # noqa: PTH113, PTH118 - as above
