"""What running code needs: asked for before the first row is read, and without importing any of it."""

from __future__ import annotations

import importlib.util

from kbtools.errors import MissingExtra

_PACKAGES = ("torch", "triton")


def require_verify(what: str) -> None:
    """MissingExtra where verify's sandbox cannot run modules."""
    if any(importlib.util.find_spec(package) is None for package in _PACKAGES):
        raise MissingExtra("verify", what)
