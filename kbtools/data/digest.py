"""Digests of short texts, made often and beside busy threads."""

from __future__ import annotations

import hashlib

PIECE = 2047
"""Bytes up to which hashlib keeps the interpreter's lock. A thread that gives it up for a microsecond of hashing has it
again only when the busy thread beside it lets go of it, milliseconds later."""


def sha256(data: bytes) -> str:
    """The sha256 of the data, in hex, without giving up the interpreter's lock."""
    found = hashlib.sha256(data[:PIECE])
    for start in range(PIECE, len(data), PIECE):
        found.update(data[start : start + PIECE])
    return found.hexdigest()
