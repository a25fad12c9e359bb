"""Numbers that nobody who writes a candidate can know: where inputs and decoys come from."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable


def secret_numbers(purpose: str, count: int, seed: int | None, texts: Iterable[str]) -> list[int]:
    """Drawn anew without a seed; with one, the same ones for the same pair."""
    if seed is None:
        return [secrets.randbits(31) for _ in range(count)]
    known = "\0".join([purpose, str(seed), *texts])
    digests = [hashlib.sha256(f"{number}\0{known}".encode("utf-8", "surrogatepass")) for number in range(count)]
    return [int.from_bytes(digest.digest()[:4]) >> 1 for digest in digests]
