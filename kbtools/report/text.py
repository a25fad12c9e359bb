"""Texts of datasets as a page can show them: no endless labels, numbers of readable length."""

from __future__ import annotations

from kbtools.wording import visible


def clipped(text: str, length: int) -> str:
    """At most so many characters, the last one an ellipsis where something is left out."""
    shown = visible(text).replace("\n", " ")
    return shown if len(shown) <= length else shown[: max(length - 1, 1)] + "…"


def number(value: float) -> str:
    """A number as people read it: thousands apart, about four digits of a fraction."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1e15 or abs(value) < 1e-4:
        return f"{value:.3g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"
