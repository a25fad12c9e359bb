"""Whether the packages of the extra `analysis` are there: asked before any work is done, without importing them."""

from __future__ import annotations

import importlib.util

import kbtools as kb


def require_analysis(purpose: str, *modules: str, plots: str | None = None) -> None:
    """MissingExtra unless all these modules are installed, and matplotlib as well where there is a folder for plots."""
    needed = (*modules, "matplotlib") if plots else modules
    if any(importlib.util.find_spec(module) is None for module in needed):
        raise kb.errors.MissingExtra("analysis", purpose)
